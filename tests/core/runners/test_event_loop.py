"""One event loop a thread, for the life of the environment."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import weakref
from types import SimpleNamespace

import pytest
from batches import FORK, number, script, sqs

from partialbatch import batch_handler
from partialbatch._core.runners import event_loop as loops


def test_the_loop_stays_the_same_and_a_thread_has_its_own():
    """All calls of one thread share a loop; another thread has another, closed when it ends."""
    loops = []

    @batch_handler
    async def handler(record):
        loops.append(asyncio.get_running_loop())

    handler(sqs(2))
    batch_handler(handler.__wrapped__, max_concurrency=3).process(sqs(2))
    assert len(set(loops)) == 1
    other = threading.Thread(target=handler, args=(sqs(1),))
    other.start()
    other.join()
    gc.collect()
    assert loops[-1] is not loops[0]
    assert loops[-1].is_closed()
    assert not loops[0].is_closed()


@pytest.mark.parametrize("call", ["handler", "process"])
def test_inside_a_running_loop_the_error_names_aprocess(call):
    """An async handler cannot be called where a loop runs; the error says what to write, nothing ran."""
    ran = []

    @batch_handler
    async def handler(record):
        ran.append(record)

    async def main():
        (handler if call == "handler" else handler.process)(sqs(1))

    with pytest.raises(RuntimeError, match=r"await handler\.aprocess\(event, context\)"):
        asyncio.run(main())
    assert not ran


def test_a_plain_handler_works_inside_a_running_loop():
    """A plain function needs no loop, so it may be called where one runs."""

    async def main():
        return batch_handler(lambda record: None, max_concurrency=2)(sqs(3))

    assert asyncio.run(main()) == {"batchItemFailures": []}


def test_a_loop_that_the_users_code_closed_is_replaced():
    """Code that closes the loop it finds costs at most its own batch."""
    loops = []

    @batch_handler
    async def handler(record):
        loops.append(asyncio.get_running_loop())

    handler(sqs(1))
    loops[0].close()
    assert handler(sqs(1)) == {"batchItemFailures": []}
    assert loops[1] is not loops[0]


def test_asyncio_run_between_invocations_does_no_harm():
    """``asyncio.run`` of the user's own, before and between, leaves the kept loop alone."""
    loops = []

    @batch_handler
    async def handler(record):
        loops.append(asyncio.get_running_loop())

    for _ in range(3):
        asyncio.run(asyncio.sleep(0))
        handler(sqs(1))
    assert len(set(loops)) == 1


@pytest.mark.parametrize("how", ["stop", "exit"])
def test_a_loop_ended_under_running_records_ends_them(how):
    """``loop.stop()``, or ``SystemExit`` in a task of the user's own: records in flight are cancelled and awaited."""
    running, cancelled, loops = [], [], []

    async def exits():
        raise SystemExit("of the task")

    @batch_handler(max_concurrency=3)
    async def handler(record):
        loops.append(asyncio.get_running_loop())
        if how == "calm":
            return
        if number(record) == 2:
            if how == "stop":
                loops[-1].stop()
            else:
                record.raw["task"] = asyncio.ensure_future(exits())
        running.append(1)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(number(record))
            await asyncio.sleep(0.01)
            raise
        finally:
            running.pop()

    with pytest.raises(RuntimeError if how == "stop" else SystemExit):
        handler(sqs(5))
    assert not running
    assert sorted(cancelled) == [0, 1, 2]
    how = "calm"
    assert handler(sqs(2)) == {"batchItemFailures": []}
    assert loops[-1] is not loops[0]


def test_nothing_is_left_of_a_handler_that_is_dropped():
    """The kept loop holds no handler."""

    @batch_handler
    async def handler(record):
        return None

    handler(sqs(2))
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_cancels_and_awaits_tasks(presses):
    """A real SIGINT while tasks wait: they are cancelled, awaited and the interrupt propagates; a second one too."""
    code, out, _ = script(f"""
        import asyncio, os, signal, threading
        running = []
        def press():
            import time
            for _ in range({presses}):
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGINT)
        @batch_handler(max_concurrency=3)
        async def handler(record):
            running.append(1)
            try:
                await asyncio.sleep(30)
            finally:
                try:
                    await asyncio.sleep(0.6)
                finally:
                    running.pop()
        presser = threading.Thread(target=press)
        presser.start()
        try:
            handler(sqs(9))
        except KeyboardInterrupt:
            print("interrupted", len(running))
        presser.join()
    """)
    assert (code, out.split()) == (0, ["interrupted", "0"])


def test_ctrl_c_in_a_record_cancels_the_batch_and_gives_the_signal_back():
    """The interrupt is raised once nothing runs, and Python's own handler of the signal is in place again."""
    ended = []

    @batch_handler(max_concurrency=2)
    async def handler(record):
        try:
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(30)
        finally:
            ended.append(record.message_id)

    with pytest.raises(KeyboardInterrupt):
        handler(sqs(1))
    assert ended == ["m0"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_handler_that_a_record_sets_stays():
    """Ctrl-C's handler is given back only if nobody has replaced it meanwhile."""

    def own(*_):
        """Ignore it."""

    @batch_handler
    async def handler(record):
        signal.signal(signal.SIGINT, own)

    try:
        assert handler(sqs(1)) == {"batchItemFailures": []}
        assert signal.getsignal(signal.SIGINT) is own
        assert handler(sqs(1)) == {"batchItemFailures": []}
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interpreter_without_signals_runs_batches(monkeypatch):
    """An embedded interpreter refuses to set a handler, which is no failure of the batch."""

    def refuse(*_):
        raise ValueError

    monkeypatch.setattr(loops, "_signals", SimpleNamespace(getsignal=signal.getsignal, signal=refuse))

    @batch_handler
    async def handler(record):
        return None

    assert handler(sqs(1)) == {"batchItemFailures": []}


def test_an_interpreter_ends_without_a_word():
    """Loops of the main thread, of pool threads and of ended threads close without a warning, executors and all."""
    assert script("""
        import asyncio, threading, time
        @batch_handler(max_concurrency=4)
        async def waits(record):
            await asyncio.to_thread(time.sleep, 0.01)
        @batch_handler(max_concurrency=4)
        def nested(record):
            time.sleep(0.01)
            waits(sqs(2))
        @batch_handler
        async def leaves_a_task(record):
            asyncio.create_task(asyncio.sleep(100))
        assert waits(sqs(4)) == nested(sqs(8)) == leaves_a_task(sqs(1)) == {"batchItemFailures": []}
        thread = threading.Thread(target=waits, args=(sqs(3),))
        thread.start()
        thread.join()
        print("fine")
    """) == (0, "fine\n", "")


def test_a_forked_child_leaves_its_parents_loop_alone():
    """A child uses a loop of its own, and its end does not make the parent's sleep for ever."""
    assert script(
        """
        import asyncio, os, time
        @batch_handler(max_concurrency=4)
        async def handler(record):
            await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.01), 20)
        handler(sqs(4))
        child = os.fork()
        if child == 0:
            assert handler(sqs(4)) == {"batchItemFailures": []}
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        begun = time.monotonic()
        assert handler(sqs(4)) == {"batchItemFailures": []}
        assert time.monotonic() - begun < 15
        child = os.fork()  # a child that makes no loop
        if child == 0:
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("fine")
        """,
        *FORK,
    ) == (0, "fine\n", "")


def test_a_fork_before_the_first_loop_is_no_matter():
    """With no loop made there is none to leave behind."""
    assert script(
        """
        import os
        import partialbatch._core.runners.event_loop
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("fine")
        """,
        *FORK,
    ) == (0, "fine\n", "")


def test_a_thread_without_a_loop_leaves_none_behind():
    """A fork in a thread that made no loop has nothing to forget."""
    kept = list(loops._inherited)
    thread = threading.Thread(target=loops._forget)
    thread.start()
    thread.join()
    assert loops._inherited == kept
