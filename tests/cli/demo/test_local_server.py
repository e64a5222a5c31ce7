"""The local services."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import os
from partialbatch.cli.demo.local_server import local_services
before = dict(os.environ)
for _ in range(2):
    with local_services() as client:
        sqs = client("sqs")
        assert sqs.meta.endpoint_url.startswith("http://127.0.0.1:"), sqs.meta.endpoint_url
        assert "QueueUrls" not in sqs.list_queues()
        sqs.create_queue(QueueName="one")
        assert len(sqs.list_queues()["QueueUrls"]) == 1
        assert not [name for name in os.environ if name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID")]
assert dict(os.environ) == before
print("done")
"""

FAILING = """
import os, socket
from urllib.parse import urlsplit
from partialbatch.cli.demo.local_server import local_services
before = dict(os.environ)
try:
    with local_services() as client:
        url = urlsplit(client("sqs").meta.endpoint_url)
        raise KeyError
except KeyError:
    assert dict(os.environ) == before
    try:
        socket.create_connection((url.hostname, url.port))
    except ConnectionRefusedError:
        print("KeyError ConnectionRefusedError")
"""


def test_the_users_aws_settings_are_hidden():
    """The user's settings are hidden and restored, the address is loopback, and no state is left."""
    hostile = {"AWS_PROFILE": "none", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "real"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False, env=os.environ | hostile
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_server_is_stopped_after_an_error():
    """The server is stopped and the environment restored when the block raises."""
    # In a process of its own: moto's state is one a process, and other tests use it.
    done = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("KeyError ConnectionRefusedError\n", "")
