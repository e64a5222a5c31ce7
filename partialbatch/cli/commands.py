"""The group of commands; each is imported when it is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from partialbatch import __version__
from partialbatch.cli.extras import install
from partialbatch.cli.output import make_safe, writing
from partialbatch.cli.unusable import Unusable

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a command is, and what its line in the list says.

    Attributes:
        target: ``module:attribute`` of the click command.
        summary: One line for ``partialbatch --help``.
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
    """Name the install command for a module of an extra; a module of this package is a bug.

    Modules that users' code misses don't come here: `loading` tells of those.
    """
    name = str(missing.name)
    if name.startswith("partialbatch"):
        return missing
    return Unusable(f"`partialbatch {command}` needs {name}: {install([command, *sys.argv[1:]], name)}")


_COMMANDS = {
    "check": _Command(
        "partialbatch.cli.check:check",
        "Find what loses or repeats work in a deployed function, a template or a plan.",
    ),
    "demo": _Command(
        "partialbatch.cli.demo.command:demo",
        "Run handlers over local queues and streams; count what is lost.",
    ),
    "event": _Command("partialbatch.cli.event:event", "Print a sample event of a queue, stream, table or topic."),
    "invoke": _Command(
        "partialbatch.cli.invoke:invoke", "Run a handler on saved events, and tell what Lambda would do."
    ),
    "poll": _Command("partialbatch.cli.poll.command:poll", "Poll a queue or a stream, and give a handler its batches."),
    "simulate": _Command(
        "partialbatch.cli.simulate:simulate",
        "Compare what error policies cost, on simulated queues and streams.",
    ),
}


class _LazyGroup(click.Group):
    """Lists the commands without importing them: ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        found = _COMMANDS.get(cmd_name)
        return found.load(cmd_name) if found else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:  # some are imported when an option asks for them
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
    """Partial failure responses for AWS Lambda batches: try them, check them, run them."""
