"""Run the benchmarks, print the table, and write it as JSON or into a page of the documentation where asked."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from . import page, parts
from .machine import describe, metadata
from .runtime import as_in_lambda
from .table import render

if TYPE_CHECKING:
    from collections.abc import Iterable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these parts or rows alone; see --list")
    parser.add_argument("--list", action="store_true", help="list the names of all parts and rows, and end")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the rows and the machine's data there")
    parser.add_argument("--rst", type=Path, metavar="PATH", help="write all rows into that page of the documentation")
    options = parser.parse_args()
    if options.list:
        print(parts.listing())
        return 0
    if options.rst and options.only:
        parser.error("--rst publishes all rows: leave out --only")
    try:
        wanted = parts.select(options.only)
    except LookupError as error:
        parser.error(str(error))
    machine = describe()
    measured = {part: list(_run(part, rows)) for part, rows in wanted.items()}
    rows = [entry for entries in measured.values() for entry in entries]
    print(f"{machine}\n\n{render(rows)}\n\n{_verdict(rows)}")
    if options.json:
        options.json.write_text(json.dumps({"machine": metadata(), "rows": rows}, indent=2, ensure_ascii=False) + "\n")
    if options.rst:
        page.write(options.rst, machine, measured)
    return 0


def _run(part: str, rows: Iterable[Any]) -> list[dict[str, Any]]:
    start = perf_counter()
    measured = list(parts.module(part).run(rows))
    print(f"{part}: {perf_counter() - start:.0f} s", file=sys.stderr)
    return measured


def _verdict(rows: list[dict[str, Any]]) -> str:
    missed = sum(entry["ok"] is False for entry in rows)
    bounds = sum(entry["ok"] is not None for entry in rows)
    return f"{missed} of {bounds} bounds missed" if missed else "every bound met"


if __name__ == "__main__":
    as_in_lambda()
    sys.exit(main())
