"""What the runners' tests share: an event loop in virtual time."""

from __future__ import annotations

import asyncio
import selectors

import pytest


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that does not sleep: its clock jumps to the next timer."""

    def __init__(self):
        self.now = 0.0
        loop = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout=None):
                if loop._default_executor is None:
                    loop.now += timeout or 0
                    return super().select(0)
                # Threads take real time: they are given some, and the clock jumps less far.
                found = super().select(0.02)
                loop.now += 0 if found else min(timeout or 0, 1)
                return found

        super().__init__(Selector())

    def time(self):
        return self.now


@pytest.fixture
def in_virtual_time():
    """Run a coroutine function, given the loop, in an event loop whose time costs nothing."""

    def run(main):
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(main(runner.get_loop()))

    return run
