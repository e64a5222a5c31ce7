"""Groups side by side as asyncio tasks."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import sys
import threading
import time
import weakref
from functools import partial

import pytest
from batches import FORK, Clock, ids, kinesis, number, reported, script, sqs

from partialbatch import batch_handler
from partialbatch._core.runners import tasks

variable = contextvars.ContextVar("variable", default="unset")


def statuses(result):
    return [entry.status for entry in result.results]


class Callable:
    async def __call__(self, record):
        await asyncio.sleep(0)
        return number(record)


class Methods:
    async def method(self, record):
        await asyncio.sleep(0)
        return number(record)


async def two(extra, record):
    await asyncio.sleep(0)
    return number(record)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "function",
    [Callable(), Methods().method, partial(two, "extra"), partial(partial(two), 1)],
    ids=["callable", "method", "partial", "nested partial"],
)
def test_whatever_is_async_is_awaited(function, workers):
    """Callable objects, methods and partials: what an async function returns is always awaited."""
    result = batch_handler(function, max_concurrency=workers).process(sqs(5))
    assert [entry.value for entry in result.results] == list(range(5))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_plain_wrapper_may_run_the_async_function_that_it_wraps(workers):
    """The outermost function counts: one that is plain is called where no event loop runs."""

    async def inner(record):
        await asyncio.sleep(0)
        return number(record)

    @functools.wraps(inner)
    def wrapper(record):
        return asyncio.run(inner(record))

    handler = batch_handler(wrapper, max_concurrency=workers)
    assert handler(sqs(4)) == {"batchItemFailures": []}
    assert [entry.value for entry in handler.process(sqs(4)).results] == list(range(4))
    assert [entry.value for entry in asyncio.run(handler.aprocess(sqs(4))).results] == list(range(4))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_plain_wrapper_may_answer_itself_or_return_what_the_async_function_gives(workers):
    """Where a wrapper decides not to call the async function its own value counts; a coroutine is run to its end."""

    async def inner(record):
        await asyncio.sleep(0)
        if number(record) == 2:
            raise ValueError
        return "inner"

    @functools.wraps(inner)
    def wrapper(record):
        return inner(record) if number(record) else "cached"

    handler = batch_handler(wrapper, max_concurrency=workers)
    assert reported(handler(sqs(3))) == ["m2"]
    for result in (handler.process(sqs(3)), asyncio.run(handler.aprocess(sqs(3)))):
        assert [entry.value for entry in result.results] == ["cached", "inner", None]


@pytest.mark.filterwarnings("error")
def test_a_plain_wrapper_that_returns_a_coroutine_inside_a_loop_names_aprocess():
    """Where a loop runs already, a coroutine cannot be run to its end: the error says what to write there."""

    async def inner(record): ...

    @functools.wraps(inner)
    def wrapper(record):
        return inner(record)

    async def main():
        return batch_handler(wrapper).process(sqs(1))

    assert "await handler.aprocess" in str(asyncio.run(main()).results[0].error)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_at_most_n_tasks_run_at_once(workers):
    """The bound holds for n = 1 too, and is made use of."""
    running, most = [], [0]

    @batch_handler(max_concurrency=workers)
    async def handler(record):
        running.append(1)
        most[0] = max(most[0], len(running))
        await asyncio.sleep(0.001)
        running.pop()

    handler(sqs(20))
    assert most == [workers]


def test_no_more_tasks_are_made_than_records_can_run():
    """A small batch makes few tasks, whatever the bound."""

    @batch_handler(max_concurrency=50)
    async def handler(record):
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    values = [entry.value for entry in handler.process(sqs(3, groups=["a", "b", "a"])).results]
    assert max(values) == 3  # two workers, and who waits for them


def test_each_record_has_a_fresh_copy_of_the_callers_context():
    """What a record sets reaches neither another record nor the caller."""
    seen = []

    @batch_handler(max_concurrency=3)
    async def handler(record):
        seen.append(variable.get())
        variable.set(record.message_id)
        await asyncio.sleep(0)
        assert variable.get() == record.message_id

    token = variable.set("of the caller")
    try:
        assert handler(sqs(12)) == {"batchItemFailures": []}
        assert variable.get() == "of the caller"
    finally:
        variable.reset(token)
    assert seen == ["of the caller"] * 12


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("workers", [1, 50])
def test_records_that_compute_before_they_wait_start_no_later_than_the_margin_allows(workers, waits):
    """Each task's first record looks at the clock itself: the tasks before it may have taken the time."""
    clock, starts = Clock(2.0), []

    @batch_handler(max_concurrency=workers, deadline_margin=0.5)
    async def handler(record):
        starts.append(clock.left)
        clock.left -= 0.06  # stands for 60 ms of work
        if waits:
            await asyncio.sleep(0)

    result = handler.process(sqs(50), clock)
    assert min(starts) >= 0.5 + 0.06 - 1e-6
    assert len(starts) >= 12  # at least half of the time is used
    assert statuses(result) == ["succeeded"] * len(starts) + ["skipped"] * (50 - len(starts))


def test_at_the_margin_running_tasks_are_cancelled_awaited_and_fail(in_virtual_time, caplog):
    """Their ``finally`` blocks see the cancellation, what ended stays ended, and a warning counts the rest."""
    seen = []

    async def main(loop):
        @batch_handler(max_concurrency=2, deadline_margin=1)
        async def handler(record):
            index = number(record)
            try:
                await asyncio.sleep(2 if index == 0 else 100)
            except asyncio.CancelledError as error:
                seen.append((loop.time(), str(error)))
                await asyncio.sleep(0.5)
                seen.append(loop.time())
                raise

        result = await handler.aprocess(sqs(5), Clock(10, loop.time))
        return result, loop.time()

    result, took = in_virtual_time(main)
    assert statuses(result) == ["succeeded", "failed", "failed", "skipped", "skipped"]
    assert [entry[0] for entry in seen[:2]] == pytest.approx([9, 9], abs=0.01)
    assert "deadline_margin" in seen[0][1]
    assert took == pytest.approx(9.5, abs=0.01)
    (line,) = [entry for entry in caplog.records if hasattr(entry, "batch_left_over")]
    assert line.batch_left_over == 4


def test_a_task_that_swallows_its_cancellation_fails_all_the_same(in_virtual_time, caplog):
    """Work cut short is no success, though the function returns; the error says what to do."""

    async def main(loop):
        @batch_handler(max_concurrency=3, deadline_margin=1)
        async def handler(record):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(number(record))
            return "done"

        return await handler.aprocess(sqs(3), Clock(10, loop.time)), loop.time()

    result, took = in_virtual_time(main)
    assert statuses(result) == ["failed"] * 3
    assert took == pytest.approx(11, abs=0.01)
    assert "re-raise the CancelledError" in str(result.results[0].error)
    (line,) = [entry for entry in caplog.records if hasattr(entry, "batch_left_over")]
    assert line.batch_left_over == 3


def test_what_the_margin_cut_short_is_told_after_a_stop_too(in_virtual_time, caplog):
    """A batch that had stopped for a failure still warns of what the deadline cancelled."""

    async def main(loop):
        @batch_handler(max_concurrency=2, deadline_margin=1)
        async def handler(record):
            await asyncio.sleep(1 + 99 * number(record))
            raise ValueError

        return await handler.aprocess(sqs(3, groups=["a", "b", "c"]), Clock(10, loop.time))

    assert statuses(in_virtual_time(main)) == ["failed", "failed", "skipped"]
    (line,) = [entry for entry in caplog.records if hasattr(entry, "batch_left_over")]
    assert line.batch_left_over == 2


def test_a_worker_cancelled_before_its_first_step_has_run_nothing():
    """Code that cancels every task of the loop ends the batch; no record is half begun."""
    started, ended = [], []

    @batch_handler(max_concurrency=3)
    async def handler(record):
        started.append(number(record))
        if number(record) == 1:  # by the second worker: it began when record 0 waited, and the third one is about to
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        await asyncio.sleep(0)
        ended.append(number(record))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(handler.aprocess(sqs(4)))
    assert (started, ended) == ([0, 1], [])


def test_records_that_never_wait_share_one_task():
    """A second task starts when a record really waits, and not for a batch of which none does."""
    seen = []

    @batch_handler(max_concurrency=10)
    async def handler(record):
        seen.append(asyncio.current_task())

    assert handler(sqs(10)) == {"batchItemFailures": []}
    assert len(set(seen)) == 1


def test_record_timeout_cancels_and_fails_one_record(in_virtual_time):
    """Only the record that ran too long fails, with an error that names the limit."""
    cancelled = []

    async def main(loop):
        @batch_handler(max_concurrency=2, record_timeout=2)
        async def handler(record):
            try:
                await asyncio.sleep(5 if number(record) == 1 else 1)
            except asyncio.CancelledError:
                cancelled.append((number(record), loop.time()))
                raise

        return await handler.aprocess(sqs(4))

    result = in_virtual_time(main)
    assert statuses(result) == ["succeeded", "failed", "succeeded", "succeeded"]
    assert cancelled == [(1, 2)]
    assert isinstance(result.results[1].error, TimeoutError)
    assert "record_timeout=2 s" in str(result.results[1].error)


def test_a_record_that_swallows_its_timeout_fails_all_the_same(in_virtual_time):
    """A record that ran longer than ``record_timeout`` fails, whatever it returns in the end."""

    async def main(loop):
        @batch_handler(record_timeout=2)
        async def handler(record):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                return "done"

        return await handler.aprocess(sqs(1))

    (entry,) = in_virtual_time(main).results
    assert "record_timeout" in str(entry.error)


def test_a_timeout_error_of_the_users_own_stays_what_it_is():
    """A ``TimeoutError`` within the time is the record function's."""

    @batch_handler(record_timeout=60)
    async def handler(record):
        raise TimeoutError("of my own")

    assert str(handler.process(sqs(1)).results[0].error) == "of my own"


@pytest.mark.parametrize("presses", [1, 2, 3])
@pytest.mark.parametrize("inside", [False, True])
def test_a_cancelled_caller_gets_its_cancellation_after_the_tasks(presses, inside):
    """Cancelling ``aprocess``, many times even: tasks are cancelled and awaited, then the caller is."""
    running, started = [], []

    @batch_handler(max_concurrency=3)
    async def handler(record):
        started.append(number(record))
        running.append(1)
        try:
            await asyncio.sleep(30)
        finally:
            try:
                await asyncio.sleep(0.02)
            finally:
                running.pop()

    async def main():
        task = asyncio.ensure_future(handler.aprocess(sqs(9)))
        await asyncio.sleep(0.01)
        for _ in range(presses):
            task.cancel("enough")
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running
        return task.cancelled()

    async def by_timeout():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await handler.aprocess(sqs(9))
        assert not running
        return True

    assert asyncio.run(by_timeout() if inside else main())
    assert started == [0, 1, 2]


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_cancelled_caller_waits_for_threads(presses, workers):
    """A plain function's thread cannot be cancelled: the caller gets its cancellation once no record runs."""
    running, started, begun, go = [], [], threading.Event(), threading.Event()

    @batch_handler(max_concurrency=workers)
    def handler(record):
        running.append(1)
        started.append(number(record))
        if len(started) == workers:
            begun.set()
        assert go.wait(20)
        running.pop()

    async def main():
        task = asyncio.ensure_future(handler.aprocess(sqs(60)))
        assert await asyncio.to_thread(begun.wait, 20)
        for _ in range(presses):
            task.cancel()
            await asyncio.sleep(0.001)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running

    asyncio.run(main())
    assert len(started) == workers


def test_a_loop_that_ends_waits_for_the_threads_of_its_batches():
    """A loop that is torn down cancels all its tasks; the batch's thread is awaited even then."""
    running, ended = [], []

    @batch_handler
    def handler(record):
        running.append(1)
        time.sleep(0.05)
        running.pop()

    async def call():
        try:
            await handler.aprocess(sqs(9))
        finally:
            ended.append(len(running))

    async def main():
        task = asyncio.ensure_future(call())
        await asyncio.sleep(0.01)
        return task

    assert asyncio.run(main()).cancelled()
    assert ended == [0]


def test_a_plain_function_does_not_block_the_callers_loop():
    """``aprocess`` runs plain functions beside the loop, with the caller's context."""
    seen, begun, go = [], threading.Event(), threading.Event()

    @batch_handler
    def handler(record):
        seen.append((variable.get(), threading.current_thread() is threading.main_thread()))
        begun.set()
        assert go.wait(20)

    async def main():
        variable.set("here")
        batch = asyncio.ensure_future(handler.aprocess(sqs(2)))
        assert await asyncio.to_thread(begun.wait, 20)
        go.set()
        assert (await batch).response == {"batchItemFailures": []}

    asyncio.run(main())
    assert seen == [("here", False)] * 2


def test_nothing_starts_that_a_running_record_shows_to_be_too_long():
    """A record that runs counts with the time it has taken so far."""
    clock, left, ended = Clock(10), {1: 7, 2: 4.2}, asyncio.Event()

    @batch_handler(max_concurrency=2)
    async def handler(record):
        index = number(record)
        if index == 0:
            await ended.wait()
        # The second and the third take 3 s and 2.8 s; the first has run for 5.8 s by then.
        clock.left = left.get(index, clock.left)
        await asyncio.sleep(0)
        if index == 2:
            asyncio.get_running_loop().call_later(0.001, ended.set)

    assert statuses(handler.process(sqs(9), clock)) == ["succeeded"] * 3 + ["skipped"] * 6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_thread_that_comes_late_starts_nothing_past_the_margin(workers):
    """``aprocess`` of a plain function looks at the clock in its thread, not when it asks for one."""
    clock = Clock(10)
    clock_then = Clock(10, lambda: 10 if clock_then.reads > 1 else 0)
    handler = batch_handler(number, max_concurrency=workers)
    assert statuses(asyncio.run(handler.aprocess(sqs(3), clock))) == ["succeeded"] * 3
    assert statuses(asyncio.run(handler.aprocess(sqs(3), clock_then))) == ["skipped"] * 3


def test_plain_functions_may_wait_for_other_batches_of_their_loop():
    """However many batches wait for another one, each has a thread, and the loop's executor is left alone."""

    @batch_handler
    def inner(record):
        return threading.get_ident()

    async def main():
        loop = asyncio.get_running_loop()
        together = threading.Barrier(50)

        @batch_handler
        def outer(record):
            together.wait(20)
            return asyncio.run_coroutine_threadsafe(inner.aprocess(sqs(1)), loop).result(20).results[0].value

        results = await asyncio.gather(*[outer.aprocess(sqs(1)) for _ in range(50)])
        assert [entry.status for result in results for entry in result.results] == ["succeeded"] * 50
        assert loop._default_executor is None

    asyncio.run(main())


def test_a_warm_aprocess_makes_no_new_thread():
    """One call after another is made in the same thread, also in another event loop."""
    handler = batch_handler(lambda record: threading.get_ident())
    asyncio.run(handler.aprocess(sqs(1)))
    threads = {asyncio.run(handler.aprocess(sqs(1))).results[0].value for _ in range(5)}
    assert len(threads) == 1


def test_a_forked_child_calls_beside_its_loop_too():
    """Threads that the parent has and a forked child has not are made anew."""
    code, out, err = script(
        """
        import asyncio, os
        handler = batch_handler(lambda record: None)
        assert not asyncio.run(handler.aprocess(sqs(1))).response["batchItemFailures"]
        child = os.fork()
        if child == 0:
            assert not asyncio.run(handler.aprocess(sqs(1))).response["batchItemFailures"]
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        *FORK,
    )
    assert (code, out.strip()) == (0, "7"), err


@pytest.mark.parametrize("workers", [1, 4])
def test_a_record_that_cancels_itself_fails_alone(workers):
    """A task that cancels itself costs no other record its result."""

    @batch_handler(max_concurrency=workers)
    async def handler(record):
        if number(record) == 1:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

    assert reported(handler(sqs(4))) == ["m1"]


def test_a_success_that_cancelled_its_own_task_lets_its_group_go_on():
    """A record that succeeded stays so, though its task ends as cancelled."""

    @batch_handler(error_policy="skip_group", max_concurrency=2)
    async def handler(record):
        asyncio.current_task().cancel()

    assert handler(sqs(3, groups=["a"] * 3)) == {"batchItemFailures": []}


@pytest.mark.parametrize("waits", [False, True])
def test_a_record_that_cancelled_itself_at_its_end_spares_the_next_one(waits):
    """A cancellation that comes too late for its record does not reach the next one of the same task."""
    counts = []

    @batch_handler
    async def handler(record):
        counts.append(asyncio.current_task().cancelling())
        for _ in range(waits):
            await asyncio.sleep(0)
        if number(record) == 0:
            asyncio.current_task().cancel()
            asyncio.current_task().cancel()

    assert handler(sqs(3)) == {"batchItemFailures": []}
    assert counts == [0, 0, 0]


def test_the_loop_has_a_turn_in_each_millisecond(monkeypatch):
    """Records that never wait keep no timer and no other task of the loop from running for longer."""
    turns = []
    monkeypatch.setattr(tasks, "perf_counter", lambda: turns.count("record") * 0.0004)

    @batch_handler
    async def handler(record):
        turns.append("record")

    async def main():
        async def other():
            while True:
                turns.append("other")
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        await handler.aprocess(sqs(20))
        task.cancel()

    asyncio.run(main())
    runs = "".join(turn[0] for turn in turns).strip("o").split("o")
    assert runs == ["rrr"] * 6 + ["rr"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_clock_that_fails_raises_once_nothing_runs(workers):
    """An error of the context's own clock gives the batch back; nothing hangs, nothing is left running."""
    running = []

    class Broken(Clock):
        def get_remaining_time_in_millis(self):
            if self.reads >= 3:
                raise OSError("no clock")
            return super().get_remaining_time_in_millis()

    @batch_handler(max_concurrency=workers)
    async def handler(record):
        running.append(1)
        await asyncio.sleep(0.001 * number(record))
        running.pop()

    with pytest.raises(OSError, match="no clock"):
        handler(sqs(9), Broken(100))
    assert not running


def test_eager_tasks_keep_the_bound_and_the_order():
    """Under an eager task factory a record may end before its task is known: nothing changes."""
    if sys.version_info < (3, 12):
        factory = None  # tasks are never eager here: the same must hold
    else:
        factory = asyncio.eager_task_factory
    running, order = [], []

    @batch_handler(max_concurrency=2, record_timeout=5)
    async def handler(record):
        running.append(1)
        assert len(running) <= 2
        if number(record) % 3:
            await asyncio.sleep(0)
        order.append(number(record))
        running.pop()
        if number(record) == 4:
            raise ValueError

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        return await handler.aprocess(kinesis(["a", "b", "a", "b", "c", "a"]), Clock(100))

    result = asyncio.run(main())
    assert reported(result.response) == ["4"]
    assert [index for index in order if index in (0, 2, 5)] == [0, 2, 5]


@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_is_referenced_after_the_call(workers):
    """Records, errors and the caller's context are gone, though the loop and its timers stay."""

    class Tracked(dict):
        """A dict that takes weak references."""

    alive, timers = [], []

    @batch_handler(max_concurrency=workers, record_timeout=600)
    async def handler(record):
        if not timers:
            # At the head of the loop's heap, so that cancelled timers behind it stay there.
            timers.append(asyncio.get_running_loop().call_later(60, print, context=contextvars.Context()))
        variable.set(record)
        alive.append(weakref.ref(record.raw["tracked"]))
        await asyncio.sleep(0)
        if number(record) % 2:
            raise ValueError(record)

    def call():
        event = sqs(6)
        for raw in event["Records"]:
            raw["tracked"] = Tracked()
        mark = Tracked()
        alive.append(weakref.ref(mark))
        variable.set(mark)
        handler(event, Clock(900))
        handler.process(event, Clock(900))

    logging.disable()  # pytest keeps what is logged, tracebacks included
    try:
        contextvars.copy_context().run(call)
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    timers[0].cancel()
    assert len(alive) == 13
    assert [ref() for ref in alive if ref() is not None] == []


def test_many_calls_leave_few_timers_in_the_loop():
    """Each call's alarm is cancelled: a warm environment does not fill its loop."""
    loops = []

    @batch_handler
    async def handler(record):
        loops.append(asyncio.get_running_loop())

    for _ in range(300):
        handler(sqs(1), Clock(900))
    assert len(set(loops)) == 1
    assert len(loops[0]._scheduled) <= 101


def test_aprocess_of_a_whole_batch_many_times_at_once():
    """Batches side by side in one loop keep apart."""

    @batch_handler(max_concurrency=4)
    async def handler(record):
        await asyncio.sleep(0.001)
        if number(record) in record.raw["failing"]:
            raise ValueError

    async def main():
        events = [sqs(10) for _ in range(10)]
        for which, event in enumerate(events):
            for raw in event["Records"]:
                raw["failing"] = {which}
        return await asyncio.gather(*(handler.aprocess(event) for event in events))

    for which, result in enumerate(asyncio.run(main())):
        assert reported(result.response) == ids([which])
