"""The snippets of the page on deployment: valid, and alike in what keeps records from getting lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cfnlint.api import lint_file

ROOT = Path(__file__).parents[2]
SNIPPETS = ROOT / "docs" / "deployment"


def test_the_alarms_are_a_template():
    """cfn-lint finds nothing in the alarms."""
    assert lint_file(SNIPPETS / "alarms.yaml") == []


@pytest.mark.parametrize(
    ("path", "reports"),
    [
        (ROOT / "examples" / "sqs" / "template.yaml", r"FunctionResponseTypes: \[ReportBatchItemFailures\]"),
        (SNIPPETS / "cdk_stack.py", r"report_batch_item_failures=True"),
        (SNIPPETS / "queue.tf", r'function_response_types = \["ReportBatchItemFailures"\]'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_three_ways_set_the_same(path, reports):
    """SAM, CDK and Terraform ask for the response, six times the timeout, five receives and a dead-letter queue."""
    text = path.read_text()
    assert re.search(reports, text)
    visibility = int(re.search(r"visibility_?timeout\w*\W+(?:Duration\.seconds\()?(\d+)", text, re.IGNORECASE)[1])
    timeout = int(re.search(r"^ +timeout\W+(?:Duration\.seconds\()?(\d+)", text, re.IGNORECASE | re.MULTILINE)[1])
    assert visibility == 6 * timeout
    assert int(re.search(r"max_?receive_?count\W+(\d+)", text, re.IGNORECASE)[1]) >= 5
    assert re.search(r"dead_?letter", text, re.IGNORECASE)


def test_the_snippets_are_all_shown():
    """Every snippet stands on a page."""
    pages = "".join(path.read_text() for path in SNIPPETS.parent.glob("*.rst"))
    assert [path.name for path in SNIPPETS.iterdir() if f"deployment/{path.name}" not in pages] == []
