"""The rules of ``partialbatch check`` for cfn-lint: ``cfn-lint template.yaml -a partialbatch.cli.cfn_rules``.

Put the template first: cfn-lint takes every word after ``-a`` for a module with rules. Errors are E97nn,
warnings are W97nn. Settings that can't be determined are I97nn, which cfn-lint only shows with ``-c I``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from cfnlint.rules import CloudFormationLintRule, RuleMatch

from partialbatch.cli.check import cloudformation
from partialbatch.cli.check.findings import Severity
from partialbatch.cli.check.handler_options import from_environment
from partialbatch.cli.check.rules import NOT_CHECKED, RULES, check, not_checked
from partialbatch.cli.check.stacks import Stack

if TYPE_CHECKING:
    from cfnlint.template import Template

    from partialbatch.cli.check.findings import Finding
    from partialbatch.cli.check.model import Mapping

_RULES = {**RULES, NOT_CHECKED: not_checked}
_LETTERS = {Severity.ERROR: "E", Severity.WARNING: "W", Severity.UNKNOWN: "I"}


def _make(number: int, name: str, severity: Severity) -> type:
    """Make the rule class for one rule and severity. cfn-lint takes the severity from the first letter of the id."""

    def match(_self: object, cfn: Template) -> list[RuleMatch]:
        findings = [each for each in _findings(cfn) if (each.rule, each.severity) == (name, severity)]
        return [RuleMatch(list(each.place.path), each.message + _line(each.add)) for each in findings]

    summary = (_RULES[name].__doc__ or "").partition("\n")[0]
    attributes = {
        "id": f"{_LETTERS[severity]}97{number:02}",
        "shortdesc": f"partialbatch: {name}",
        "description": summary,
        "tags": ["lambda", "partialbatch"],
        "match": match,
    }
    return type(f"Rule{attributes['id']}", (CloudFormationLintRule,), attributes)


@lru_cache(maxsize=1)
def _findings(cfn: Template) -> list[Finding]:
    """Check a template, once for all rules."""
    found = cloudformation.read([Stack(cfn)])
    known = [_with_options(each) for each in found.mappings]
    return check(replace(found, mappings=tuple(known)))


def _with_options(mapping: Mapping) -> Mapping:
    """Read the options from the environment only, because a linter must not import the user's code."""
    return replace(mapping, function=replace(mapping.function, options=from_environment(mapping.function)))


def _line(add: str | None) -> str:
    return f" Add: {add}" if add else ""


# cfn-lint finds the rule classes by their names in this module.
globals().update(
    {
        made.__name__: made
        for number, name in enumerate(_RULES, start=1)
        for severity in Severity
        for made in (_make(number, name, severity),)
    }
)
