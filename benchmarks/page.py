"""The page of the documentation that publishes the table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from .parts import TITLES
from .table import rst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

BEGIN, END = (
    ".. Measured by make bench-docs, which writes all up to the next comment.\n",
    ".. End of what was measured.\n",
)


def write(path: Path, machine: str, measured: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    """Replace the tables of a page, which stand between two comments."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{path} has no place for the tables, between the comments {BEGIN!r} and {END!r}")
    tables = "\n".join(rst(TITLES[part], rows) for part, rows in measured.items())
    words = textwrap.fill(machine, 120, break_on_hyphens=False)
    path.write_text(f"{before}{BEGIN}\n{words}\n\n{tables}\n{END}{after}", encoding="utf-8")
