"""The error of a command that could not do its job."""

from __future__ import annotations

import click

__all__ = ["CommandError"]


class CommandError(click.ClickException):
    """A command could not do its job: prints one line on standard error, without usage text, and ends with 2.

    Exit code 1 is for commands that ran and found failures.
    """

    exit_code = 2
