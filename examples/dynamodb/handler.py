"""Follow the changes of a table: both images of an item, validated."""

from pydantic import BaseModel

from partialbatch import Change, batch_handler


class Order(BaseModel):
    """An item of the table."""

    order_id: str
    status: str


@batch_handler
def handler(change: Change[Order]):
    """Tell the customer what became of the order; `old` is None for a new item, `new` for a removed one."""
    before = change.old.status if change.old else "new"
    after = change.new.status if change.new else "removed"
    print(f"{change.kind}: {before} -> {after}")
    return before, after
