"""The command ``partialbatch poll``."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console

from partialbatch._backoff import Backoff
from partialbatch.cli.command_error import CommandError
from partialbatch.cli.loading import load_handler
from partialbatch.cli.option_types import FilePath, Seconds
from partialbatch.cli.output import output_aside
from partialbatch.cli.poll.checkpoints import Checkpoints
from partialbatch.cli.poll.clients import client_factory, naming_option
from partialbatch.cli.poll.display import CurrentStandardError, Display, JsonLines, LiveDisplay, PlainLines
from partialbatch.cli.poll.periodic import PeriodicTasks
from partialbatch.cli.poll.polled_sources import QueueSource, StreamSource, on_failure_sender
from partialbatch.cli.poll.running import PARENT, StopSignal, run
from partialbatch.cli.user_tracebacks import log_handler
from partialbatch.worker import QueueMapping, StreamMapping, dynamodb_shards, kinesis_shards

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from partialbatch.worker._handler_call import Handler

__all__ = ["poll"]

_SHORTEST = 0.001  # a LambdaContext counts milliseconds
_LONGEST = 900
_MOST = 10_000
_QUEUE_ONLY = ("visibility", "wait", "retry_after")
_STREAM_ONLY = ("checkpoints", "start", "bisect", "retries", "max_age", "on_failure", "backoff")


def _default(text: str) -> str:
    return f"  [default: {text}]"


@click.command()
@click.argument("target", metavar="MODULE:HANDLER")
@click.option("--queue", metavar="URL", help="Poll an SQS queue.")
@click.option("--stream", metavar="NAME", help="Poll a Kinesis stream, by its name or ARN.")
@click.option("--dynamodb-stream", metavar="ARN", help="Poll the stream of a DynamoDB table.")
@click.option("--endpoint-url", metavar="URL", help="URL of an emulator." + _default("AWS, or the queue's URL"))
@click.option("--region", help="The AWS region." + _default("the URL's or ARN's, the environment's or the profile's"))
@click.option(
    "--batch-size", type=click.IntRange(1, _MOST), help="Records per invocation." + _default("10; streams: 100")
)
@click.option(
    "--window", type=click.IntRange(0, 300), default=0, show_default=True, help="Seconds to wait for a full batch."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Number of batches that run at once.",
)
@click.option(
    "--timeout",
    type=Seconds(_SHORTEST, _LONGEST),
    default=30,
    show_default=True,
    help="The function's timeout in seconds. A later response counts as a failure.",
)
@click.option("--without-report", is_flag=True, help="Poll as if ReportBatchItemFailures were not set.")
@click.option(
    "--visibility",
    type=click.IntRange(1, 43_200),
    help="Queue: seconds until received messages become visible again."
    + _default("the queue's setting, extended while a batch runs longer"),
)
@click.option(
    "--wait",
    type=click.IntRange(0, 20),
    default=5,
    show_default=True,
    help="Queue: seconds of long polling. A signal to stop has to wait for its end.",
)
@click.option(
    "--retry-after",
    type=click.IntRange(0, 43_200),
    help="Queue: seconds until failed messages become visible again." + _default("the visibility timeout"),
)
@click.option(
    "--checkpoints",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Stream: file with the position, to continue after a restart." + _default("none; a restart starts over"),
)
@click.option(
    "--start",
    type=click.Choice(["oldest", "now"]),
    default="oldest",
    show_default=True,
    help="Stream: position to start from without a checkpoint.",
)
@click.option("--bisect", is_flag=True, help="Stream: split failed batches in two.")
@click.option(
    "--retries",
    type=click.IntRange(-1, _MOST),
    default=-1,
    show_default=True,
    help="Stream: number of retries before a batch is given up; -1 for no limit.",
)
@click.option(
    "--max-age",
    type=click.IntRange(-1, 604_800),
    default=-1,
    show_default=True,
    help="Stream: age in seconds at which a record is given up; -1 for no limit.",
)
@click.option(
    "--on-failure", metavar="URL", help="Stream: URL of the queue that gets the positions of given-up records."
)
@click.option(
    "--backoff",
    type=Seconds(0, 30),
    default=1,
    show_default=True,
    help="Stream: longest pause before the first retry, in seconds; doubles with each retry, up to 30 s.",
)
@click.option(
    "--patience",
    type=Seconds(0, 86_400),
    default=30,
    show_default=True,
    help="Seconds for which the service may be unavailable before the command ends.",
)
@click.option("--until-empty", is_flag=True, help="Stop when the queue or stream is empty.")
@click.option("--reload", "reloads", is_flag=True, help="Restart when a Python file changes.")
@click.option("--plain", is_flag=True, help="Print lines on a terminal, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--verbose", "-v", is_flag=True, help="Show all logs, on standard error.")
@click.pass_context
def poll(ctx: click.Context, /, target: str, **options: Any) -> None:
    """Poll a queue or a stream, and call a handler with its batches, as Lambda does.

    MODULE:HANDLER is a handler of @batch_handler, or a plain function (event, context); the
    module may be a file: src/app.py:handler. Its own output goes to standard error.

    On SIGINT and SIGTERM the current batch is finished, and received messages that did not start
    become visible again. No record is lost however the command ends, SIGKILL included: unfinished records are
    delivered again. Without --checkpoints, a stream is then read from its oldest record.

    Ends with 1 if records were given up with --until-empty, and with 2 if the handler, the
    queue, the stream or an option can't be used, or if an error ended the run.
    """
    _check_options(ctx, options)
    parent = os.environ.get(PARENT)
    stop = StopSignal(int(parent) if parent else None)
    if options["reloads"] and parent is None:
        from partialbatch.cli.poll.reloading import folder_of, supervise  # loads watchfiles

        sys.exit(supervise(folder_of(target), stop))
    logging.basicConfig(
        level=logging.INFO if options["verbose"] else logging.WARNING, handlers=[log_handler(CurrentStandardError())]
    )
    with stop.listening(), output_aside() as stdout:
        loaded = load_handler(target)
        source = _queue(loaded.handler, options) if options["queue"] else _stream(loaded.handler, options)
        display = _display(options, loaded.name, stdout)
        for note in filter(None, [loaded.note, getattr(source, "note", "")]):
            click.echo(f"Note: {note}.", err=True)
        display.show_event("polling", source=_source_name(options), handler=loaded.name)
        tasks = PeriodicTasks(options["concurrency"], options["patience"], display.waiting)
        run(source, tasks, display, stop, until_empty=options["until_empty"])


def _source_name(options: dict[str, Any]) -> str:
    return str(options["queue"] or options["stream"] or options["dynamodb_stream"])


def _check_options(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse options that can't be combined."""
    named = [name for name in ("queue", "stream", "dynamodb_stream") if options[name]]
    if len(named) != 1:
        raise click.UsageError("give one source: --queue, --stream or --dynamodb-stream")
    other, kind = (_STREAM_ONLY, "streams") if options["queue"] else (_QUEUE_ONLY, "queues")
    for name in other:
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {kind} only")
    if options["as_json"] and options["plain"]:
        raise click.UsageError("--json and --plain can't be combined")
    if options["queue"]:
        _check_queue_options(options)
    elif options["dynamodb_stream"] and not options["dynamodb_stream"].startswith("arn:"):
        raise CommandError("--dynamodb-stream takes the ARN of the stream (LatestStreamArn of the table)")


def _check_queue_options(options: dict[str, Any]) -> None:
    if not options["queue"].startswith(("http://", "https://")):
        raise CommandError("--queue takes the URL of the queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    if (options["batch_size"] or 0) > 10 and not options["window"]:  # a receive returns at most 10
        raise CommandError("--batch-size above 10 needs a --window of 1 or more")
    visibility, needed = options["visibility"], options["timeout"] + options["window"]
    if visibility is not None and visibility < needed:
        raise CommandError(
            f"--visibility {visibility} is shorter than --timeout and --window together ({needed:g}): "
            "messages would become visible again while they are handled"
        )


def _client(options: dict[str, Any]) -> Callable[[str], Any]:
    return client_factory(
        _source_name(options), region=options["region"], endpoint_url=options["endpoint_url"], wait=options["wait"]
    )


def _queue(handler: Handler, options: dict[str, Any]) -> QueueSource:
    url = options["queue"]
    mapping = QueueMapping(
        batch_size=options["batch_size"] or 10,
        window=options["window"],
        wait=options["wait"],
        timeout=options["timeout"],
        report=not options["without_report"],
        visibility=options["visibility"],
        give_back_after=options["retry_after"],
    )
    with naming_option("--queue", url):
        client = _client(options)("sqs")
    return QueueSource(client, url, handler, mapping, options["concurrency"])


def _stream(handler: Handler, options: dict[str, Any]) -> StreamSource:
    since = time() if options["start"] == "now" else None
    with naming_option("--stream" if options["stream"] else "--dynamodb-stream", _source_name(options)):
        make = _client(options)
        shards, arn, identity = (_kinesis if options["stream"] else _dynamodb)(make, _source_name(options))
        sqs = make("sqs")
    on_failure = on_failure_sender(sqs, options["on_failure"]) if options["on_failure"] else None
    checkpoints = Checkpoints(options["checkpoints"], identity, since)
    click.get_current_context().call_on_close(checkpoints.close)
    mapping = StreamMapping(
        batch_size=options["batch_size"] or 100,
        window=options["window"],
        timeout=options["timeout"],
        report=not options["without_report"],
        bisect=options["bisect"],
        maximum_retry_attempts=options["retries"],
        maximum_record_age=options["max_age"],
        on_failure=on_failure,
    )
    backoff = Backoff(options["backoff"], 30.0) if options["backoff"] else None
    return StreamSource(lambda: shards(arn, checkpoints.since), handler, mapping, checkpoints, backoff)


def _kinesis(make: Callable[[str], Any], name: str) -> tuple[Callable[..., Any], str, str]:
    client = make("kinesis")
    own = None if name.startswith("arn:") else name
    stream = {"StreamName": own} if own else {"StreamARN": name}
    summary = client.describe_stream_summary(**stream)["StreamDescriptionSummary"]
    # If a stream is deleted and made again, its sequence numbers start over, and old checkpoints would skip records.
    created = summary["StreamCreationTimestamp"].astimezone(UTC)
    arn = summary["StreamARN"]
    readers = partial(kinesis_shards, client, name=own)
    return readers, arn, f"{arn} of {created:%Y-%m-%dT%H:%M:%SZ}"


def _dynamodb(make: Callable[[str], Any], arn: str) -> tuple[Callable[..., Any], str, str]:
    client = make("dynamodbstreams")
    client.describe_stream(StreamArn=arn, Limit=1)
    return partial(dynamodb_shards, client), arn, arn


def _display(options: dict[str, Any], handler: str, stdout: TextIO) -> Display:
    if options["as_json"]:
        return JsonLines(stdout)
    if stdout.isatty() and not options["plain"]:
        return LiveDisplay(Console(file=stdout), f"{handler}  {_source_name(options).rpartition('/')[2]}")
    return PlainLines(stdout)
