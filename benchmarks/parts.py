"""The parts of the benchmarks: each a module with ``ROWS``, and ``run(rows)`` that measures some of them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table import Row

TITLES = {
    "records": "Records and batches",
    "stages": "One option more",
    "invocation": "A whole invocation",
    "startup": "Cold start",
    "concurrency": "Records side by side",
    "memory": "Memory",
    "producers": "Producers",
    "endtoend": "Delivering to a sink",
}
"""The modules in the order in which they run, and the titles of their tables."""


def module(part: str) -> Any:
    return import_module(f".{part}", __package__)


def definitions() -> dict[str, tuple[Row, ...]]:
    """Return the rows of each part."""
    return {part: module(part).ROWS for part in TITLES}


def select(names: Iterable[str] | None) -> dict[str, tuple[Row, ...]]:
    """Return the rows that are asked for, by part.

    Args:
        names: Names of parts or rows, which may hold wildcards; None for all rows.

    Raises:
        LookupError: A name fits no part and no row.
    """
    every = definitions()
    if names is None:
        return every
    chosen = {row.key for name in names for row in _fitting(name, every)}
    picked = {part: tuple(row for row in rows if row.key in chosen) for part, rows in every.items()}
    return {part: rows for part, rows in picked.items() if rows}


def _fitting(name: str, every: dict[str, tuple[Row, ...]]) -> list[Row]:
    found = [row for part, rows in every.items() for row in rows if name == part or fnmatchcase(row.key, name)]
    if not found:
        raise LookupError(f"no part and no row has the name {name!r}: see --list")
    return found


def listing() -> str:
    """Return the names of all parts and rows, a line each."""
    lines = []
    for part, rows in definitions().items():
        lines.append(f"{part}: {TITLES[part]}")
        lines += [f"    {row.key:28} {row.name}" for row in rows]
    return "\n".join(lines)
