"""The ledger's table as DynamoDB keeps it, on moto's server."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from batches import kinesis

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger
from partialbatch.testing import SimulatedStream

_names = itertools.count()


@pytest.fixture
def table(aws):
    """Make a table of the shape that the documents give, and return its name."""
    name = f"ledger-{next(_names)}"
    aws("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def handle(table, event, fails=()):
    ran = []

    @batch_handler(resume=ResumeLedger.dynamodb(table, consumer="orders"))
    def handler(record):
        ran.append(record.text)
        if record.text in fails:
            raise ValueError

    return handler.process(event), ran


def test_another_environment_resumes(table):
    """What one environment wrote, another reads."""
    handle(table, kinesis("abac"), {"0"})
    result, ran = handle(table, kinesis("abac"))
    assert ran == ["0", "2"]
    assert [entry.resumed for entry in result.results] == [False, True, False, True]


def test_no_work_is_done_twice(table):
    """A stream whose every batch fails once, each time in a new environment, runs each record once."""
    failed, done = set(), Counter()

    def environment():
        @batch_handler(resume=ResumeLedger.dynamodb(table, consumer="orders"))
        def handler(record):
            number = int(record.text)
            if number % 10 == 3 and number not in failed:
                failed.add(number)
                raise ConnectionError
            done[number] += 1

        return handler

    turns = itertools.cycle([environment() for _ in range(3)])
    seen = []

    def succeeded(raw):
        return raw["kinesis"]["sequenceNumber"] not in seen[-1]

    def handler(event, context):
        response = next(turns)(event, context)
        seen.append({entry["itemIdentifier"] for entry in response["batchItemFailures"]})
        return response

    stream = SimulatedStream([str(number) for number in range(40)], batch_size=10)
    delivery = stream.run(handler, succeeded=succeeded)
    delivery.assert_nothing_lost()
    assert len(failed) == 4
    assert set(done.values()) == {1}
    assert len(delivery.invocations) == 8


def test_a_missing_table_is_told(aws, caplog):
    """Without its table the batch runs as without a ledger; the log names the error."""
    for _ in range(2):
        assert handle("missing", kinesis("abc"), {"0"})[1] == ["0", "1", "2"]
    assert "could not be read (ResourceNotFoundException)" in caplog.text
    assert "could not be written (ResourceNotFoundException)" in caplog.text


def test_a_large_batch_fits_the_item(table):
    """The entry of 10,000 records is an item that DynamoDB takes."""
    numbers = [f"{index:056}" for index in range(10_000)]
    ledger = ResumeLedger.dynamodb(table, consumer="orders")
    ledger.remember("arn", numbers[0], numbers[1:])
    done = ledger.done_behind("arn", numbers[0])
    assert 4_500 < len(done) < 5_500


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_a_throttled_table_is_told(aws, table, operation, caplog):
    """A throttled call is not waited for; the batch runs as without it."""
    from botocore.exceptions import ClientError  # what the service answers when throttled

    client = aws("dynamodb")

    def throttled(**_):
        raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, operation)

    client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", throttled)
    ran = []

    @batch_handler(resume=ResumeLedger.dynamodb(table, consumer="orders", client=client))
    def handler(record):
        ran.append(record.text)
        if record.text == "0":
            raise ValueError

    for _ in range(2):
        handler(kinesis("ab"))
    assert ran == ["0", "1"] * 2
    assert "(ClientError)" in caplog.text
