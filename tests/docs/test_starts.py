"""What the page on deployment says of each way in which Lambda starts functions."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

# Handlers of each kind, in a module as users write it.
MODULE = """
import asyncio, gc, json, os, sys, threading, weakref
from partialbatch import batch_handler
from partialbatch.testing import LambdaContext, sqs_event

@batch_handler
def plain(order: dict):
    return order["id"]

@batch_handler(max_concurrency=4)
def threaded(order: dict):
    if order["id"] < 2:
        meeting.wait(5)  # passes only when two threads really run

meeting = threading.Barrier(2)

@batch_handler(max_concurrency=4)
async def tasked(order: dict):
    await asyncio.sleep(0)
    return order["id"]

HANDLERS = (plain, threaded, tasked)
EVENT, CONTEXT = sqs_event([{"id": number} for number in range(8)]), LambdaContext()
FAILING = sqs_event(["no JSON", {"id": 1}])

def works():
    return all(handler(EVENT, CONTEXT) == {"batchItemFailures": []} for handler in HANDLERS)

def in_copy(function):
    # A forked child is to a process what a restored environment is to a snapshot: a copy of its memory.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, json.dumps(function()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        answer = json.loads(told.read())
    assert os.waitpid(child, 0)[1] == 0
    return answer
"""


def run(code):
    """Run code after the module, in a process of its own; gives what it printed."""
    # From 3.12 on, Python warns of forks beside threads: these tests are about just that.
    flags = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    program = MODULE + dedent(code)
    done = subprocess.run(
        [sys.executable, *flags, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("annotation", ["dict", "Order", "RawRecord"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_first_invocation_imports_nothing(kind, annotation):
    """Whatever a handler needs was loaded with its module: before the snapshot, or the first call, is taken."""
    loaded = run(f"""
        import dataclasses
        from partialbatch import RawRecord

        @dataclasses.dataclass
        class Order:
            id: int

        @batch_handler
        {kind} handler(order: {annotation}):
            pass

        before = set(sys.modules)
        assert handler(EVENT, CONTEXT) == {{"batchItemFailures": []}}
        print(*sorted(set(sys.modules) - before))
    """)
    assert loaded == []


def test_nothing_runs_before_the_first_call():
    """A module with handlers has neither started a thread nor made an event loop: the snapshot holds none."""
    assert run("""
        import gc
        print(threading.active_count())
        print(sum(isinstance(found, asyncio.BaseEventLoop) for found in gc.get_objects()))
    """) == ["1", "0"]


@pytest.mark.parametrize("warm", [False, True])
def test_copies_of_an_environment_work(warm):
    """Each copy of an environment, taken before the first call or after one, handles batches; so does the original."""
    assert run(f"""
        if {warm}:
            assert works()
        print(in_copy(works), in_copy(works), works())
    """) == ["True", "True", "True"]


def test_copies_wait_differently():
    """The random waits of two copies differ: they come from the operating system, not from a state that was copied."""
    first, second, same, again = run("""
        import random
        from partialbatch import Backoff
        from partialbatch.producers import SQSProducer

        waits, copied = [], random.Random()
        def full(**call):
            return {"Failed": [{"Id": entry["Id"], "Code": "ThrottlingException", "SenderFault": False}
                               for entry in call["Entries"]]}
        client = type("Client", (), {"send_message_batch": staticmethod(full)})()
        backoff = Backoff(base=1, cap=1, max_stalls=5)
        producer = SQSProducer("https://sqs.eu-west-1.amazonaws.com/1/orders", client=client, backoff=backoff,
                               sleep=waits.append, clock=lambda: 0.0)

        def waited():
            producer.put("tea")
            assert len(producer.flush()) == 1
            return "/".join(map(str, waits))

        print(in_copy(waited), in_copy(waited), in_copy(copied.random), in_copy(copied.random))
    """)
    assert same == again, "a copied generator repeats itself: this test can tell"
    assert first != second
    assert "/" in first


def test_no_clock_is_kept():
    """The time left is that of each call's context, however long ago the module was loaded or the last call made."""
    assert run("""
        def reported(context):
            return len(plain.process(EVENT, context).skipped)
        print(*[reported(LambdaContext(timeout=seconds)) for seconds in (0.1, 3, 0.1)])
    """) == ["8", "0", "8"]


def test_the_environment_is_read_once():
    """A variable that is set after the module was loaded changes nothing."""
    assert run("""
        os.environ["PARTIALBATCH_RAISE_ON_FULL_FAILURE"] = "false"
        try:
            plain({"Records": FAILING["Records"][:1]}, CONTEXT)
        except Exception as error:
            print(type(error).__name__)
    """) == ["FullBatchFailure"]


def test_no_file_is_written():
    """Handling a batch, failures included, opens no file for writing: processes that share /tmp do not meet there."""
    assert run("""
        written = []
        def look(event, arguments):
            if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                written.append(arguments[0])
        assert works()
        sys.addaudithook(look)
        for handler in HANDLERS:
            handler(FAILING, CONTEXT)
        assert not written, written
        open(os.devnull, "w").close()
        print(*written)
    """) == ["/dev/null"]


def test_two_invocations_at_once_do_not_meet():
    """Two threads that invoke one handler at the same time get the responses to their own events."""
    assert run("""
        import concurrent.futures
        meeting = threading.Barrier(2)

        @batch_handler
        def handler(order: dict):
            if order["id"] == 0:
                meeting.wait(30)
            if order["fails"]:
                raise ValueError

        def event(side):
            return sqs_event([{"id": n, "fails": n % 2 == side} for n in range(50)], start=side * 100)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            left, right = pool.map(lambda side: handler(event(side), CONTEXT), (0, 1))
        numbers = [[int(each["itemIdentifier"][-3:]) for each in given["batchItemFailures"]] for given in (left, right)]
        print(numbers == [list(range(0, 50, 2)), list(range(101, 150, 2))])
    """) == ["True"]


def test_nothing_is_kept_between_calls():
    """After a call, what records, results and errors refer to is gone."""
    assert run("""
        class Thing(dict):
            pass
        seen = []

        def work(record):
            thing = Thing()
            seen.append(weakref.ref(thing))
            if record.text == "bad":
                error = ValueError("no")
                error.thing = thing
                raise error
            return thing

        for mode in ({}, {"max_concurrency": 4}):
            handler = batch_handler(work, **mode)
            records = [Thing(raw) for raw in sqs_event(["good", "bad", "bad", "good"])["Records"]]
            seen += map(weakref.ref, records)
            assert len(handler({"Records": records}, CONTEXT)["batchItemFailures"]) == 2
            del records
        gc.collect()
        print(len(seen), sum(each() is not None for each in seen))
    """) == ["16", "0"]
