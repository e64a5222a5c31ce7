"""What the first invocation makes works in those after it: a lock and an HTTP session."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest
from aiohttp import web
from batches import number, sqs

from partialbatch import batch_handler
from partialbatch._core.runners.event_loop import run_in_loop


@pytest.fixture
def echo():
    """Serve, on a loopback port, what it is asked; gives the address."""
    ready, done, address = threading.Event(), asyncio.Event(), []

    async def answer(request):
        return web.Response(text=request.query["n"])

    async def main():
        application = web.Application()
        application.router.add_get("/", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.extend([asyncio.get_running_loop(), f"http://127.0.0.1:{runner.addresses[0][1]}/?n="])
        ready.set()
        await done.wait()
        await runner.cleanup()

    server = threading.Thread(target=asyncio.run, args=(main(),))
    server.start()
    assert ready.wait(20)
    yield address[1]
    address[0].call_soon_threadsafe(done.set)
    server.join()


def test_two_invocations_and_two_handlers_share_a_lock_and_a_session(echo):
    """A lock and an HTTP session made in the first invocation work in the second, and in another handler."""
    shared = {}

    async def body(record):
        if not shared:
            shared.update(lock=asyncio.Lock(), session=aiohttp.ClientSession())
        async with shared["lock"]:
            await asyncio.sleep(0)
        async with shared["session"].get(f"{echo}{number(record)}") as response:
            return int(await response.text())

    first, second = (batch_handler(body, max_concurrency=workers) for workers in (4, 2))
    for handler in (first, first, second):
        assert [entry.value for entry in handler.process(sqs(8)).results] == list(range(8))
    run_in_loop(shared["session"].close)
