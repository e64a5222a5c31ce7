"""The error of a command that couldn't do its job."""

from __future__ import annotations

import click

__all__ = ["Unusable"]


class Unusable(click.ClickException):
    """A command couldn't do its job: one line on standard error, exit code 2, and no usage text.

    Exit code 1 is for commands that ran and found failures.
    """

    exit_code = 2
