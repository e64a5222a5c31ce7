"""Charge orders from a standard queue. The payload is validated: the first parameter is a pydantic model."""

from decimal import Decimal

from pydantic import BaseModel, Field

from partialbatch import batch_handler


class Order(BaseModel):
    """The body of a message."""

    order_id: str
    amount: Decimal = Field(gt=0)


@batch_handler
def handler(order: Order):
    """Charge one order; whatever is raised here brings this message back, and no other."""
    print(f"charging {order.amount} for {order.order_id}")
    return order.amount
