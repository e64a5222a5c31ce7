"""The rows that every benchmark returns, and the one table they are printed in.

A row is a dict with these keys:

- ``name``: what was measured, in a few words.
- ``ours``, ``peer``: the two figures, in ``unit``.
- ``unit``: ``"µs"``, ``"ms"``, ``"s"``, ``"MB"``, ...
- ``against``: who the peer is.
- ``ratio``: ours / peer.
- ``target``: the bound of the ratio; None where the row only informs.
- ``ok``: whether the bound holds; None without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

POWERTOOLS = "Powertools"
BARE_LOOP = "bare loop"


def row(
    name: str, ours: float, peer: float, *, unit: str, target: float | None = None, against: str = POWERTOOLS
) -> dict[str, Any]:
    """Make a row: what we take, what the peer takes, and at most how much of it we may take."""
    ratio = ours / peer if peer else float(ours > 0)
    return {
        "name": name,
        "ours": ours,
        "peer": peer,
        "unit": unit,
        "against": against,
        "ratio": ratio,
        "target": target,
        "ok": None if target is None else ratio <= target,
    }


def render(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table as text, one line a row."""
    head = ("", "ours", "peer", "unit", "against", "ratio", "at most", "")
    lines = [head, *(_cells(entry) for entry in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(_line(line, widths) for line in lines)


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    target = entry["target"]
    verdict = {None: "", True: "ok", False: "MISS"}[entry["ok"]]
    return (
        entry["name"],
        f"{entry['ours']:.3f}",
        f"{entry['peer']:.3f}",
        entry["unit"],
        entry.get("against", ""),
        f"{entry['ratio']:.3f}",
        "" if target is None else f"{target:.3f}",
        verdict,
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    words = {0, 3, 4, 7}
    padded = (
        text.ljust(width) if column in words else text.rjust(width)
        for column, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
