"""Write orders from a queue to a table, 25 a call; invalid ones, which no retry cures, go to a queue of their own."""

import os
from decimal import Decimal

from pydantic import BaseModel, Field

from partialbatch import batch_handler
from partialbatch.errors import PayloadError
from partialbatch.producers import DynamoDBProducer, SQSProducer


class Order(BaseModel):
    """The body of a message."""

    order_id: str = Field(min_length=1)
    quantity: int = Field(gt=0)
    price: Decimal = Field(ge=0)


@batch_handler(
    sink=DynamoDBProducer(os.environ["ORDERS_TABLE"], keys="order_id"),
    permanent=PayloadError,
    dead_letter=SQSProducer(os.environ["INVALID_ORDERS_URL"]),
)
def handler(order: Order):
    """Return the item to write; the message is done with once the table has it. A second delivery writes the same."""
    return {**order.model_dump(), "total": order.quantity * order.price}
