"""Prints findings as text, as JSON or as AWS CLI commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from partialbatch.cli.check.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.cli.check.findings import Finding

__all__ = ["as_commands", "as_json", "show"]

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.UNKNOWN: "bold cyan"}


def show(findings: Sequence[Finding], mappings: int, console: Console | None = None) -> None:
    """Print findings as text."""
    console = console or Console(highlight=False, soft_wrap=False)
    for finding in findings:
        style = _STYLES[finding.severity]
        head = Text.assemble((str(finding.severity), style), "  ", (finding.rule, "bold"), "  ", str(finding.place))
        console.print(head)
        console.print(Padding(Text(finding.message), (0, 0, 0, 4)))
        if finding.add:
            for line in finding.add.splitlines():
                console.print(Text(f"    add: {line}", "green"), soft_wrap=True)
        console.print()
    console.print(Text(_summary(findings, mappings)), soft_wrap=True)


def _summary(findings: Sequence[Finding], mappings: int) -> str:
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in Severity}
    if not mappings:
        return "No event source mapping and no pipe to a function was found, so nothing was checked."
    parts = [_counted(counts[severity], str(severity)) for severity in (Severity.ERROR, Severity.WARNING)]
    return f"{_counted(mappings, 'event source')} checked: {', '.join(parts)}, {counts[Severity.UNKNOWN]} unknown."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def as_json(findings: Sequence[Finding], mappings: int) -> str:
    """Return findings as JSON."""
    return json.dumps({"event_sources": mappings, "findings": [_plain(finding) for finding in findings]}, indent=2)


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "where": finding.place.label,
        "file": finding.place.file,
        "line": finding.place.line,
        "message": finding.message,
        "add": finding.add,
        "fix": finding.fix,
    }


def as_commands(findings: Sequence[Finding]) -> str:
    """Return AWS CLI commands, each once, below comments with the findings it fixes.

    Findings that no command can fix are comments only.
    """
    fixed: dict[str, list[str]] = {}
    for finding in findings:
        if finding.change:
            command = finding.fix or f"# in the code: batch_handler({finding.add})"
            fixed.setdefault(command, []).append(f"# {finding.severity}: {finding.rule}, {finding.place}")
    return "\n".join(line for command, heads in fixed.items() for line in (*heads, command))
