"""The results of a batch and of its records, and the response that is built from them."""

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
"""The states of a record. Every record starts as skipped, and only an observed success makes it succeeded."""

Status = Literal["succeeded", "failed", "skipped", "dead_lettered"]


@value
class RecordResult(Generic[Value]):
    """The result of one record.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> handler = batch_handler(int, model=str)
    >>> [good, bad] = handler.process(sqs_event(["1", "one"])).results
    >>> good.status, good.value
    ('succeeded', 1)
    >>> bad.status, bad.error
    ('failed', ValueError("invalid literal for int() with base 10: 'one'"))

    Attributes:
        record: The record view.
        status: ``"succeeded"``, ``"failed"``, ``"skipped"`` (not started) or ``"dead_lettered"``.
        value: The value that the record function returned, awaited if it is async. None unless it succeeded.
        error: The exception that failed the record, or a `RecordSkipped`. None if it succeeded.
        duration: The seconds that the record function took, or None if they were not measured.
        resumed: True if the record had succeeded in an earlier invocation, and did not run again.
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
        """Return this result as a failed one. A function given as ``sink=`` returns such results."""
        failed = _Refused(self.record, "failed", None, error, self.duration, False)
        object.__setattr__(failed, "origin", origin_of(self))
        return failed

    def __repr__(self) -> str:
        error = "" if self.error is None else f", error={kind_of(self.error)}"
        # A view shows its identifier. Objects from a source of the user's own may show the record.
        is_ours = getattr(type(self.record).__repr__, "__module__", "").startswith("partialbatch.")
        record = safe_repr(self.record) if is_ours or self.record is None else f"<{type(self.record).__name__}>"
        return f"RecordResult({record}, {self.status!r}{error})"


class _Unfrozen(Generic[Value]):
    """A result while it is made: setting its attributes takes a quarter of the time of a frozen class's constructor."""

    __slots__ = ("duration", "error", "record", "resumed", "status", "value")

    def __init__(
        self,
        record: Any,
        status: Status,
        value: Any,
        error: BaseException | None,
        duration: float | None,
        resumed: bool,
    ) -> None:
        self.record = record
        self.status = status
        self.value = value
        self.error = error
        self.duration = duration
        self.resumed = resumed


def made_result(
    record: Any, status: Status, value: Any, error: BaseException | None, duration: float | None, resumed: bool
) -> RecordResult[Any]:
    """Return a result, faster than its constructor does."""
    made: Any = _Unfrozen(record, status, value, error, duration, resumed)
    made.__class__ = RecordResult
    result: RecordResult[Any] = made
    return result


class _Refused(RecordResult[Any]):
    """A result of `RecordResult.with_error`.

    Attributes:
        origin: The result that it was made from. It tells records apart that share a view, or have none.
    """

    __slots__ = ("origin",)

    origin: RecordResult[Any]

    def __reduce__(self) -> tuple[type[RecordResult[Any]], tuple[Any, ...]]:
        return RecordResult, (self.record, self.status, None, self.error, self.duration)


def origin_of(result: Any) -> Any:
    """Return the result that one with an error was made of, or the result itself."""
    return result.origin if issubclass(type(result), _Refused) else result


@value
class BatchResult(Generic[Value]):
    """The result of a batch, from `BatchHandler.process`.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> result = batch_handler(int, model=str).process(sqs_event(["1", "one"]))
    >>> result
    BatchResult(succeeded=1, failed=1, skipped=0, dead_lettered=0)
    >>> result.response
    {'batchItemFailures': [{'itemIdentifier': '00000000-0000-4000-8000-000000000001'}]}

    Attributes:
        results: A `RecordResult` for each record, in the event's order.
        response: The partial failure response. It names each record that did not succeed, once.
    """

    results: tuple[RecordResult[Value], ...]
    response: BatchResponse

    __eq__ = object.__eq__  # a result is itself, whatever it says
    __hash__ = object.__hash__

    @property
    def succeeded(self) -> list[RecordResult[Value]]:
        """The records that succeeded."""
        return self._with("succeeded")

    @property
    def failed(self) -> list[RecordResult[Value]]:
        """The records that could not be decoded, or whose function raised."""
        return self._with("failed")

    @property
    def skipped(self) -> list[RecordResult[Value]]:
        """The records that were not started."""
        return self._with("skipped")

    @property
    def dead_lettered(self) -> list[RecordResult[Value]]:
        """The records that the dead letter accepted."""
        return self._with("dead_lettered")

    @property
    def full_failure(self) -> bool:
        """True if at least one record failed, and none succeeded or was dead-lettered."""
        return bool(self.failed) and not self.succeeded and not self.dead_lettered

    def portable(self) -> BatchResult[Any]:
        """Return a result that can be pickled. Values that can't be are left out, and such errors are replaced."""
        return self if _travels(self) else BatchResult(tuple(map(_portable, self.results)), self.response)

    def _with(self, status: Status) -> list[RecordResult[Value]]:
        return [result for result in self.results if result.status == status]

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name}={len(self._with(name))}" for name in ("succeeded", "failed", "skipped", "dead_lettered")
        )
        return f"BatchResult({counts})"


def _travels(value: object) -> bool:
    """Tell whether a value can be pickled and unpickled."""
    from pickle import dumps, loads  # only needed to pickle a failure; our own data

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
        EventError: A reported record has no identifier. Lambda takes a record that the response leaves out for a
            success, so the whole batch must come back instead.
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
        # By its repr, because identifiers from a source of the user's own may not be hashable.
        key = identifier if isinstance(identifier, str) else (repr(identifier),)
        failures.setdefault(key, identifier)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failures.values()]}
