"""``partialbatch simulate``: compare the cost of error policies before you go to production."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any

import click

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.option_types import FilePath
from partialbatch.errors import ConfigurationError, listing
from partialbatch.testing._comparison import POLICIES, SOURCES, Figures, Load, compare, usual_groups

__all__ = ["simulate"]

_OWN = {
    "max_receive_count": ("sqs", "fifo"),
    "retries": ("kinesis", "dynamodb", "kafka"),
    "bisect": ("kinesis", "dynamodb"),
    "shards": ("kinesis", "dynamodb"),
}
"""Options that only some sources have."""
_COLUMNS = (
    ("policy", "policy"),
    ("invocations", "invocations"),
    ("delivered", "delivered"),
    ("duplicated", "duplicated"),
    ("seconds", "drained in"),
    ("in_order", "in order"),
    ("dead_lettered", "dead-lettered"),
    ("lost", "lost"),
)


@click.command()
@click.option("--source", type=click.Choice(SOURCES), default="sqs", show_default=True, help="The event source.")
@click.option("--records", type=int, default=1_000, show_default=True, help="Number of records.")
@click.option(
    "--groups", type=int, help="Number of groups, keys or partitions.  [default: 20; fifo: one per 4 records]"
)
@click.option("--batch-size", type=int, help="Records per invocation.  [default: 10; streams and Kafka: 100]")
@click.option("--failure-rate", type=float, default=0.01, show_default=True, help="Probability that an attempt fails.")
@click.option("--poison", type=int, default=0, show_default=True, help="Number of records that always fail.")
@click.option(
    "--record-seconds", type=float, default=0.01, show_default=True, help="Virtual seconds that a record takes."
)
@click.option(
    "--max-receive-count",
    type=click.IntRange(0, 1_000),
    default=5,
    show_default=True,
    help="SQS: maxReceiveCount of the redrive policy; 0 for no redrive policy.",
)
@click.option(
    "--retries",
    type=click.IntRange(-1, 10_000),
    default=10,
    show_default=True,
    help="Streams, Kafka: maximum number of retries; -1 for no limit.",
)
@click.option("--bisect", is_flag=True, help="Streams: set BisectBatchOnFunctionError.")
@click.option("--shards", type=int, default=1, show_default=True, help="Streams: number of shards.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random numbers.")
@click.option(
    "--policy", default=",".join(POLICIES), show_default=True, help="Error policies to compare, separated by commas."
)
@click.option(
    "--plot",
    type=FilePath(dir_okay=False, writable=True),
    help="Draw a chart of the figures into a file: .svg, .png or .pdf.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def simulate(policy: str, plot: str | None, as_json: bool, **settings: Any) -> None:
    """Run a synthetic load under several error policies and compare the results.

    Ends with 1 if a policy lost records, and with 2 if an option has an impossible value or the
    chart can't be drawn.
    """
    _refuse(settings["source"])
    if plot is not None:
        _check_plot(plot)
    try:
        load = _load(**settings)
        figures = compare(load, [name.strip() for name in policy.split(",")])
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    click.echo(json.dumps(_told(load, figures), indent=2) if as_json else _text(load, figures))
    if plot is not None:
        _draw(load, figures, plot)
    if any(entry.lost for entry in figures):
        raise SystemExit(1)


def _refuse(source: str) -> None:
    """Refuse options that the source does not have."""
    context = click.get_current_context()
    for option, sources in _OWN.items():
        given = context.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT
        if given and source not in sources:
            raise click.UsageError(f"--{option.replace('_', '-')} is for {listing(sources)}, not for {source}")


def _load(*, batch_size: int | None, groups: int | None, max_receive_count: int, retries: int, **settings: Any) -> Load:
    usual = 10 if settings["source"] in ("sqs", "fifo") else 100
    return Load(
        groups=usual_groups(settings["source"], settings["records"]) if groups is None else groups,
        batch_size=usual if batch_size is None else batch_size,
        max_receive_count=max_receive_count or None,
        maximum_retry_attempts=retries,
        **settings,
    )


def _told(load: Load, figures: list[Figures]) -> dict[str, Any]:
    return {"load": asdict(load), "policies": [asdict(entry) for entry in figures]}


def _text(load: Load, figures: list[Figures]) -> str:
    title, lines = _title(load), _table(figures)
    if sys.stdout.isatty():
        columns = get_terminal_size().columns
        title = fill(title, columns)
        if max(map(len, lines)) > columns:
            lines = _stacked(figures)
    left = [f"{entry.policy}: {entry.remaining:,} records were left" for entry in figures if entry.remaining]
    return "\n".join([title, "", *lines, *left])


def _table(figures: list[Figures]) -> list[str]:
    rows = [[title for _, title in _COLUMNS], *([_cell(entry, name) for name, _ in _COLUMNS] for entry in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _stacked(figures: list[Figures]) -> list[str]:
    """Return one line per figure, for terminals that are too narrow for the table."""
    lines = []
    for entry in figures:
        lines += [entry.policy, *(f"  {title:<15}{_cell(entry, name)}" for name, title in _COLUMNS[1:]), ""]
    return lines


def _cell(entry: Figures, name: str) -> str:
    value = getattr(entry, name)
    if name == "in_order":
        return f"{value:,} of {entry.groups:,} groups" if entry.groups else "no order"
    if name == "seconds":
        return f"{value:,.1f} s"
    return value if isinstance(value, str) else f"{value:,}"


def _title(load: Load) -> str:
    return (
        f"{load.source}: {load.records:,} records in batches of {load.batch_size:,}, "
        f"{load.failure_rate:.2%} of the attempts fail, {load.poison} poison (virtual time)"
    )


def _check_plot(path: str) -> None:
    """Refuse a chart that can't be drawn, before the simulation runs."""
    from partialbatch.testing._plot import endings  # loads matplotlib

    try:
        known = endings()
    except ImportError:
        raise CommandError("--plot needs matplotlib: pip install 'partialbatch[plot]'") from None
    ending, folder = Path(path).suffix.lower(), Path(path).parent
    if ending not in known:
        raise CommandError(
            f"--plot {path}: {ending or 'a name without ending'} isn't a known format; use {', '.join(known)}"
        )
    if not folder.is_dir():
        raise CommandError(f"--plot: there is no folder {folder}")


def _draw(load: Load, figures: list[Figures], path: str) -> None:
    from partialbatch.testing._plot import draw  # loads matplotlib

    try:
        draw(_title(load), figures, path)
    except (OSError, ValueError) as error:
        raise CommandError(f"--plot {path}: {error}") from None
