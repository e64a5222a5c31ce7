"""Groups side by side in threads."""

from __future__ import annotations

import contextvars
import ctypes
import gc
import logging
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from batches import FORK, Clock, ids, number, reported, script, sqs

from partialbatch import FullBatchFailure, batch_handler
from partialbatch._core.batch import BatchState
from partialbatch._core.runners import threads

variable = contextvars.ContextVar("variable", default="unset")


def test_each_record_has_a_fresh_copy_of_the_callers_context():
    """Context variables reach the workers; what a record sets reaches neither another record nor the caller."""
    seen = []

    @batch_handler(max_concurrency=4)
    def handler(record):
        seen.append(variable.get())
        variable.set(record.message_id)
        time.sleep(0.001)
        assert variable.get() == record.message_id

    token = variable.set("of the caller")
    try:
        assert handler(sqs(20)) == {"batchItemFailures": []}
        assert variable.get() == "of the caller"
    finally:
        variable.reset(token)
    assert seen == ["of the caller"] * 20


def test_a_warm_invocation_makes_no_new_thread():
    """The pool is kept: a second invocation runs on the threads of the first."""
    barrier = threading.Barrier(7)
    handler = batch_handler(lambda record: barrier.wait(10) and None, max_concurrency=7)
    handler(sqs(7))
    before = set(threading.enumerate())
    handler(sqs(7))
    assert set(threading.enumerate()) == before
    assert threading.current_thread() in before


def test_a_record_function_may_call_the_handler_that_it_is_in():
    """Nested batches make progress however busy the pool is: the caller of each works too."""

    @batch_handler(max_concurrency=3)
    def handler(record):
        depth = int(record.raw.get("depth", 0))
        if depth < 3:
            inner = sqs(4)
            for raw in inner["Records"]:
                raw["depth"] = depth + 1
            assert handler(inner) == {"batchItemFailures": []}

    assert handler(sqs(4)) == {"batchItemFailures": []}


def test_two_threads_calling_one_handler_do_not_see_each_other():
    """Each call has its own records, failures and values."""

    @batch_handler(max_concurrency=5)
    def handler(record):
        time.sleep(0.0005)
        if number(record) in record.raw["failing"]:
            raise ValueError
        return record.raw["call"]

    def call(which):
        event = sqs(30)
        failing = set(range(which, 30, which + 2))
        for raw in event["Records"]:
            raw |= {"failing": failing, "call": which}
        result = handler.process(event)
        assert {entry.value for entry in result.succeeded} == {which}
        assert reported(result.response) == ids(sorted(failing))
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(8)))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_referenced_after_the_call(workers, fails):
    """Events, records and errors are gone after the call, from the pool's threads too."""

    class Tracked(dict):
        """A dict that takes weak references."""

    alive = []

    class Failure(Exception):
        def __init__(self):
            alive.append(weakref.ref(self))

    @batch_handler(max_concurrency=workers)
    def handler(record):
        alive.append(weakref.ref(record.raw["tracked"]))
        if fails and number(record) > 3:
            raise Failure

    def call():
        event = Tracked(sqs(12))
        for raw in event["Records"]:
            raw["tracked"] = Tracked()
        alive.append(weakref.ref(event))
        handler(event)
        handler.process(event)

    logging.disable()  # pytest keeps what is logged, tracebacks included
    try:
        call()
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    assert len(alive) == 1 + 24 + (16 if fails else 0)
    assert [ref() for ref in alive if ref() is not None] == []


def test_a_machine_without_more_threads_leaves_the_work_to_the_caller(monkeypatch):
    """Where no thread can be started the batch runs all the same, and the helper in the queue holds nothing."""
    monkeypatch.setattr(threads, "_pools", {})

    def no_thread(self):
        raise RuntimeError("can't start new thread")

    class Tracked(dict):
        """A dict that takes weak references."""

    handler = batch_handler(lambda record: threading.get_ident(), max_concurrency=9)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        event = sqs(5)
        event["Records"][0]["tracked"] = tracked = Tracked()
        result = handler.process(event)
    assert {entry.value for entry in result.results} == {threading.get_ident()}
    gone = weakref.ref(tracked)
    del event, tracked, result
    gc.collect()
    assert gone() is None
    assert handler(sqs(5)) == {"batchItemFailures": []}  # the left-over helper finds its batch over


def test_a_helper_that_begins_though_its_start_failed_is_waited_for(monkeypatch):
    """A pool may raise after it took the work: the call does not return while that helper runs a record."""
    ran, second = [], threading.Event()

    class Pool:
        def submit(self, work):
            threading.Thread(target=work).start()
            assert second.wait(10)
            raise RuntimeError("can't start new thread")

    def body(record):
        if threading.current_thread() is not threading.main_thread():
            second.set()
            time.sleep(0.05)
        ran.append(number(record))

    monkeypatch.setattr(threads, "_pools", {2: Pool()})
    batch_handler(body, max_concurrency=2)(sqs(4))
    assert sorted(ran) == [0, 1, 2, 3]


def test_what_strikes_a_worker_outside_of_a_record_function_costs_its_record_alone(monkeypatch):
    """An error in the step itself fails the record in hand; all other results stay."""
    succeed = BatchState.succeed

    def failing(self, index, value):
        if index == 2:
            raise MemoryError
        succeed(self, index, value)

    monkeypatch.setattr(BatchState, "succeed", failing)
    result = batch_handler(lambda record: None, max_concurrency=3).process(sqs(6))
    assert [entry.status for entry in result.results] == ["succeeded"] * 2 + ["failed"] + ["succeeded"] * 3
    assert isinstance(result.results[2].error, MemoryError)


def test_a_threads_first_record_looks_at_the_clock():
    """A thread that comes when another one's record has taken the time starts nothing."""
    first, moved, other = [], threading.Event(), threading.Event()

    class Late(Clock):
        def get_remaining_time_in_millis(self):
            if first and threading.get_ident() not in first:
                assert moved.wait(10)
                other.set()
            return super().get_remaining_time_in_millis()

    clock = Late(10)

    def body(record):
        if first:
            other.set()
        first.append(threading.get_ident())
        clock.left = 0
        moved.set()
        assert other.wait(10)

    result = batch_handler(body, max_concurrency=2).process(sqs(9), clock)
    assert [entry.status for entry in result.results] == ["succeeded"] + ["skipped"] * 8


@pytest.mark.parametrize("where", ["caller", "helper"])
def test_a_clock_that_fails_raises_once_nothing_runs(where):
    """An error of the context's own clock gives the batch back, after running records have ended."""
    running, failed = [], threading.Event()

    class Broken(Clock):
        def get_remaining_time_in_millis(self):
            in_caller = threading.current_thread() is threading.main_thread()
            if self.reads and in_caller == (where == "caller"):
                failed.set()
                raise OSError("no clock")
            return super().get_remaining_time_in_millis()

    def body(record):
        running.append(1)
        assert failed.wait(10)
        running.pop()

    with pytest.raises(OSError, match="no clock"):
        batch_handler(body, max_concurrency=2)(sqs(30), Broken(100))
    assert not running


def test_system_exit_from_outside_ends_a_helper_and_not_the_others():
    """An exception thrown into a worker thread from elsewhere fails its record, and loses no other."""

    class Thrown(BaseException):
        """Asynchronous."""

    def body(record):
        if number(record) == 1:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), ctypes.py_object(Thrown))
            for _ in range(100):
                time.sleep(0.001)

    result = batch_handler(body, max_concurrency=4).process(sqs(8))
    assert [entry.record.message_id for entry in result.failed] == ["m1"]
    assert isinstance(result.results[1].error, Thrown)


def test_threads_are_awaited_beyond_the_margin():
    """A thread cannot be stopped: the call returns when it has ended, and its success counts."""
    ended = []

    def body(record):
        time.sleep(0.4)
        ended.append(number(record))

    begun = time.monotonic()
    clock = Clock(0.8, lambda: time.monotonic() - begun)
    result = batch_handler(body, max_concurrency=2, deadline_margin=0.5).process(sqs(4), clock)
    assert sorted(ended) == [0, 1]
    assert [entry.status for entry in result.results] == ["succeeded"] * 2 + ["skipped"] * 2


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("workers", [1, 3])
def test_ctrl_c_waits_for_running_records_and_starts_no_other(presses, workers):
    """A real SIGINT while records run, twice even: none is left running, none is started after it."""
    code, out, _ = script(f"""
        import os, signal, threading, time
        main, both, running, started = threading.main_thread(), threading.Barrier(2), [], []
        @batch_handler(max_concurrency={workers})
        def handler(record):
            started.append(number(record))
            if {workers} > 1:
                if number(record) < 2:
                    both.wait(20)
                if threading.current_thread() is main:
                    return  # so it goes through its group, and waits for the helper from there on
            running.append(1)
            try:
                for _ in range({presses}):
                    time.sleep(0.3)
                    os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.3)
            finally:
                running.pop()
        try:
            handler(sqs(12, groups=["a", "b"] * 6))
        except KeyboardInterrupt:
            print("interrupted", len(running), len(started))
    """)
    assert code == 0
    assert out.split() == ["interrupted", "0", "1" if workers == 1 else "7"]


def test_a_forked_child_makes_threads_of_its_own():
    """A child has none of its parent's threads, and none of its pools."""
    code, out, err = script(
        """
        import os, threading
        barrier = threading.Barrier(4)
        handler = batch_handler(lambda record: barrier.wait(10) and None, max_concurrency=4)
        handler(sqs(4))
        child = os.fork()
        handler(sqs(4))
        if child:
            assert os.waitpid(child, 0)[1] == 0
        print("fine")
    """,
        *FORK,
    )
    assert (code, out.split(), err) == (0, ["fine", "fine"], "")


def test_a_helper_that_comes_late_finds_the_batch_over():
    """A helper whose batch has ended runs nothing."""
    handler = batch_handler(lambda record: 1 / 0, max_concurrency=2)
    with pytest.raises(FullBatchFailure):
        handler(sqs(2))
    batch_workers = threads._Workers(None, None, None)
    batch_workers.dismiss()
    batch_workers.help()
    assert batch_workers._helpers == 0
