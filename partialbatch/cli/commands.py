"""The group of commands. A command's module is imported when the command is called."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from partialbatch import __version__
from partialbatch.cli.command_error import CommandError
from partialbatch.cli.extras import install
from partialbatch.cli.output import make_safe, writing

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class _Command:
    """A command that is not imported yet.

    Attributes:
        target: ``module:attribute`` of the click command.
        summary: The command's line in ``partialbatch --help``.
    """

    target: str
    summary: str

    def load(self, name: str) -> click.Command:
        module, _, attribute = self.target.partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as missing:
            raise _explained(missing, name) from None
        return command


def _explained(missing: ModuleNotFoundError, command: str) -> Exception:
    """Return an error with the install command for a missing third-party module.

    A missing module of this package is a bug, and returned as it is. Modules that the user's code imports in
    vain are reported by `loading`.
    """
    name = str(missing.name)
    if name.startswith("partialbatch"):
        return missing
    return CommandError(f"`partialbatch {command}` needs {name}: {install([command, *sys.argv[1:]], name)}")


_COMMANDS = {
    "check": _Command(
        "partialbatch.cli.check.command:check",
        "Find settings that lose or repeat work, in a deployed function, a template or a plan.",
    ),
    "demo": _Command(
        "partialbatch.cli.demo.command:demo",
        "Run handlers over local queues and streams, and count lost records.",
    ),
    "event": _Command("partialbatch.cli.event:event", "Print a sample event from a queue, stream, table or topic."),
    "invoke": _Command(
        "partialbatch.cli.invoke.command:invoke", "Run a handler on saved events, and show what Lambda would do."
    ),
    "poll": _Command(
        "partialbatch.cli.poll.command:poll", "Poll a queue or a stream, and call a handler with its batches."
    ),
    "simulate": _Command(
        "partialbatch.cli.simulate:simulate",
        "Compare the cost of error policies on simulated queues and streams.",
    ),
}


class _LazyGroup(click.Group):
    """A group that lists its commands without importing them, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _COMMANDS.get(cmd_name)
        return found.load(cmd_name) if found else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:  # some options import a module of their own
            raise _explained(missing, str(ctx.invoked_subcommand)) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        make_safe()
        with writing():
            return super().main(*args, **kwargs)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name].summary) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup)
@click.version_option(__version__, prog_name="partialbatch")
def main() -> None:
    """Try, check and run handlers of AWS Lambda batches with partial failure responses."""
