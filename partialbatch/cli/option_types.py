"""Option types for click: seconds within bounds, and files whose errors take one line."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, NoReturn

import click

from partialbatch.cli.command_error import CommandError

if TYPE_CHECKING:
    from click import Context, Parameter

__all__ = ["FilePath", "OpenFile", "Seconds"]


class Seconds(click.FloatRange):
    """A number of seconds within bounds. NaN, which is outside of no bounds, is refused too."""

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if isnan(seconds):
            self.fail(f"{value!r} isn't a number of seconds", param, ctx)
        return seconds


class _OneLineErrors:
    """Reports a file that can't be used in one line, without click's usage text: the syntax was right."""

    def fail(self, message: str, param: Parameter | None = None, ctx: Context | None = None) -> NoReturn:
        option = f"{param.opts[0]}: " if isinstance(param, click.Option) else ""
        raise CommandError(f"{option}{message.rstrip('.')}")


class FilePath(_OneLineErrors, click.Path):
    """The name of a file."""


class OpenFile(_OneLineErrors, click.File):
    """A file, opened."""
