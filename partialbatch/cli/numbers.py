"""Numbers on the command line."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click import Context, Parameter

__all__ = ["Seconds"]


class Seconds(click.FloatRange):
    """A number of seconds within bounds; not NaN, which click lets through as it is outside of none."""

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds
