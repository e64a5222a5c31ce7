"""What a cold start loads, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import wrapt

NEVER = {
    "asyncio",
    "boto3",
    "botocore",
    "click",
    "concurrent.futures",
    "hypothesis",
    "importlib.metadata",
    "pydantic",
    "rich",
}

RUN = """
import json, sys
import partialbatch
imported = sorted(sys.modules)
{decorate}
decorated = sorted(sys.modules)
record = {{"messageId": "m", "body": '{{"a": 1}}', "attributes": {{}}, "messageAttributes": {{}},
           "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders"}}
assert handler({{"Records": [record]}}, None) == {{"batchItemFailures": []}}
print(json.dumps([imported, decorated, sorted(sys.modules)]))
"""

PLAIN = """
@partialbatch.batch_handler
def handler(record: {annotation}): pass
"""

ASYNC = """
@partialbatch.batch_handler
async def handler(record): pass
"""


def _loaded(decorate):
    """Give the modules after the import, the decoration and the first call."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(decorate=decorate)], capture_output=True, text=True, check=True
    )
    # Without what a developer's site-packages load at every start; nor what wrapt 2 does, which Lambda does not get.
    base = "import sys, wrapt" if wrapt.__version_info__[0] > "1" else "import sys"
    bare = subprocess.run(
        [sys.executable, "-c", f"{base}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return [set(modules) - set(bare.stdout.split()) for modules in json.loads(done.stdout)]


@pytest.mark.parametrize("annotation", ["object", "dict", "str", "partialbatch.SQSRecord", "partialbatch.RawRecord"])
def test_a_plain_function_loads_nothing_heavy(annotation):
    """Import, decoration and a first call load no event loop, no pool, no validation and no SDK."""
    imported, decorated, called = _loaded(PLAIN.format(annotation=annotation))
    assert not NEVER & imported
    assert not NEVER & decorated
    assert not NEVER & called


def test_an_async_function_loads_its_loop_at_decoration():
    """An async function needs asyncio: loaded with the decoration, not before it and not by the first call."""
    imported, decorated, called = _loaded(ASYNC)
    assert "asyncio" not in imported
    assert "partialbatch._core.runners.tasks" in decorated - imported
    assert not {name for name in called - decorated if name.startswith(("asyncio", "partialbatch"))}


def test_several_workers_load_their_pool_at_decoration():
    """A handler with several workers needs a pool: loaded with the decoration, not before it."""
    imported, decorated, called = _loaded(
        PLAIN.replace("handler\n", "handler(max_concurrency=2)\n").format(annotation="object")
    )
    assert "concurrent.futures" not in imported
    assert "concurrent.futures.thread" in decorated
    assert not {name for name in called - decorated if name.startswith("concurrent")}


def test_nothing_is_loaded_by_the_first_call_of_a_plain_function():
    """What the decoration shows to be needed is loaded with it: initialisation has burst CPU."""
    _, decorated, called = _loaded(PLAIN.format(annotation="dict"))
    assert called - decorated <= {"datetime", "_datetime"}
