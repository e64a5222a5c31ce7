"""Runs the benchmarks, prints the table, and writes it as JSON on request."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import pyperf

from .table import render

PARTS = ("startup", "records", "memory", "concurrency", "producers", "endtoend", "resume")
MODULES = [name for name in PARTS if find_spec(f"benchmarks.{name}")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MODULES, help="run this part alone; may be repeated")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the rows and the machine's data there")
    options = parser.parse_args()
    rows = [entry for module in options.only or MODULES for entry in _run(module)]
    print(render(rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": _machine(), "rows": rows}, indent=2, ensure_ascii=False) + "\n")
    missed = sum(entry["ok"] is False for entry in rows)
    print(
        f"\n{missed} of {sum(entry['ok'] is not None for entry in rows)} targets missed"
        if missed
        else "\nevery target met"
    )
    return 0


def _run(module: str) -> list[dict[str, Any]]:
    start = perf_counter()
    rows: list[dict[str, Any]] = import_module(f".{module}", __package__).run()
    print(f"{module}: {perf_counter() - start:.0f} s", file=sys.stderr)
    return rows


def _machine() -> dict[str, Any]:
    """Return pyperf's description of this machine and this Python."""
    return pyperf.Run([1.0], collect_metadata=True).get_metadata()


if __name__ == "__main__":
    sys.exit(main())
