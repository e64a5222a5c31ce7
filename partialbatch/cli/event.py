"""``partialbatch event``: print sample events to try handlers on."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.json import JSON

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.option_types import OpenFile
from partialbatch.errors import ConfigurationError
from partialbatch.testing._events import (
    dynamodb_event,
    kafka_event,
    kinesis_event,
    pipes_event,
    sqs_event,
)
from partialbatch.testing._limits import BATCH_LIMIT, FIFO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["event"]

_SOURCES = ("sqs", "kinesis", "dynamodb", "kafka")
_OWN = {
    "fifo": ("sqs",),
    "receive_count": ("sqs",),
    "window": ("kinesis", "dynamodb"),
    "self_managed": ("kafka",),
}
"""Options that only some sources have."""


@dataclass(frozen=True, slots=True)
class _EventSettings:
    """The event to make."""

    payloads: Sequence[Any]
    groups: int | None
    name: str
    fifo: bool
    receive_count: int
    window: bool
    self_managed: bool

    def group(self, number: int) -> str:
        """Return the name of a record's group. The records are dealt out to the groups in turn."""
        return f"group-{number % (self.groups or 1)}"

    @property
    def group_names(self) -> list[str] | None:
        return None if self.groups is None else [self.group(number) for number in range(len(self.payloads))]


@click.command()
@click.argument("source", type=click.Choice(_SOURCES))
@click.option("--records", "-n", type=click.IntRange(0), help="Number of records.  [default: 3]")
@click.option(
    "--groups",
    type=click.IntRange(1),
    help="Number of message groups, partition keys, items or partitions; the records are dealt out to them in turn.",
)
@click.option("--fifo", is_flag=True, help="SQS: make an event from a FIFO queue (at most 10 messages).")
@click.option(
    "--receive-count",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="SQS: ApproximateReceiveCount of every message.",
)
@click.option("--window", is_flag=True, help="Kinesis, DynamoDB: make an event of a tumbling window.")
@click.option("--self-managed", is_flag=True, help="Kafka: make an event from a self-managed cluster.")
@click.option("--pipes", is_flag=True, help="Make the event that EventBridge Pipes sends: a bare list.")
@click.option("--name", default="orders", show_default=True, help="Name of the queue, stream, table or topic.")
@click.option(
    "--payloads",
    type=OpenFile(encoding="utf-8"),
    help="File with one payload per line, text or JSON (DynamoDB: an item); - is standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the event on one line, without colours.")
def event(
    *,
    source: str,
    records: int | None,
    payloads: Any,
    pipes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Print a sample event. The same options always print the same event.

    \b
      partialbatch event sqs -n 10 --fifo --groups 3 > event.json
      partialbatch invoke app:handler event.json
    """
    _check(source, pipes=pipes, options=options)
    wanted = _EventSettings(payloads=_payloads(source, records, payloads, options["groups"]), **options)
    limit, where = (FIFO_LIMIT, "a FIFO queue") if wanted.fifo else (BATCH_LIMIT, source)
    count = len(wanted.payloads)
    if count > limit:
        raise CommandError(f"{count:,} records are too many: a batch from {where} holds at most {limit:,}")
    if pipes and not count:
        raise click.UsageError("--pipes needs at least one record: EventBridge Pipes sends no empty batches")
    try:
        made: Any = _MAKERS[source](wanted)
        made = pipes_event(made) if pipes else made
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    if as_json:
        click.echo(json.dumps(made))
    elif sys.stdout.isatty():
        Console().print(JSON(json.dumps(made)), soft_wrap=True)  # hard line breaks would be copied with the text
    else:
        click.echo(json.dumps(made, indent=2))


def _check(source: str, *, pipes: bool, options: dict[str, Any]) -> None:
    """Refuse options that the source does not have."""
    context = click.get_current_context()
    for option, sources in _OWN.items():
        given = context.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT
        if given and source not in sources:
            raise click.UsageError(f"--{option.replace('_', '-')} is for {' and '.join(sources)}, not for {source}")
    if pipes and options["window"]:
        raise click.UsageError("--window can't be combined with --pipes: EventBridge Pipes has no tumbling windows")


def _payloads(source: str, records: int | None, file: Any, groups: int | None) -> list[Any]:
    """Return the payloads from a file, or made-up orders without one."""
    if file is None:
        count = 3 if records is None else records
        return [{"id": f"order-{_item(source, number, groups)}", "amount": number + 1} for number in range(count)]
    try:
        # splitlines() would also split at U+2028 and the like, which JSON may hold unescaped.
        lines = [line for line in file.read().split("\n") if line.strip()]
    except UnicodeDecodeError:
        raise CommandError("--payloads: the file isn't UTF-8 text") from None
    if records is not None and records > len(lines):
        raise CommandError(f"--records {records} is too many: --payloads has {len(lines)} lines")
    lines = lines[:records]
    return [_item_of(number, line) for number, line in enumerate(lines, 1)] if source == "dynamodb" else lines


def _item(source: str, number: int, groups: int | None) -> int:
    """Return the number of a record's order. A table's stream has several changes of one item."""
    return number % groups if source == "dynamodb" and groups else number


def _item_of(number: int, line: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
    except ValueError:
        item = None
    if not isinstance(item, dict):
        raise CommandError(f"--payloads: line {number} isn't a table item; write a JSON object with an 'id'")
    return item


def _sqs(wanted: _EventSettings) -> Any:
    return sqs_event(
        wanted.payloads,
        fifo=wanted.fifo,
        groups=wanted.group_names,
        queue=wanted.name,
        receive_counts=wanted.receive_count,
    )


def _kinesis(wanted: _EventSettings) -> Any:
    return kinesis_event(
        wanted.payloads,
        partition_keys=wanted.group_names,
        stream=wanted.name,
        window={} if wanted.window else None,
    )


def _dynamodb(wanted: _EventSettings) -> Any:
    """Make a stream in which the first record of an item inserts it, and the later ones modify it."""
    items: dict[str, Any] = {}
    changes = []
    for item in wanted.payloads:
        key = json.dumps(item.get("id"))
        changes.append((items.get(key), item))
        items[key] = item
    return dynamodb_event(changes, table=wanted.name, window={} if wanted.window else None)


def _kafka(wanted: _EventSettings) -> Any:
    partitions: dict[str, list[Any]] = {}
    for number, payload in enumerate(wanted.payloads):
        partition = number % (wanted.groups or 1)
        partitions.setdefault(f"{wanted.name}-{partition}", []).append((f"key-{number}", payload))
    return kafka_event(partitions, self_managed=wanted.self_managed)


_MAKERS = {"sqs": _sqs, "kinesis": _kinesis, "dynamodb": _dynamodb, "kafka": _kafka}
