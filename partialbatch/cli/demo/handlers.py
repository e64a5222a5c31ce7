"""The four handlers of the demo, written the way you would write yours.

Each gets ``work``, which stands for a database or a service that sometimes fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from partialbatch import batch_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[str], None]
    Handler = Callable[[Any, Any], Any]

__all__ = ["clicks", "customers", "orders", "payments"]


class Order(BaseModel):
    """An order that a shop's front end sends."""

    id: str
    amount: float


class Customer(BaseModel):
    """A customer in the table."""

    id: str
    visits: int


def orders(work: Work) -> Handler:
    """Return the handler of a standard queue, which validates the payload."""

    @batch_handler
    def take(order: Order) -> None:
        work(order.id)

    return take


def payments(work: Work) -> Handler:
    """Return the handler of a FIFO queue. After a failure, only the message's group waits."""

    @batch_handler(error_policy="skip_group")
    def book(payment: dict[str, Any]) -> None:
        work(payment["id"])

    return book


def clicks(work: Work) -> Handler:
    """Return the handler of a Kinesis stream."""

    @batch_handler
    def count(click: dict[str, Any]) -> None:
        work(click["id"])

    return count


def customers(work: Work) -> Handler:
    """Return the handler of a table's stream, which validates the new image."""

    @batch_handler
    def index(customer: Customer) -> None:
        work(customer.id)

    return index
