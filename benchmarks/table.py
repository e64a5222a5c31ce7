"""The rows that every benchmark returns, and the table that shows them.

A row is a dict with these keys:

- ``name``: the measurement in a few words.
- ``ours``, ``peer``: the two figures, in ``unit``.
- ``floor``: the figure of a bare loop, in the same unit; None if there is none.
- ``unit``: ``"µs"``, ``"ms"``, ``"s"``, ``"MB"``, ...
- ``against``: the peer's name.
- ``ratio``: ours / peer.
- ``target``: the upper bound of the ratio; None if the row is only for information.
- ``ok``: whether the ratio is within the bound; None without a bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

POWERTOOLS = "Powertools"


def row(
    name: str, figures: Sequence[float], unit: str, target: float | None = None, against: str = POWERTOOLS
) -> dict[str, Any]:
    """Make a row from our figure, the peer's figure and, if there is one, that of a bare loop.

    Args:
        name: The measurement.
        figures: Our figure, the peer's, and the bare loop's if there is one.
        unit: Their unit.
        target: The upper bound of our figure divided by the peer's; None if the row is only for information.
        against: The peer's name.
    """
    ours, peer, floor = (*figures, None)[:3]
    ratio = ours / peer if peer else float(ours > 0)
    return {
        "name": name,
        "ours": ours,
        "peer": peer,
        "floor": floor,
        "unit": unit,
        "against": against,
        "ratio": ratio,
        "target": target,
        "ok": None if target is None else ratio <= target,
    }


def render(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table as text, with one line per row."""
    head = ("", "ours", "peer", "bare loop", "unit", "peer is", "ratio", "at most", "")
    lines = [head, *(_cells(entry) for entry in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(_line(line, widths) for line in lines)


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry["name"],
        _number(entry["ours"]),
        _number(entry["peer"]),
        _number(entry.get("floor")),
        entry["unit"],
        entry.get("against", ""),
        _number(entry["ratio"]),
        _number(entry["target"]),
        {None: "", True: "ok", False: "MISS"}[entry["ok"]],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    words = {0, 4, 5, 8}
    padded = (
        text.ljust(width) if column in words else text.rjust(width)
        for column, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
