"""The rows that every benchmark returns, and the one table they are printed in.

A row is a dict with these keys:

- ``name``: what was measured, in a few words.
- ``ours``, ``peer``: the two figures, in ``unit``.
- ``floor``: what a bare loop takes, in the same unit; None where there is no such thing.
- ``unit``: ``"µs"``, ``"ms"``, ``"s"``, ``"MB"``, ...
- ``against``: who the peer is.
- ``ratio``: ours / peer.
- ``target``: the bound of the ratio; None where the row only informs.
- ``ok``: whether the bound holds; None without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

POWERTOOLS = "Powertools"


def row(
    name: str, figures: Sequence[float], unit: str, target: float | None = None, against: str = POWERTOOLS
) -> dict[str, Any]:
    """Make a row of what we take, what the peer takes and, where there is one, what a bare loop takes.

    Args:
        name: What was measured.
        figures: Ours, the peer's, and the bare loop's where there is one.
        unit: Their unit.
        target: The most that ours may be of the peer's; None where the row only informs.
        against: Who the peer is.
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
    """Return the table as text, one line a row."""
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
