"""What type checkers see of the API: mypy reads this file, nobody runs it."""

from __future__ import annotations

from functools import partial
from typing import Any, assert_type

from partialbatch import BatchHandler, BatchResult, Change, ErrorPolicy, RawRecord, Record, SQSRecord, batch_handler


class Order:
    """A payload."""


# A plain function, without options and with.
@batch_handler
def plain(order: Order) -> int:
    return 1


@batch_handler(source="sqs", fifo="auto", error_policy="stop", raise_on_full_failure=False)
def optioned(order: Order, record: SQSRecord, context: Any) -> str:
    return ""


# An async function: the value is what it returns once it was awaited.
@batch_handler
async def awaited(order: Order) -> bytes:
    return b""


@batch_handler(model=Order)
async def awaited_with_options(order: Any) -> list[int]:
    return []


def functions() -> None:
    assert_type(plain.process({}).results[0].value, int | None)
    assert_type(optioned.process({}, None).results[0].value, str | None)
    assert_type(plain.process({}), BatchResult[int])
    assert_type(plain.process({}).succeeded[0].value, int | None)


def async_functions() -> None:
    assert_type(awaited.process({}).results[0].value, bytes | None)
    assert_type(awaited_with_options.process({}).results[0].value, list[int] | None)


async def from_a_loop() -> None:
    assert_type((await awaited.aprocess({})).results[0].value, bytes | None)
    assert_type((await plain.aprocess({}, None)).results[0].value, int | None)


def wrapped() -> None:
    """The record function itself keeps its type: unit tests call it."""
    assert_type(plain.function(Order()), int)
    plain.function("order")  # type: ignore[arg-type]
    plain.function(Order(), 1)  # type: ignore[call-arg]


async def wrapped_async() -> None:
    assert_type(await awaited.function(Order()), bytes)


def no_decorator() -> None:
    def record_function(record: RawRecord) -> float:
        return float(record["amount"])

    def with_client(client: object, record: Record) -> None: ...

    assert_type(batch_handler(record_function).process({}).results[0].value, float | None)
    assert_type(batch_handler(record_function, source="kinesis").process({}).results[0].value, float | None)
    batch_handler(partial(with_client, object()))


@batch_handler
def change(change: Change[Order]) -> None:
    assert_type(change.new, Order | None)
    assert_type(change.old, Order | None)


class Service:
    """A handler in a class."""

    @batch_handler
    def handle(self, record: Record) -> int:
        return 1


def methods() -> None:
    assert_type(Service().handle.process({}).results[0].value, int | None)


def wrong_options() -> None:
    """An unknown name or value of an option is an error before anything runs."""
    batch_handler(sauce="sqs")  # type: ignore[call-overload]
    batch_handler(plain.function, sauce="sqs")  # type: ignore[call-overload]
    batch_handler(source="rabbit")  # type: ignore[call-overload]
    batch_handler(error_policy="halt")  # type: ignore[call-overload]
    batch_handler(fifo="yes")  # type: ignore[call-overload]
    batch_handler(envelope="kinesis")  # type: ignore[call-overload]
    batch_handler(deadline_margin="never")  # type: ignore[call-overload]
    batch_handler(max_concurrency="8")  # type: ignore[call-overload]
    batch_handler(plain.function, error_policy="halt")  # type: ignore[call-overload]
    BatchHandler(plain.function, error_policy="halt")  # type: ignore[arg-type]


def right_choices() -> None:
    """Each choice that an editor completes is taken."""
    batch_handler(source="kinesis", error_policy="skip_group", fifo="auto", envelope="sns", deadline_margin="off")
    batch_handler(source="auto", error_policy=ErrorPolicy.STOP, fifo=True, envelope="eventbridge", deadline_margin=1)


def handlers(handler: BatchHandler[Any, Any]) -> None:
    handler({}, None)
