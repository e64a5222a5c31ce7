"""Writes the tables of options in README.rst and docs/reference.rst: ``make tables``.

Their one source is the docstring of `batch_handler`, which editors show.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import NamedTuple

from partialbatch import batch_handler

ROOT = Path(__file__).parents[1]
PAGES = {
    "source": "sources",
    "error_policy": "policies",
    "max_concurrency": "concurrency",
    "deadline_margin": "concurrency",
    "record_timeout": "concurrency",
    "model": "records",
    "envelope": "records",
    "permanent": "retries",
    "dead_letter": "retries",
    "retry_delay": "retries",
    "resume": "retries",
    "sink": "producers",
    "window_end": "policies",
    "hooks": "hooks",
}
"""The page that has more on an option."""


class Option(NamedTuple):
    """An option as its docstring describes it, in reStructuredText."""

    name: str
    summary: str
    details: str
    values: str
    default: str
    sources: str
    variable: str
    variable_values: str

    @property
    def label(self) -> str:
        """The name, marked if the option can be set in the environment."""
        return f"``{self.name}`` (E)" if self.variable else f"``{self.name}``"


def options() -> list[Option]:
    """Read the options from the docstring."""
    docstring = inspect.getdoc(batch_handler) or ""
    section = re.split(r"\n(?=\w[^\n]*:\n)", docstring.split("Keyword Args:\n")[1])[0]
    entries = re.split(r"^    (?=\w+: )", section, flags=re.MULTILINE)[1:]
    return [_option(" ".join(entry.split())) for entry in entries]


def _option(entry: str) -> Option:
    parts = re.split(r" (Values|Default|Sources|Environment): ", re.sub(r"(?<!`)`(\w+)`(?!`)", r"``\1``", entry))
    name, text = parts[0].split(": ", 1)
    labelled = {label: value.removesuffix(".") for label, value in zip(parts[1::2], parts[2::2], strict=True)}
    summary, _, details = text.partition(". ")
    variable, _, values = labelled.get("Environment", "").partition(": ")
    return Option(
        *(name, summary.removesuffix("."), details),
        *(labelled["Values"], labelled["Default"], labelled.get("Sources", "all"), variable, values),
    )


def short_table() -> str:
    """Return the table of the README: a line for each option."""
    rows = [(each.label, each.default.partition(",")[0], _lower(each.summary)) for each in options()]
    return _simple_table([("Option", "Default", "Meaning"), *rows])


def full_table() -> str:
    """Return the table of the reference."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 18 42 28 12", ""]
    for row in [("Option", "Meaning", "Values and default", "Sources"), *map(_full_row, options())]:
        lines += [f"   {'*' if cell is row[0] else ' '} - {cell}".rstrip() for cell in row]
    return "\n".join(lines)


def _full_row(each: Option) -> tuple[str, str, str, str]:
    more = f"See :doc:`{PAGES[each.name]}`." if each.name in PAGES else ""
    meaning = " ".join(filter(None, (f"{each.summary}.", each.details, more)))
    values = f"{each.values[0].upper()}{each.values[1:]}. Default: {each.default}."
    return each.label, meaning, values, each.sources


def variable_table() -> str:
    """Return the table of environment variables."""
    rows = [(each.variable, each.variable_values) for each in options() if each.variable]
    return _simple_table([("Variable", "Values"), *rows])


def _lower(text: str) -> str:
    return text if text[1].isupper() else text[0].lower() + text[1:]


def _simple_table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    head, *body = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join((rule, head, rule, *body, rule))


TABLES = {
    "README.rst": {r"^=+  =+  =+\nOption ": short_table},
    "docs/reference.rst": {
        r"^\.\. list-table::\n   :header-rows: 1\n   :widths: 18 ": full_table,
        r"^=+  =+\nVariable ": variable_table,
    },
}
"""The files that have tables, and how each table begins. It ends at a line that isn't indented after a blank one."""


def written(name: str, text: str) -> str:
    """Return a file's text with its tables as they should be now."""
    for begin, make in TABLES[name].items():
        table = re.compile(begin + r".*?(?=\n\n\S|\n\Z)", re.MULTILINE | re.DOTALL)
        before, after = table.split(text)
        text = f"{before}{make()}{after}"
    return text


if __name__ == "__main__":
    for name in TABLES:
        path = ROOT / name
        path.write_text(written(name, path.read_text()))
