"""Files on the command line: one that cannot be used is told in one line, for that is no mistake in the syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from partialbatch.cli.loading import Unusable

if TYPE_CHECKING:
    from click import Context, Parameter

__all__ = ["FilePath", "OpenFile"]


class _OneLine:
    """Tells what click finds wrong with a file without click's usage text."""

    def fail(self, message: str, param: Parameter | None = None, ctx: Context | None = None) -> NoReturn:  # noqa: ARG002 - click's signature
        option = f"{param.opts[0]}: " if isinstance(param, click.Option) else ""
        raise Unusable(f"{option}{message.rstrip('.')}")


class FilePath(_OneLine, click.Path):
    """The name of a file."""


class OpenFile(_OneLine, click.File):
    """A file, open."""
