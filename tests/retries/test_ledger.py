"""Streams that deliver successes again: what the ledger spares, and what it must never skip."""

from __future__ import annotations

import json
from random import Random

import pytest
from batches import kinesis, sqs
from hypothesis import given
from hypothesis import strategies as st

from partialbatch import RetryAfter, batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.retries import ResumeLedger, _entries, _memory_ledger, discard
from partialbatch.testing import SimulatedStream


class Work:
    """A table that keeps the last write of each key, and fails as told."""

    def __init__(self, fails):
        self._fails = fails
        self._attempts = {}
        self.failures = 0
        self.last = {}

    def write(self, key, number):
        attempt = self._attempts[number] = self._attempts.get(number, 0) + 1
        if self._fails(number, attempt):
            self.failures += 1
            raise ConnectionError(number)
        self.last[key] = number

    def handler(self, **options):
        @batch_handler(**options)
        def handler(record):
            if record.source == "kinesis":
                self.write(record.partition_key, int(record.text))
            else:
                self.write(record.new_image["id"], int(record.new_image["number"]))

        return handler

    def stream(self, keys, source="kinesis", **settings):
        if source == "kinesis":
            return SimulatedStream([str(n) for n in range(len(keys))], partition_keys=keys, **settings)
        return SimulatedStream(
            [{"id": key, "number": n} for n, key in enumerate(keys)], source="dynamodb", keys="id", **settings
        )


class Environments:
    """Leads each invocation to an execution environment of its own choice, each with its own ledger."""

    def __init__(self, ledgers, turns):
        self._ledgers = ledgers
        self._turns = iter(turns)
        self._now = ledgers[0]

    def done_behind(self, arn, checkpoint):
        self._now = self._ledgers[next(self._turns, 0) % len(self._ledgers)]
        return self._now.done_behind(arn, checkpoint)

    def remember(self, arn, checkpoint, done):
        self._now.remember(arn, checkpoint, done)


class Store:
    """A store that all environments share; it raises when told."""

    def __init__(self, failures=()):
        self.entries = {}
        self.reads = self.writes = 0
        self._failures = iter(failures)

    def read(self, arn, checkpoint):
        self.reads += 1
        self._fail()
        return frozenset(self.entries.get((arn, checkpoint), ()))

    def write(self, arn, checkpoint, done):
        self.writes += 1
        self._fail()
        self.entries[arn, checkpoint] = list(done)

    def _fail(self):
        if next(self._failures, False):
            raise TimeoutError


def last_of(keys):
    return {key: number for number, key in enumerate(keys)}


def assert_only_successes_were_resumed(delivery):
    for story in delivery.records:
        statuses = [run.status for run in story.runs]
        if "resumed" in statuses:
            assert "succeeded" in statuses[: statuses.index("resumed")], story


keys_of = st.lists(st.sampled_from("abcd"), min_size=1, max_size=24)
failing = st.sets(st.tuples(st.integers(0, 23), st.integers(1, 3)), max_size=12)
mappings = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["kinesis", "dynamodb"]),
        "batch_size": st.integers(1, 12),
        "shards": st.integers(1, 3),
        "parallelization_factor": st.integers(1, 3),
        "bisect": st.booleans(),
    }
)
options_of = st.fixed_dictionaries(
    {
        "max_concurrency": st.sampled_from([1, 3]),
        "error_policy": st.sampled_from(["derive", "skip_group", "stop"]),
    }
)


@given(keys=keys_of, fails=failing, mapping=mappings, options=options_of)
def test_order_holds_and_nothing_is_lost(keys, fails, mapping, options):
    """With one environment, each key's records succeed in event order, and its last write is its newest."""
    work = Work(lambda number, attempt: (number, attempt) in fails)
    delivery = work.stream(keys, **mapping).run(work.handler(resume=ResumeLedger.in_memory(), **options))
    delivery.assert_nothing_lost()
    delivery.assert_in_order()
    assert_only_successes_were_resumed(delivery)
    assert {story.fate for story in delivery.records} == {"deleted"}
    assert work.last == last_of(keys)
    if not mapping["bisect"]:
        assert delivery.duplicated_work == 0


@given(keys=keys_of, fails=failing, mapping=mappings, options=options_of, turns=st.lists(st.integers(0, 2)))
def test_environments_that_share_a_store_keep_order(keys, fails, mapping, options, turns):
    """With a store that all environments share, it does not matter which of them a delivery meets."""
    work, store = Work(lambda number, attempt: (number, attempt) in fails), Store()
    shared = Environments([ResumeLedger(store) for _ in range(3)], turns)
    delivery = work.stream(keys, **mapping).run(work.handler(resume=shared, **options))
    delivery.assert_nothing_lost()
    delivery.assert_in_order()
    assert_only_successes_were_resumed(delivery)
    assert work.last == last_of(keys)
    assert store.reads == len(delivery.invocations)
    assert store.writes <= sum(invocation.verdict == "partial" for invocation in delivery.invocations)
    if not mapping["bisect"]:
        assert delivery.duplicated_work == 0


troubles = st.fixed_dictionaries(
    {"turns": st.lists(st.integers(0, 2)), "broken": st.lists(st.booleans(), max_size=20), "shared": st.booleans()}
)


@given(keys=keys_of, fails=failing, mapping=mappings, options=options_of, trouble=troubles)
def test_at_worst_a_record_runs_again(keys, fails, mapping, options, trouble):
    """Other environments, and a store that fails: no record is ever skipped that did not succeed."""
    work = Work(lambda number, attempt: (number, attempt) in fails)
    store = Store(trouble["broken"])
    ledgers = [ResumeLedger(store) if trouble["shared"] else ResumeLedger.in_memory() for _ in range(3)]
    environments = Environments(ledgers, trouble["turns"])
    delivery = work.stream(keys, **mapping).run(work.handler(resume=environments, **options))
    delivery.assert_nothing_lost()
    assert_only_successes_were_resumed(delivery)
    assert {story.fate for story in delivery.records} == {"deleted"}


def test_continue_alone_repeats_half_a_batch_a_failure_and_resume_nothing():
    """At 1 % transient failures and batches of 100, the ledger takes away all duplicated work."""
    keys = [f"k{Random(number).randrange(500)}" for number in range(4_000)]

    def duplicated(**options):
        chance = Random(7)
        work = Work(lambda number, attempt: chance.random() < 0.01)
        delivery = work.stream(keys, batch_size=100).run(work.handler(**options))
        delivery.assert_nothing_lost()
        if "resume" in options:
            delivery.assert_in_order()
            assert work.last == last_of(keys)
        assert 20 < work.failures < 100
        partial = sum(invocation.verdict == "partial" for invocation in delivery.invocations)
        return delivery.duplicated_work / partial

    assert 35 < duplicated(error_policy="continue") < 65
    assert duplicated(resume=ResumeLedger.in_memory()) == 0


def test_duplicated_work_is_none_with_few_keys_either():
    """Where most records wait behind a failed one of their key, still none runs twice."""
    keys = [str(number % 7) for number in range(1_000)]
    chance = Random(3)
    work = Work(lambda number, attempt: chance.random() < 0.01)
    delivery = work.stream(keys, batch_size=100).run(work.handler(resume=ResumeLedger.in_memory()))
    delivery.assert_in_order()
    assert work.last == last_of(keys)
    assert delivery.duplicated_work == 0


_handlers = {}


def run(resume, keys, fails, event=None, **options):
    """Handle one batch, by the same handler for a ledger each time, and return its result and what ran."""
    if resume not in _handlers:

        @batch_handler(resume=resume, **options)
        def handler(record):
            current["ran"].append(record.text)
            if record.text in current["fails"]:
                raise ValueError

        current = {}
        _handlers[resume] = (handler, current)
    handler, current = _handlers[resume]
    current.update(ran=[], fails=fails)
    return handler.process(event or kinesis(keys)), current["ran"]


def test_what_succeeded_behind_the_checkpoint_is_skipped_as_succeeded():
    """The redelivery runs what failed and what waited behind it; the rest is told as resumed."""
    resume = ResumeLedger.in_memory()
    result, ran = run(resume, "abac", {"0"})
    assert ran == ["0", "1", "3"]
    assert [entry.status for entry in result.results] == ["failed", "succeeded", "skipped", "succeeded"]
    result, ran = run(resume, "abac", ())
    assert ran == ["0", "2"]
    assert [entry.resumed for entry in result.results] == [False, True, False, True]
    assert [entry.status for entry in result.results] == ["succeeded"] * 4
    assert result.response == {"batchItemFailures": []}


def test_what_is_resumed_is_not_asked_for_its_group():
    """It does not run, so nothing can go wrong with it any more."""
    asked = []

    def group_by(record):
        asked.append(record.text)
        return record.partition_key

    resume = ResumeLedger.in_memory()
    run(resume, "abac", {"0"}, group_by=group_by)
    asked.clear()
    assert run(resume, "abac", (), group_by=group_by)[1] == asked == ["0", "2"]


def test_another_first_record_uses_no_entry():
    """Only a delivery that starts at the very checkpoint is the redelivery that the entry is of."""
    resume = ResumeLedger.in_memory()
    run(resume, "abc", {"1"})
    assert run(resume, "abc", ())[1] == ["0", "1", "2"]
    tail = {"Records": kinesis("abc")["Records"][1:]}
    assert run(resume, "", (), event=tail)[1] == ["1"]


@pytest.mark.parametrize("change", ["eventSourceARN", "eventID"])
def test_another_stream_or_shard_uses_no_entry(change):
    """Numbers are unique within a shard only."""
    resume = ResumeLedger.in_memory()
    run(resume, "abc", {"0"})
    other = kinesis("abc")
    for raw in other["Records"]:
        raw[change] = raw[change].replace("stream/", "stream/other-").replace("000:", "001:")
    assert run(resume, "", (), event=other)[1] == ["0", "1", "2"]


def test_a_number_that_stands_twice_is_done_when_both_are():
    """A record is never taken for its namesake that succeeded."""
    resume = ResumeLedger.in_memory()
    event = kinesis("abcd")
    event["Records"][3]["kinesis"]["sequenceNumber"] = "1"
    assert len(run(resume, "", {"0", "1"}, event=event)[0].failed) == 2
    assert run(resume, "", (), event=event)[1] == ["0", "1", "3"]


def test_the_checkpoint_itself_always_runs():
    """It was reported, whatever a store of one's own says."""
    store = Store()
    store.read = lambda *_: frozenset(("0", "1"))
    assert run(ResumeLedger(store), "abc", ())[1] == ["0", "2"]


def test_records_without_a_number_run_again():
    """What cannot be named is not remembered."""
    resume = ResumeLedger.in_memory()
    event = kinesis("abc")
    del event["Records"][2]["kinesis"]["sequenceNumber"]
    run(resume, "", {"0"}, event=event)
    assert run(resume, "", (), event=event)[1] == ["0", "2"]
    del event["Records"][0]["kinesis"]["sequenceNumber"]
    assert run(resume, "", (), event=event)[1] == ["0", "1", "2"]


def test_a_clean_batch_writes_nothing_and_a_partial_failure_once():
    """One read a batch, one write where something failed and something else is done."""
    store = Store()
    resume = ResumeLedger(store)
    run(resume, "abc", ())
    assert (store.reads, store.writes) == (1, 0)
    run(resume, "abc", {"0", "1"})
    assert (store.reads, store.writes) == (2, 1)
    run(resume, "abc", {"2"})  # behind it nothing is done
    assert (store.reads, store.writes) == (3, 1)


def test_dead_letters_are_done():
    """A record that the dead letter took is not run again either."""
    resume = ResumeLedger.in_memory()
    options = {"permanent": ZeroDivisionError, "dead_letter": discard}
    ran = []

    @batch_handler(resume=resume, **options)
    def handler(record):
        ran.append(record.text)
        if record.text == "1":
            raise ZeroDivisionError
        raise ValueError

    assert [entry.status for entry in handler.process(kinesis("ab")).results] == ["failed", "dead_lettered"]
    ran.clear()
    handler.process(kinesis("ab"))
    assert ran == ["0"]


def test_a_resumed_record_is_a_success_of_the_batch():
    """A batch whose other records are done already has not failed as a whole."""
    resume = ResumeLedger.in_memory()

    @batch_handler(resume=resume)
    def handler(record):
        if record.text == "0":
            raise RetryAfter(1)

    for _ in range(2):
        assert handler(kinesis("ab")) == {"batchItemFailures": [{"itemIdentifier": "0"}]}


def test_async_functions_resume():
    """The same holds for async record functions, also awaited by the caller."""
    resume, ran = ResumeLedger.in_memory(), []

    @batch_handler(resume=resume, max_concurrency=3)
    async def handler(record):
        ran.append(record.text)
        if record.text == "0" and ran.count("0") == 1:
            raise ValueError

    handler(kinesis("abc"))
    assert handler.process(kinesis("abc")).full_failure is False
    assert sorted(ran) == ["0", "0", "1", "2"]


def test_windows_keep_their_state_and_resume_nothing():
    """A tumbling window's state counts from its start, so that no record of it may be left out."""
    store = Store()
    states = []

    @batch_handler(resume=ResumeLedger(store))
    def handler(record, state):
        states.append(state)
        if record.text == "1" and len(states) == 2:
            raise ValueError
        return {"count": (state or {}).get("count", 0) + 1}

    window = {"window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"}, "state": {}}
    first = handler(kinesis("abc", **window))
    assert first == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}], "state": {"count": 1}}
    rest = kinesis("abc", **window | {"state": first["state"]})
    rest["Records"] = rest["Records"][1:]
    assert handler(rest) == {"batchItemFailures": [], "state": {"count": 3}}
    assert (store.reads, store.writes) == (0, 0)


@pytest.mark.parametrize("what", ["read", "write"])
def test_a_ledger_that_fails_is_told_and_changes_nothing(what, caplog):
    """The batch runs as without a ledger."""
    store = Store([what == "read", what == "write"])
    result, ran = run(ResumeLedger(store), "abc", {"0"})
    assert ran == ["0", "1", "2"]
    assert result.response == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert f"the resume ledger could not be {'read' if what == 'read' else 'written'} (TimeoutError)" in caplog.text


class Abrupt(BaseException):
    """No `Exception`, and no interrupt."""


class Raising:
    """A ledger of one's own that raises when it is `read`, or `written`."""

    def __init__(self, what, error):
        self.what, self.error = what, error

    def done_behind(self, arn, checkpoint):
        if self.what == "read":
            raise self.error
        return frozenset()

    def remember(self, arn, checkpoint, done):
        if self.what == "written":
            raise self.error


@pytest.mark.parametrize("what", ["read", "written"])
@pytest.mark.parametrize("error", [TimeoutError, Abrupt])
def test_a_ledger_of_ones_own_that_raises_changes_nothing(what, error, caplog):
    """The response is the same, whatever object with a ledger's methods was given."""
    result, ran = run(Raising(what, error), "abc", {"0"})
    assert ran == ["0", "1", "2"]
    assert result.response == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert f"the resume ledger could not be {what} ({error.__name__})" in caplog.text


@pytest.mark.parametrize("what", ["read", "written"])
def test_an_interrupt_of_a_ledger_is_raised(what):
    """`SystemExit` ends the call, and all of the batch comes back."""
    with pytest.raises(SystemExit):
        run(Raising(what, SystemExit), "abc", {"0"})


def test_continue_and_resume_contradict_each_other():
    """A success made out of order must not be skipped, so the two are refused together."""
    with pytest.raises(ConfigurationError, match="resume does not go with error_policy='continue'"):
        batch_handler(lambda record: None, resume=ResumeLedger.in_memory(), error_policy="continue")


def test_a_source_that_is_no_stream_is_refused():
    """Known from the option when the module loads, else from the first event."""
    resume = ResumeLedger.in_memory()
    with pytest.raises(ConfigurationError, match="resume works with kinesis and dynamodb, not with source='sqs'"):
        batch_handler(lambda record: None, resume=resume, source="sqs")
    with pytest.raises(ConfigurationError, match="resume works with kinesis and dynamodb"):
        batch_handler(lambda record: None, resume=resume)(sqs(1))


@pytest.mark.parametrize("value", ["in_memory", ResumeLedger, ResumeLedger.in_memory])
def test_a_ledger_must_be_one(value):
    """Anything without a ledger's methods is refused, and so is the class in place of a ledger."""
    with pytest.raises(ConfigurationError, match=r"resume=.*it takes a ResumeLedger"):
        batch_handler(lambda record: None, resume=value)


@pytest.mark.parametrize("size", [1, 56, 120])
def test_entries_stay_under_300_kb(size):
    """The last identifiers are left out, and so run again; no more of them than must be."""
    done = [f"{number:0{size}}" for number in range(9, 400_000 // size)][:20_000]
    kept = _entries.fitting(done)
    assert kept == done[: len(kept)]
    text = _entries.encoded(kept)
    assert len(text.encode()) <= _entries.LARGEST
    assert _entries.decoded(text) == frozenset(kept)
    if len(kept) < len(done):
        assert len(_entries.encoded([*kept, done[len(kept)]])) > _entries.LARGEST


def test_what_an_entry_does_not_hold_runs_again(monkeypatch):
    """The first identifiers are kept, so that each key's remaining records follow in order."""
    monkeypatch.setattr(_entries, "LARGEST", len(json.dumps(["1"])))
    resume = ResumeLedger.in_memory()
    run(resume, "abc", {"0"})
    assert run(resume, "abc", ())[1] == ["0", "2"]


def test_entries_in_memory_expire_after_a_day(monkeypatch):
    """A checkpoint that comes back after that is run as if it were new."""
    resume, moment = ResumeLedger.in_memory(), [1_000.0]
    monkeypatch.setattr(_memory_ledger, "time", lambda: moment[0])
    run(resume, "ab", {"0"})
    moment[0] += 86_399
    assert run(resume, "ab", {"0"})[1] == ["0"]
    moment[0] += 86_400
    assert run(resume, "ab", ())[1] == ["0", "1"]


def test_memory_is_bounded(monkeypatch):
    """The oldest entries go first; one written again counts once and is the newest."""
    monkeypatch.setattr(_memory_ledger, "HELD", 4)
    resume = ResumeLedger.in_memory()
    for checkpoint in ("one", "two", "one", "three"):
        resume.remember("arn", checkpoint, ["a", "b"])
    assert [len(resume.done_behind("arn", name)) for name in ("one", "two", "three")] == [2, 0, 2]
    resume.remember("arn", "four", list("abcdef"))
    assert resume.done_behind("arn", "four") == frozenset()


@pytest.mark.parametrize("option", ["table", "consumer", "key", "ttl"])
def test_a_table_needs_names(option):
    """Who reads must be said: two functions on one stream must not share entries."""
    given = {"table": "t", "consumer": "c", option: ""}
    with pytest.raises(ConfigurationError, match=f"ResumeLedger.dynamodb.{option}=''"):
        ResumeLedger.dynamodb(given.pop("table"), client=object(), **given)
    with pytest.raises(TypeError, match="consumer"):
        ResumeLedger.dynamodb("table")


@pytest.mark.parametrize("names", [{"key": "done"}, {"ttl": "done"}, {"key": "x", "ttl": "x"}])
def test_the_attributes_of_an_entry_differ(names):
    """One that is there already would overwrite the entry, and each read would fail."""
    with pytest.raises(ConfigurationError, match="must differ, and neither can be 'done'"):
        ResumeLedger.dynamodb("table", consumer="orders", client=object(), **names)


def test_a_table_without_boto3_is_refused(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"needs boto3.*partialbatch\[boto3\]"):
        ResumeLedger.dynamodb("table", consumer="orders")


@pytest.mark.parametrize("ledger", [ResumeLedger.in_memory, lambda: ResumeLedger(Store())], ids=["memory", "store"])
@pytest.mark.parametrize("same", [True, False], ids=["one function", "two functions"])
def test_handlers_that_share_a_ledger_share_no_entry(ledger, same):
    """What one handler has done, the other still has to do, even over functions of one name, or one function."""
    resume, ran = ledger(), []

    def billing(record):
        ran.append(record.text)
        if record.text == "0":
            raise ValueError

    def shipping(record):
        billing(record)

    first = batch_handler(billing, resume=resume)
    second = batch_handler(billing if same else shipping, resume=resume)
    for expected in (["0", "1", "2"], ["0"]):
        for handler in (first, second):
            ran.clear()
            handler.process(kinesis("abc"))
            assert ran == expected


def test_methods_of_a_class_share_their_ledger_with_their_own_kind_alone():
    """Each handler of a class is one reader, whatever the instance; two of them are two."""
    resume, ran = ResumeLedger.in_memory(), []

    class Clicks:
        @batch_handler(resume=resume)
        def count(self, record):
            ran.append(record.text)
            if record.text == "0":
                raise ValueError

        @batch_handler(resume=resume)
        def store(self, record):
            self.__class__.count.__wrapped__(self, record)

    for handler, expected in (("count", "012"), ("count", "0"), ("store", "012"), ("store", "0")):
        ran.clear()
        getattr(Clicks(), handler).process(kinesis("abc"))
        assert "".join(ran) == expected


class Answers:
    """A ledger of one's own that answers as told."""

    def __init__(self, answer):
        self.answer = answer

    def done_behind(self, arn, checkpoint):
        return self.answer() if callable(self.answer) else self.answer

    def remember(self, arn, checkpoint, done):
        return self.done_behind(arn, checkpoint)


async def awaits():
    return frozenset(["1"])


@pytest.mark.parametrize("answer", ["0,1,2", b"12", {"1": 1}, None, 1, awaits, iter(["1"])])
def test_a_ledger_that_answers_otherwise_than_with_a_set_skips_nothing(answer, caplog):
    """In text each part of an identifier would be found; a coroutine has not read anything."""
    assert run(Answers(answer), "abc", ())[1] == ["0", "1", "2"]
    assert "the resume ledger could not be read (TypeError): records may run again" in caplog.text


@pytest.mark.parametrize("answer", [frozenset("1"), {"1"}, ["1"], ("1",), {"1": 1}.keys()], ids=repr)
def test_a_ledger_may_answer_with_any_set_or_list(answer):
    """The identifiers in it are done."""
    assert run(Answers(answer), "abc", ())[1] == ["0", "2"]


def test_a_store_that_answers_with_text_skips_nothing():
    """The same holds for a store of one's own behind a `ResumeLedger`."""
    store = Store()
    store.read = lambda *_: "0,1,2"
    assert run(ResumeLedger(store), "abc", ())[1] == ["0", "1", "2"]


def test_a_ledger_whose_write_is_awaited_by_nobody_is_logged(caplog):
    """It has kept nothing."""
    ledger = Answers(frozenset())
    ledger.remember = lambda *_: awaits()
    run(ledger, "abc", {"0"})
    assert "the resume ledger could not be written (TypeError)" in caplog.text


def test_async_ledgers_and_stores_are_refused_at_decoration():
    """Nobody would await them."""

    class Awaited(Answers):
        async def remember(self, arn, checkpoint, done):
            raise AssertionError

    class AwaitedStore(Store):
        async def read(self, arn, checkpoint):
            raise AssertionError

    with pytest.raises(ConfigurationError, match=r"^resume=.*a ResumeLedger, none of whose methods is async, or None$"):
        batch_handler(print, resume=Awaited(()))
    for store in (AwaitedStore(), Store, object()):
        with pytest.raises(ConfigurationError, match=r"^ResumeLedger.store=.*`read` and `write`, none of them async$"):
            ResumeLedger(store)


def test_a_record_function_cannot_move_an_entry_to_another_stream():
    """The stream is read before it runs."""
    resume, ran = ResumeLedger.in_memory(), []

    @batch_handler(resume=resume)
    def changes(record):
        ran.append(record.text)
        record.raw["eventID"] = "shardId-9:9"
        if ran == ["0"]:
            raise ValueError

    changes.process(kinesis("abc"))
    changes.process(kinesis("abc"))
    assert ran == ["0", "1", "2", "0"]
