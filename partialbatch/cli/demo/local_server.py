"""Runs moto's server in this process, with clients that can't reach anything else."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["local_services"]

_REGION = "us-east-1"


@contextmanager
def local_services() -> Iterator[Callable[[str], Any]]:
    """Start the services on a free loopback port and yield a function that makes boto3 clients.

    The environment and the user's AWS configuration files are not read, and no proxy is used, so that
    the demo can't reach a real account.
    """
    with _without_aws_settings(), _quiet("werkzeug"):
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        url = "http://{}:{}".format(*server.get_host_and_port())
        session: Any = boto3.Session(  # untyped: the stubs only take literal service names
            aws_access_key_id="local", aws_secret_access_key="local", region_name=_REGION
        )
        config = Config(proxies={}, connect_timeout=5, read_timeout=30)
        try:
            yield lambda service: session.client(service, endpoint_url=url, config=config)
        finally:
            # moto keeps its state when the server stops; a second run in this process would find the old queues.
            request = Request(f"{url}/moto-api/reset", method="POST")
            build_opener(ProxyHandler({})).open(request, timeout=30).close()
            server.stop()


@contextmanager
def _without_aws_settings() -> Iterator[None]:
    """Hide the user's AWS settings, also from moto, which makes its own sessions."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(("AWS_", "BOTO_"))]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Raise a logger's level to CRITICAL."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
