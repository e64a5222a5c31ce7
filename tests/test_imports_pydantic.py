"""When pydantic is loaded."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import partialbatch
assert "pydantic" not in sys.modules
@partialbatch.batch_handler
def handler(numbers: list[int]): pass
assert "pydantic" in sys.modules
before = set(sys.modules)
record = {"messageId": "m", "body": "[1]", "eventSource": "aws:sqs", "eventSourceARN": "arn:q"}
assert handler({"Records": [record]}, None) == {"batchItemFailures": []}
assert not {name for name in set(sys.modules) - before if "pydantic" in name}, set(sys.modules) - before
"""


def test_pydantic_is_loaded_at_decoration():
    """Pydantic is loaded by the decoration that needs it, neither before nor as late as the first call."""
    subprocess.run([sys.executable, "-c", CODE], check=True)
