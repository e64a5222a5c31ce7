"""Everything partialbatch raises, in one tree.

::

    Exception
    ├── PartialBatchError
    │   ├── ConfigurationError (also a ValueError)   an option or a record function that cannot work
    │   ├── EventError (also a ValueError)           an event, or a response to it, that cannot be trusted
    │   ├── PayloadError                             a record that cannot be decoded or validated
    │   ├── RecordSkipped                            why a record was not started
    │   ├── FullBatchFailure                         no record of the batch succeeded
    │   ├── RecordError (also a ValueError)          a record that no call could carry; raised by put()
    │   ├── ClosedError (also a RuntimeError)        a producer used after it was closed
    │   └── DeliveryError                            records that a service did not accept
    ├── RetryAfter                                   raised by a record function: try again later
    └── Reject                                       raised by a record function: no retry cures it

No message holds a record's body.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from partialbatch._inspection import kind_of, safe_str

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "DeliveryError",
    "EventError",
    "FullBatchFailure",
    "PartialBatchError",
    "PayloadError",
    "RecordError",
    "RecordSkipped",
    "Reject",
    "RetryAfter",
]

_NAMES_SHOWN = 10
_NAME_LENGTH = 120
_LONGEST_WAIT = 43_200
"""Seconds, SQS's longest visibility timeout:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number that a float can hold; True, NaN and infinity are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def clip(text: str, limit: int = _NAME_LENGTH) -> str:
    """Cut a text to `limit` characters and say that it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def safe_repr(value: object, limit: int = _NAME_LENGTH) -> str:
    """Return a short repr of a value, also of one whose ``__repr__`` raises."""
    try:
        return clip(repr(value), limit)
    except BaseException:
        return f"<{kind_of(value)} whose repr raises>"


def described(error: BaseException) -> str:
    """Return an exception's type and text; the type alone where there is no text."""
    text = safe_str(error)
    return f"{kind_of(error)}: {text}" if text.strip() else kind_of(error)


def listing(names: Iterable[object], shown: int = _NAMES_SHOWN) -> str:
    """Join at most ten names, and say how many more there are."""
    every = [name if isinstance(name, str) else safe_repr(name) for name in names]
    head = ", ".join(clip(name) for name in every[:shown])
    return head if len(every) <= shown else f"{head} and {len(every) - shown} more"


INTERRUPTS = (SystemExit, KeyboardInterrupt)
"""What ends the process. All else that the user's code raises, a `CancelledError` of its own included, is caught."""


class PartialBatchError(Exception):
    """The base of what partialbatch raises of its own accord."""


class ConfigurationError(PartialBatchError, ValueError):
    """An option, or a record function, that cannot work; raised when the module loads."""

    @classmethod
    def bad_value(cls, option: str, value: object, allowed: str) -> Self:
        """Name the option, the value and what is allowed."""
        return cls(f"{option}={safe_repr(value)} is not possible: it takes {allowed}")


class EventError(PartialBatchError, ValueError):
    """An event, or the response to it, that cannot be trusted: the whole batch comes back."""

    @classmethod
    def mixed(cls, origins: Iterable[object]) -> Self:
        """Name the sources that met in one event."""
        return cls(f"one event holds records of several sources ({listing(origins)}); a batch has one")

    @classmethod
    def other_source(cls, wanted: str, found: str) -> Self:
        """Say which source was asked for and which one sent the event."""
        return cls(f"source={wanted!r} was asked for, but the event is from {found}; remove source= or correct it")

    @classmethod
    def no_identifier(cls, source: str, index: int) -> Self:
        """Say which record cannot be reported."""
        return cls(
            f"record {index} of the {source} batch did not succeed and has no identifier to report it by; "
            "the whole batch is given back, since a response without it would delete the record. "
            "Does an input transformer or a hand-made event leave the identifier out?"
        )

    @classmethod
    def no_window(cls) -> Self:
        """Say why a `state` parameter cannot be filled."""
        return cls(
            "the record function has a 'state' parameter, but the event is of no tumbling window; set "
            "TumblingWindowInSeconds on the event source mapping (Kinesis, DynamoDB Streams), or remove the parameter"
        )

    @classmethod
    def window_state(cls, size: int, limit: int) -> Self:
        """Name the size of a window's state and its limit, in bytes."""
        return cls(
            f"the tumbling window's state is {size} bytes as JSON; Lambda takes at most {limit}: keep less in it"
        )


def shape(event: object) -> str:
    """Describe an event by its type and keys."""
    if isinstance(event, list) and event:
        # Not by `shape` again: lists may be nested to any depth.
        return f"a list whose first entry is {_shape(event[0])}"
    return _shape(event)


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return f"a dict with the keys {listing(map(str, value)) or '(none)'}"
    return f"a value of type {type(value).__name__}"


def counted(names: Iterable[str]) -> str:
    """Say how often each name occurs, the most frequent first."""
    return listing(f"{count} {name}" for name, count in Counter(names).most_common())


class PayloadError(PartialBatchError):
    """A record that cannot be decoded or validated; never holds the body."""

    @classmethod
    def field(cls, name: str, wanted: str, value: object) -> Self:
        """Say which field of the raw record is not what it should be."""
        found = "missing or null" if value is None else f"of type {kind_of(value)}"
        return cls(f"the record's field {name!r} is {found}; expected {wanted}")

    @classmethod
    def absent(cls, wanted: str) -> Self:
        """Say what to write where records may come without a payload."""
        return cls(
            "the record has no payload (DynamoDB: a REMOVE or a stream without new images; Kafka: a tombstone): "
            f"annotate the parameter `{clip(wanted)} | None`, or keep such records out by filter criteria"
        )

    @classmethod
    def json(cls, error: Exception) -> Self:
        """Say where JSON is broken, without the text around it."""
        where = f" at character {error.pos}" if hasattr(error, "pos") else ""
        return cls(f"the payload is no valid JSON ({type(error).__name__}{where})")

    @classmethod
    def kind(cls, wanted: str, value: object) -> Self:
        """Say which JSON type was wanted and which one came."""
        return cls(f"the payload is JSON of type {type(value).__name__}; expected {wanted}")


class RecordSkipped(PartialBatchError):
    """Why a record was not started."""


class FullBatchFailure(PartialBatchError):
    """No record of the batch succeeded (or the source takes no partial response).

    Lambda takes the raised error as a failed invocation and delivers the batch again.

    Attributes:
        result: The `BatchResult` of the call.
        response: The partial failure response that it stands for.
        errors: The errors of the failed records, in event order.
    """

    def __init__(self, result: Any, source: str) -> None:
        failed, skipped = result.failed, result.skipped
        why = counted(kind_of(entry.error) for entry in failed) or "none"
        # From the response: a record function may have changed the raw record since.
        which = listing(item["itemIdentifier"] for item in result.response["batchItemFailures"])
        super().__init__(
            f"{len(failed)} of {len(result.results)} {source} records failed and {len(skipped)} were not started; "
            f"errors: {why}; records: {which}"
        )
        self.result = result
        self.response = result.response
        self.errors: tuple[BaseException, ...] = tuple(entry.error for entry in failed)

    def __reduce__(self) -> tuple[Any, ...]:
        result = self.result.portable()  # an exception of the user's own may refuse to be pickled
        state = {**vars(self), "result": result, "errors": tuple(entry.error for entry in result.failed)}
        return type(self).__new__, (type(self), *self.args), state


class RecordError(PartialBatchError, ValueError):
    """A record, or an option of it, that the service would never take; nothing was sent.

    Attributes:
        field: The name of what is wrong: a put option, or the service's own name.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field

    @classmethod
    def too_large(cls, field: str, size: int, limit: int, unit: str = "bytes") -> Self:
        """Name the field, its size and the limit."""
        return cls(field, f"has {size} {unit}, and at most {limit} are possible")


class ClosedError(PartialBatchError, RuntimeError):
    """A producer was used after it was closed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is closed: make a new one, or put before leaving the `with` block")


class DeliveryError(PartialBatchError):
    """Records that a service did not accept, and that no ``flush()`` has returned.

    Attributes:
        unprocessed: The `Unprocessed` entries, in the order in which they were put.
    """

    def __init__(self, unprocessed: Sequence[Any], what: str = "records") -> None:
        self.unprocessed = list(unprocessed)
        codes = counted(entry.code or entry.reason for entry in self.unprocessed)
        super().__init__(
            f"{len(self.unprocessed)} {what} were not accepted ({codes}); they are in .unprocessed, as they were given"
        )


class RetryAfter(Exception):
    """Raised by a record function: deliver the record again after some seconds.

    Attributes:
        seconds: The wait, from 0 to 43,200 (12 hours, SQS's longest visibility timeout).
    """

    def __init__(self, seconds: float) -> None:
        if not (is_number(seconds) and 0 <= seconds <= _LONGEST_WAIT):
            raise ConfigurationError.bad_value("RetryAfter.seconds", seconds, "a number of seconds from 0 to 43,200")
        # The number, not a text: an exception is copied and unpickled from its arguments.
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"retry after {self.seconds:g} s"


class Reject(Exception):
    """Raised by a record function: no retry cures this record.

    Attributes:
        reason: What is wrong with it.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
