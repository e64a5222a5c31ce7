"""The rows that every benchmark defines and measures, and the tables they are shown in."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

POWERTOOLS = "Powertools"
HEAD = ("Row", "Ours", "Peer", "Bare loop", "Unit", "Peer is", "Ratio", "At most", "")


@dataclass(frozen=True)
class Row:
    """A row before it is measured.

    Attributes:
        key: A short name, for ``--only``.
        name: What is measured, in a few words.
        unit: The unit of the figures: ``"µs"``, ``"ms"``, ``"s"``, ``"MB"``, ...
        target: The most that ours may be of the peer's; None where the row only informs.
        against: Who the peer is.
    """

    key: str
    name: str
    unit: str = "µs"
    target: float | None = None
    against: str = POWERTOOLS

    def measured(
        self, ours: float, peer: float, floor: float | None = None, ratio: float | None = None
    ) -> dict[str, Any]:
        """Return the row with its figures.

        Args:
            ours: Our figure.
            peer: The peer's figure.
            floor: The figure of a bare loop, where there is one.
            ratio: The median of the ratios of all rounds; by default the ratio of the two figures.
        """
        if ratio is None:
            ratio = ours / peer if peer else float(ours > 0)
        return {
            "key": self.key,
            "name": self.name,
            "ours": ours,
            "peer": peer,
            "floor": floor,
            "unit": self.unit,
            "against": self.against,
            "ratio": ratio,
            "target": self.target,
            "ok": None if self.target is None else ratio <= self.target,
        }


def by_key(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.key: row for row in rows}


def render(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table as text, one line a row."""
    lines = [HEAD, *(_cells(entry) for entry in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(_line(line, widths) for line in lines)


def rst(title: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return the table as reStructuredText, under a title."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_cells(entry) for entry in rows)
    content = "".join(f"    {line}\n" for line in text.getvalue().splitlines())
    header = ", ".join(f'"{cell}"' for cell in HEAD)
    underline = "~" * len(title)
    return f"{title}\n{underline}\n\n.. csv-table::\n    :header: {header}\n    :class: figures\n\n{content}"


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        entry["name"],
        _number(entry["ours"]),
        _number(entry["peer"]),
        _number(entry["floor"]),
        entry["unit"],
        entry["against"],
        f"{entry['ratio']:.3f}",
        bound(entry["target"]),
        {None: "", True: "ok", False: "missed"}[entry["ok"]],
    )


def bound(target: float | None) -> str:
    return "" if target is None else f"{target:.2f}"


def _number(value: float | None) -> str:
    """Show three digits: more would be noise."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    words = {0, 4, 5, 8}
    padded = (
        text.ljust(width) if column in words else text.rjust(width)
        for column, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
