"""What the demo shows at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from partialbatch.cli.demo.ledger import Tally
from partialbatch.cli.demo.view import closing

TALLIES = [
    Tally(
        source=source,
        records=40,
        invocations=8,
        handled=38,
        retried=6,
        dead_lettered=2,
        lost=(),
        duplicated_work=25,
    )
    for source in ("SQS FIFO queue", "DynamoDB stream")
]


@pytest.mark.parametrize("columns", [40, 78, 79, 200])
def test_every_figure_is_shown(columns):
    """No figure is cut, however narrow the terminal: where the table does not fit there are lines."""
    file = io.StringIO()
    closing(Console(file=file, width=columns), TALLIES, [], report=True)
    shown = file.getvalue().partition("Nothing")[0]
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    numbers = [word for word in shown.split() if word.isdecimal()]
    assert numbers == [*["40", "8", "38", "6", "2", "0", "25"] * 2, "80", "16", "76", "12", "4", "0", "50"]
    assert "DynamoDB stream" in " ".join(shown.split())
