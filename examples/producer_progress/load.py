"""Load a file of JSON lines into a DynamoDB table, with a progress bar.

    python load.py orders.jsonl orders --keys order_id

What the table did not take is written to a file beside the first, to be loaded again.
"""

import argparse
import json
from decimal import Decimal
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from partialbatch.producers import DynamoDBProducer


def load(path, table, keys, client=None):
    """Write each line of the file as an item; return the path of what was not taken, or None."""
    # Not splitlines(): inside a string JSON allows what that takes for the end of a line, U+2028 say.
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bars:
        task = bars.add_task(table, total=len(lines))

        def show(stats):
            """Move the bar; while the table throttles, say how fast it is written to."""
            pace = f" ({stats.rate:.0f} units/s)" if stats.rate else ""
            bars.update(task, completed=stats.records + stats.superseded, description=f"{table}{pace}")

        # The record is the line itself, so that what comes back can be kept as it was read.
        producer = DynamoDBProducer(
            table,
            keys=keys,
            workers=4,
            client=client,
            progress=show,
            serializer=lambda line: json.loads(line, parse_float=Decimal),
        )
        refused = []
        for line in lines:
            try:
                producer.put(line)
            except ValueError as error:  # no JSON, or no item that the table can have: the others go on
                refused.append((line, str(error)))
        refused += [(entry.record, entry.code or entry.reason) for entry in producer.flush()]
    return keep(path.with_suffix(".unprocessed.jsonl"), refused) if refused else None


def keep(path, refused):
    """Write the lines that were not taken, and say why."""
    path.write_text("".join(line + "\n" for line, _ in refused), encoding="utf-8")
    reasons = sorted({reason for _, reason in refused})
    print(f"{len(refused)} items were not taken ({', '.join(reasons)}): {path}")
    return path


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="a file with one JSON object a line")
    parser.add_argument("table", help="the table's name or ARN")
    parser.add_argument("--keys", nargs="+", required=True, help="the names of the table's key attributes")
    options = parser.parse_args()
    raise SystemExit(1 if load(options.path, options.table, options.keys) else 0)


if __name__ == "__main__":
    main()
