"""What became of the records, and the response that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from partialbatch._frozen import value
from partialbatch._inspection import kind_of
from partialbatch.errors import EventError, PartialBatchError, described, safe_repr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from partialbatch.types import BatchResponse, Identifier

__all__ = ["BatchResult", "RecordResult", "Status", "build_response"]

Value = TypeVar("Value")
SKIPPED, SUCCEEDED, FAILED, DEAD_LETTERED = 0, 1, 2, 3
"""What a record's slot holds. Every record starts as skipped: only an observed success changes that."""

Status = Literal["succeeded", "failed", "skipped", "dead_lettered"]


@value
class RecordResult(Generic[Value]):
    """What became of one record.

    Attributes:
        record: The record view.
        status: ``succeeded``, ``failed``, ``skipped`` (not started) or ``dead_lettered``.
        value: What the record function returned, awaited if need be; None unless it succeeded.
        error: Why it failed; a `RecordSkipped` where it was not started.
        duration: Seconds in the record function, None where it was not measured.
        resumed: True when it had succeeded in an earlier invocation and did not run again.
    """

    record: Any
    status: Status
    value: Value | None = None
    error: BaseException | None = None
    duration: float | None = None
    resumed: bool = False

    __eq__ = object.__eq__  # a result is itself, whatever it says
    __hash__ = object.__hash__

    def with_error(self, error: BaseException) -> RecordResult[Value]:
        """Return this result as a failed one: what a bulk step returns to name the reason."""
        failed = _Refused(self.record, "failed", None, error, self.duration, False)
        object.__setattr__(failed, "origin", origin_of(self))
        return failed

    def __repr__(self) -> str:
        error = "" if self.error is None else f", error={kind_of(self.error)}"
        # A view shows its identifier; what else a source of one's own gives may show the record.
        is_ours = getattr(type(self.record).__repr__, "__module__", "").startswith("partialbatch.")
        record = safe_repr(self.record) if is_ours or self.record is None else f"<{type(self.record).__name__}>"
        return f"RecordResult({record}, {self.status!r}{error})"


class _Refused(RecordResult[Any]):
    """What `RecordResult.with_error` returns.

    Attributes:
        origin: The result that it was made of: records may share a view, or have none.
    """

    __slots__ = ("origin",)

    origin: RecordResult[Any]

    def __reduce__(self) -> tuple[type[RecordResult[Any]], tuple[Any, ...]]:
        return RecordResult, (self.record, self.status, None, self.error, self.duration)


def origin_of(result: Any) -> Any:
    """Return the result that one with an error was made of, or the result itself."""
    return result.origin if isinstance(result, _Refused) else result


@value
class BatchResult(Generic[Value]):
    """What became of a batch.

    Attributes:
        results: One `RecordResult` a record, in the event's order.
        response: The partial failure response: it names each record that did not succeed, once.
    """

    results: tuple[RecordResult[Value], ...]
    response: BatchResponse

    __eq__ = object.__eq__  # a result is itself, whatever it says
    __hash__ = object.__hash__

    @property
    def succeeded(self) -> list[RecordResult[Value]]:
        """The records that need no further delivery."""
        return self._with("succeeded")

    @property
    def failed(self) -> list[RecordResult[Value]]:
        """The records whose function, or whose decoding, raised."""
        return self._with("failed")

    @property
    def skipped(self) -> list[RecordResult[Value]]:
        """The records that were not started."""
        return self._with("skipped")

    @property
    def dead_lettered(self) -> list[RecordResult[Value]]:
        """The records that the dead letter took."""
        return self._with("dead_lettered")

    @property
    def full_failure(self) -> bool:
        """True when at least one record failed and none succeeded or was dead-lettered."""
        return bool(self.failed) and not self.succeeded and not self.dead_lettered

    def portable(self) -> BatchResult[Any]:
        """Return a result that can be pickled: without the values, and with stand-ins for the errors, that cannot."""
        return self if _travels(self) else BatchResult(tuple(map(_portable, self.results)), self.response)

    def _with(self, status: Status) -> list[RecordResult[Value]]:
        return [result for result in self.results if result.status == status]

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name}={len(self._with(name))}" for name in ("succeeded", "failed", "skipped", "dead_lettered")
        )
        return f"BatchResult({counts})"


def _travels(value: object) -> bool:
    """Tell whether a value can be pickled, and made again."""
    from pickle import dumps, loads  # only where a failure is pickled; our own data

    try:
        loads(dumps(value))  # noqa: S301 - as above
    except Exception:
        return False
    return True


def _portable(result: RecordResult[Any]) -> RecordResult[Any]:
    error = result.error
    return RecordResult(
        result.record if _travels(result.record) else None,
        result.status,
        result.value if _travels(result.value) else None,
        error if error is None or _travels(error) else PartialBatchError(described(error)),
        result.duration,
        result.resumed,
    )


def build_response(source: str, identifiers: Sequence[Identifier | None], reported: Iterable[int]) -> BatchResponse:
    """Build the response that names the reported records in event order, each identifier once.

    Raises:
        EventError: A reported record has no identifier. Lambda would take a response that leaves it
            out as its success, so the whole batch must come back instead.
    """
    failures: dict[Any, Identifier] = {}
    for index in reported:
        identifier = identifiers[index]
        if not identifier or not isinstance(identifier, str | dict):
            raise EventError(
                f"record {index} of the {source} batch did not succeed, and has no identifier to report it by. The "
                "whole batch is given back, because Lambda would delete a record that the response leaves out. Check "
                "whether an input transformer, or an event made by hand, leaves the identifier out"
            )
        # By its repr: an event source of the user's own may nest what cannot be hashed.
        key = identifier if isinstance(identifier, str) else (repr(identifier),)
        failures.setdefault(key, identifier)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failures.values()]}
