"""The group of commands; each is imported when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from partialbatch import __version__
from partialbatch.cli.streams import make_safe, writing

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a command is, and what its line in the list says.

    Attributes:
        target: ``module:attribute`` of the click command.
        summary: One line for ``partialbatch --help``.
        extra: What to install when one of the command's modules is missing.
    """

    target: str
    summary: str
    extra: str = "cli"

    def load(self, name: str) -> click.Command:
        module, _, attribute = self.target.partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as missing:
            if str(missing.name).startswith("partialbatch"):
                raise
            raise click.ClickException(
                f"`partialbatch {name}` needs {missing.name}: pip install 'partialbatch[{self.extra}]'"
            ) from None
        return command


_COMMANDS = {
    "check": _Command(
        "partialbatch.cli.check:check",
        "Find what loses or repeats work in a deployed function, a template or a plan.",
    ),
    "demo": _Command(
        "partialbatch.cli.demo.command:demo",
        "Run handlers over local queues and streams; count what is lost.",
        "local,pydantic",
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
