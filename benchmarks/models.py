"""The one pydantic model that every contestant validates."""

from __future__ import annotations

from pydantic import BaseModel


class Item(BaseModel):
    """One line of an order."""

    sku: str
    quantity: int


class Order(BaseModel):
    """The content of the events' records."""

    order_id: str
    customer: str
    amount: float
    items: list[Item]
