"""Publish the changes of a table as events on a bus, ten a call, in order for each order."""

import os

from pydantic import BaseModel

from partialbatch import Change, DynamoDBRecord, batch_handler
from partialbatch.producers import EventBridgeProducer, Item


class Order(BaseModel):
    """An item of the table."""

    order_id: str
    status: str


@batch_handler(
    sink=EventBridgeProducer(os.environ["EVENT_BUS"], source="shop.orders"),
    error_policy="skip_group",  # behind an event that the bus did not take, the same order's wait for it
)
def handler(change: Change[Order], record: DynamoDBRecord):
    """Return the event of a change, or None where the status stayed the same."""
    if change.new is None:
        return Item({"order_id": change.old.order_id, "change_id": record.identifier}, detail_type="OrderRemoved")
    if change.old is not None and change.old.status == change.new.status:
        return None
    # An event may be sent twice: by the identifier of the change its consumers can tell.
    return Item({**change.new.model_dump(), "change_id": record.identifier}, detail_type="OrderStatusChanged")
