"""Reads saved events, checks them, and applies Lambda's rules to responses."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from partialbatch._core.options import resolve
from partialbatch.cli.command_error import CommandError
from partialbatch.errors import ConfigurationError, EventError, safe_repr
from partialbatch.sources import Catalogue
from partialbatch.testing._event_layout import sequence_number
from partialbatch.testing._verdict import Outcome, Verdict, judge
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from partialbatch._core.options import Settings
    from partialbatch.cli.loading import LoadedHandler
    from partialbatch.types import EventSource, Identifier, RawRecord

__all__ = ["SavedBatch", "open_batch", "read_event"]

_STREAMS = ("kinesis", "dynamodb")


@dataclass(frozen=True, slots=True)
class SavedBatch:
    """An event and the identifiers of its records.

    Attributes:
        name: The file's name; ``standard input`` for ``-``.
        text: The event as JSON.
        event: The parsed event. It is never given to the handler, which could change it.
        source: Its event source; None for an event without records.
        records: The raw records.
        identifiers: The identifier of each record in a response.
        groups: The name of the group in which each record must stay in order; None for records without group.
        built_in: Whether the source is built in, so that Lambda's rules for it are known.
        report: Whether the mapping has ``ReportBatchItemFailures``.
    """

    name: str
    text: str
    event: Any
    source: EventSource | None = None
    records: Sequence[RawRecord] = ()
    identifiers: tuple[Identifier, ...] = ()
    groups: tuple[str | None, ...] = ()
    built_in: bool = True
    report: bool = True

    def new_event(self) -> Any:
        """Return a new copy of the event."""
        return json.loads(self.text)

    @property
    def source_name(self) -> str:
        """The source's name, or ``no source``."""
        return self.source.name if self.source is not None else "no source"

    @property
    def ordered(self) -> bool:
        """Whether the records are delivered in order."""
        return self.source is not None and (
            self.source.name != "sqs" or self.source.policy(self.records) is ErrorPolicy.STOP
        )

    def claimed_verdict(self, outcome: Outcome) -> Verdict:
        """Return the verdict that a response asks for, even if the mapping ignores responses."""
        verdict = replace(self, report=True).judge(outcome)
        # A malformed response asks for nothing.
        return self.judge(outcome) if verdict.kind == "failure" else verdict

    def judge(self, outcome: Outcome) -> Verdict:
        """Return Lambda's reaction to a call.

        For other than built-in sources, Lambda's rules are unknown. The verdict then follows the response, and
        its reason says so.
        """
        if self.built_in:
            try:
                return judge(self.event, outcome, report_batch_item_failures=self.report)
            except EventError:
                pass  # an event without records need not name its source
        everything = tuple(range(len(self.records)))
        if outcome.error is not None:
            return Verdict("failure", f"the invocation failed with {outcome.error}", returned=everything)
        if self.source is None:
            return Verdict("success", "the event has no records")
        named = [entry["itemIdentifier"] for entry in json.loads(outcome.text)["batchItemFailures"]]
        reported = tuple(position for position in everything if self.identifiers[position] in named)
        counts = f"{len(reported)} of {len(everything)} records are reported"
        rules = f"Lambda's rules for your own event source {self.source_name!r} are not known"
        return Verdict("partial" if reported else "success", f"{counts}; {rules}", reported, reported)


def read_event(name: str, text: str) -> Any:
    """Parse a saved event.

    Raises:
        CommandError: It isn't JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CommandError(f"{name} isn't JSON{where}") from None
    except RecursionError:
        raise CommandError(f"{name} isn't an event: it is nested too deeply") from None


def open_batch(name: str, text: str, loaded: LoadedHandler, *, report: bool) -> SavedBatch:
    """Read a saved event and identify its records.

    Args:
        name: The file's name.
        text: The file's content.
        loaded: The handler, which may have its own event source and groups.
        report: Whether the mapping has ``ReportBatchItemFailures``.

    Raises:
        CommandError: It isn't an event, or one of its records has no identifier.
    """
    event, settings = read_event(name, text), _settings(loaded)
    try:
        source, records = Catalogue(settings).open(event)
    except EventError as error:
        raise CommandError(f"{name} isn't an event for this handler: {error}") from None
    if source is None:
        return SavedBatch(name, text, event)
    identifiers = tuple(_identifier(name, source, number, raw) for number, raw in enumerate(records))
    return SavedBatch(
        name=name,
        text=text,
        event=event,
        source=source,
        records=records,
        identifiers=identifiers,
        groups=tuple(map(_group_namer(settings, source), records)),
        built_in=isinstance(settings.source, str),
        report=report,
    )


def _settings(loaded: LoadedHandler) -> Settings:
    handler = loaded.batch_handler
    if handler is not None:
        settings: Settings = handler._target()[0]._settings
        return settings
    try:
        return resolve(source="auto")
    except ConfigurationError as error:  # in an environment variable
        raise CommandError(str(error)) from None


def _identifier(name: str, source: EventSource, number: int, raw: RawRecord) -> Identifier:
    """Return a record's identifier, checked so that Lambda's rules can be applied to it."""
    try:
        identifier = source.identifier(raw)
        if source.name in _STREAMS:
            int(sequence_number(source.name, raw))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CommandError(
            f"{name}: record {number} of the {source.name} event can't be reported: {_missing_identifier(error)}"
        ) from None
    if not isinstance(identifier, str | dict):
        raise CommandError(
            f"{name}: record {number} of the {source.name} event can't be reported: "
            f"its identifier is of type {type(identifier).__name__}"
        )
    if not identifier:
        raise CommandError(f"{name}: record {number} of the {source.name} event has an empty identifier")
    return identifier


def _missing_identifier(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    return f"its identifier isn't valid ({type(error).__name__})"


def _group_namer(settings: Settings, source: EventSource) -> Callable[[RawRecord], str | None]:
    """Return a function that names a record's group for people."""
    group_by = settings.group_by
    name = _NAMES.get(source.name, _plain) if group_by is None else _plain

    def group_of(raw: RawRecord) -> str | None:
        try:
            group = source.group(raw) if group_by is None else group_by(source.view(raw))
            return None if group is None else name(group)
        except Exception:  # the run fails in the same way, and reports the error
            return None

    return group_of


def _plain(group: Any) -> str:
    return group if isinstance(group, str) else safe_repr(group)


_NAMES: dict[str, Callable[[Any], str]] = {
    "kafka": lambda group: "-".join(map(str, group)),
    "dynamodb": lambda group: ", ".join(f"{name}={value[-1]}" for name, value in group),
}
