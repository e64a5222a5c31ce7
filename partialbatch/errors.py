"""The exceptions of partialbatch, in one tree.

::

    Exception
    ├── PartialBatchError
    │   ├── ConfigurationError (also a ValueError)   an option, or a record function, that can't work
    │   ├── EventError (also a ValueError)           an event, or the response to it, that can't be trusted
    │   ├── PayloadError                             a record that can't be decoded or validated
    │   ├── RecordSkipped                            the reason that a record wasn't started
    │   ├── FullBatchFailure                         no record of the batch succeeded
    │   ├── RecordError (also a ValueError)          a record that the service would never accept; from put()
    │   ├── ClosedError (also a RuntimeError)        a producer that was used after it was closed
    │   └── DeliveryError                            records that a service didn't accept
    ├── RetryAfter                                   raised by a record function: try again later
    └── Reject                                       raised by a record function: no retry cures it

Messages never hold a record's body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from partialbatch._inspection import clip, counted, is_number, kind_of, listing, safe_repr, safe_str

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_LONGEST_WAIT = 43_200  # seconds


INTERRUPTS = (SystemExit, KeyboardInterrupt)
"""The exceptions that end the process. All others that user code raises are caught, also a `CancelledError`."""


def described(error: BaseException) -> str:
    """Return an exception's type and text, or the type alone if the text is empty."""
    text = safe_str(error)
    return f"{kind_of(error)}: {text}" if text.strip() else kind_of(error)


class PartialBatchError(Exception):
    """The base class of the exceptions that partialbatch raises of its own accord.

    >>> from partialbatch import PartialBatchError, batch_handler
    >>> try:
    ...     batch_handler(max_concurrency=0)
    ... except PartialBatchError as error:
    ...     print(error)
    max_concurrency=0 is not possible: it takes a whole number from 1 on, or -1 for the number of vCPUs
    """


class ConfigurationError(PartialBatchError, ValueError):
    """An option, or a record function, can't work. Raised when the module loads.

    >>> from partialbatch import batch_handler
    >>> batch_handler(max_receive_count=0)
    Traceback (most recent call last):
    partialbatch.errors.ConfigurationError: max_receive_count=0 is not possible: it takes ... from 1 to 1000
    """

    @classmethod
    def bad_value(cls, option: str, value: object, allowed: str) -> Self:
        """Name the option, its value and the values that it takes."""
        return cls(f"{option}={safe_repr(value)} is not possible: it takes {allowed}")


class EventError(PartialBatchError, ValueError):
    """The event, or the response to it, can't be trusted. Lambda delivers the whole batch again.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import kinesis_event
    >>> handler = batch_handler(print, source="sqs")
    >>> handler(kinesis_event(["A-1"]), None)
    Traceback (most recent call last):
    partialbatch.errors.EventError: the handler has source='sqs', and the event is from kinesis; correct source=, ...
    """

    @classmethod
    def window_state(cls, size: int, limit: int) -> Self:
        """Name the size of a window's state and its limit, in bytes."""
        return cls(
            f"the tumbling window's state has {size} bytes as JSON, and Lambda takes at most {limit}: keep less in it"
        )


class PayloadError(PartialBatchError):
    """A record can't be decoded or validated. The message never holds the body.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler
    ... def handler(order: dict): ...
    >>> handler.process(sqs_event(["not JSON"])).failed[0].error
    PayloadError("the payload isn't valid JSON (JSONDecodeError at character 0)")
    """

    @classmethod
    def field(cls, name: str, wanted: str, value: object) -> Self:
        """Name the field of the raw record that is missing or has another type."""
        found = "missing or null" if value is None else f"of type {kind_of(value)}"
        return cls(f"the record's field {name!r} is {found}; expected {wanted}")

    @classmethod
    def absent(cls, wanted: str) -> Self:
        """Say how to annotate a function whose records may have no payload."""
        return cls(
            "the record has no payload (DynamoDB: a REMOVE or a stream without new images; Kafka: a tombstone): "
            f"annotate the parameter `{clip(wanted)} | None`, or keep such records out with filter criteria"
        )

    @classmethod
    def json(cls, error: Exception) -> Self:
        """Name the position at which JSON is broken, without the text around it."""
        where = f" at character {error.pos}" if hasattr(error, "pos") else ""
        return cls(f"the payload isn't valid JSON ({type(error).__name__}{where})")

    @classmethod
    def kind(cls, wanted: str, value: object) -> Self:
        """Name the JSON type that is expected, and the one that came."""
        return cls(f"the payload is JSON of type {type(value).__name__}; expected {wanted}")


class RecordSkipped(PartialBatchError):
    """The reason that a record wasn't started.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler
    ... def handler(order: dict): ...
    >>> handler.process(sqs_event(["not JSON", {}], fifo=True)).skipped[0].error
    RecordSkipped("not started: a record before it failed (error_policy 'stop')")
    """


class FullBatchFailure(PartialBatchError):
    """No record of the batch succeeded, or a record failed at a source that takes no partial response.

    The invocation fails, so it counts as an error in Lambda's metrics, and Lambda delivers the batch again.
    With ``raise_on_full_failure=False``, the handler returns the response instead.

    >>> from partialbatch import FullBatchFailure, batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler
    ... def handler(order: dict): ...
    >>> try:
    ...     handler(sqs_event(["not JSON"]), None)
    ... except FullBatchFailure as failure:
    ...     failure.response
    {'batchItemFailures': [{'itemIdentifier': '00000000-0000-4000-8000-000000000000'}]}

    Attributes:
        result: The `BatchResult` of the call.
        response: The partial failure response that the handler would have returned.
        errors: The errors of the failed records, in event order.
    """

    def __init__(self, result: Any, source: str) -> None:
        failed, skipped = result.failed, result.skipped
        why = counted(kind_of(entry.error) for entry in failed) or "none"
        # From the response, because a record function may have changed the raw record.
        which = listing(item["itemIdentifier"] for item in result.response["batchItemFailures"])
        super().__init__(
            f"{len(failed)} of {len(result.results)} {source} records failed and {len(skipped)} were not started; "
            f"errors: {why}; records: {which}"
        )
        self.result = result
        self.response = result.response
        self.errors: tuple[BaseException, ...] = tuple(entry.error for entry in failed)

    def __reduce__(self) -> tuple[Any, ...]:
        result = self.result.portable()  # the user's exceptions may refuse to be pickled
        state = {**vars(self), "result": result, "errors": tuple(entry.error for entry in result.failed)}
        return type(self).__new__, (type(self), *self.args), state


class RecordError(PartialBatchError, ValueError):
    """The service would never accept this record, or one of its put options. Nothing was sent.

    >>> from partialbatch.producers import SQSProducer
    >>> producer = SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", client=object())
    >>> producer.put("A" * 2_000_000)
    Traceback (most recent call last):
    partialbatch.errors.RecordError: MessageBody...: has 2000000 bytes, and at most 1048576 are possible

    Attributes:
        field: The put option, or the service's own name for the part of the record that is wrong.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field

    @classmethod
    def too_large(cls, field: str, size: int, limit: int, unit: str = "bytes") -> Self:
        """Name the field, its size and the limit."""
        return cls(field, f"has {size} {unit}, and at most {limit} are possible")


class ClosedError(PartialBatchError, RuntimeError):
    """A producer was used after it was closed.

    >>> from partialbatch.producers import SQSProducer
    >>> with SQSProducer("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", client=object()) as producer:
    ...     pass
    >>> producer.put("A-1")
    Traceback (most recent call last):
    partialbatch.errors.ClosedError: SQSProducer is closed: make a new one, or put before leaving the `with` block
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is closed: make a new one, or put before leaving the `with` block")


class DeliveryError(PartialBatchError):
    """A service didn't accept some records, and no ``flush()`` has returned them.

    >>> from partialbatch.errors import DeliveryError
    >>> from partialbatch.types import Unprocessed
    >>> raise DeliveryError([Unprocessed("A-1", code="InternalError")])
    Traceback (most recent call last):
    partialbatch.errors.DeliveryError: 1 records were not accepted (1 InternalError); they are in .unprocessed, ...

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
    """Raise this in a record function to have an SQS message delivered again after a wait.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html

    >>> from partialbatch import RetryAfter
    >>> def record_function(record):
    ...     raise RetryAfter(60)
    >>> record_function("A-1")
    Traceback (most recent call last):
    partialbatch.errors.RetryAfter: retry after 60 s

    Attributes:
        seconds: The wait, from 0 to 43,200 (12 hours, SQS's longest visibility timeout).

    Raises:
        ConfigurationError: The wait is out of range.
    """

    def __init__(self, seconds: float) -> None:
        if not (is_number(seconds) and 0 <= seconds <= _LONGEST_WAIT):
            raise ConfigurationError.bad_value("RetryAfter.seconds", seconds, "a number of seconds from 0 to 43,200")
        # The number instead of a text, because an exception is copied and unpickled from its arguments.
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"retry after {self.seconds:g} s"


class Reject(Exception):
    """Raise this in a record function if no retry cures the record. With ``dead_letter=``, it goes there.

    >>> from partialbatch import Reject, batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> letters = []
    >>> @batch_handler(dead_letter=letters.append)
    ... def handler(order: dict):
    ...     raise Reject("the customer is unknown")
    >>> handler.process(sqs_event([{}])).dead_lettered[0].error
    Reject('the customer is unknown')

    Attributes:
        reason: The reason, for logs and dead letters.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
