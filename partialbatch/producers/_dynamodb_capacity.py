"""Consumed capacity: the parameter that asks for it, and the sum in a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from partialbatch.producers._options import check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReturnConsumedCapacity", "capacity_parameters", "consumed_capacity"]

ReturnConsumedCapacity = Literal["NONE", "TOTAL", "INDEXES"]


def capacity_parameters(value: ReturnConsumedCapacity) -> dict[str, str]:
    """Return the parameter of a call that asks for the consumed capacity."""
    check_choice("return_consumed_capacity", value, ReturnConsumedCapacity)
    return {} if value == "NONE" else {"ReturnConsumedCapacity": value}


def consumed_capacity(response: Mapping[str, Any]) -> float:
    """Return the capacity units that a call consumed in all tables."""
    return sum([row.get("CapacityUnits") or 0.0 for row in response.get("ConsumedCapacity") or ()])
