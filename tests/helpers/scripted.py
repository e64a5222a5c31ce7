"""A client whose calls fail by a script, in ways that no real service shows on demand.

Each call takes the next decision of the script; after its end every record is accepted.
A decision is a word for the whole call (``ok throttle timeout broken fatal``), or text with
one letter for each record, repeated as needed: ``.`` accepted, ``t`` throttled, ``i`` failed
inside the service, ``r`` rejected, ``u`` not mentioned in the response.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from partialbatch.errors import RecordError
from partialbatch.producers import (
    CloudWatchProducer,
    DynamoDBProducer,
    EventBridgeProducer,
    FirehoseProducer,
    KinesisProducer,
    SNSProducer,
    SQSProducer,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "scripted"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X"
    )


def too_large(field, size, limit, unit="bytes") -> str:
    return str(RecordError.too_large(field, size, limit, unit))


WHOLE = {
    "throttle": lambda: client_error("ThrottlingException"),
    "timeout": lambda: ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    "broken": lambda: client_error("InternalFailure", 500),
    "fatal": lambda: client_error("AccessDeniedException"),
}


@dataclass
class Clock:
    """A clock that only sleeping and calls move."""

    now: float = 1_000.0
    sleeps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps.append(seconds)
        self.now += seconds


class Scripted:
    """A client of all services that follows a script."""

    def __init__(self, script=(), poison=(), clock=None, latency=0.0):
        self.script = list(script)
        self.poison = frozenset(poison)
        self.clock = clock
        self.latency = latency
        self.calls: list[list[Any]] = []  # the entries of each call, as they were
        self.sent: list[int] = []  # the numbers of their records
        self.accepted: list[int] = []  # numbers, in the order of acceptance
        self.rejected: list[int] = []
        self.throttled_rounds: list[bool] = []
        self.accepted_rounds: list[int] = []  # how many records of each call

    def _decide(self, entries, number):
        if self.clock is not None:
            self.clock.now += self.latency
        self.calls.append(copy.deepcopy(entries))
        decision = self.script.pop(0) if self.script else "ok"
        numbers = [number(entry) for entry in entries]
        self.sent += numbers
        self.throttled_rounds.append(decision in WHOLE)
        self.accepted_rounds.append(0)
        if decision in WHOLE:
            error = WHOLE[decision]
            raise error()
        if self.poison & set(numbers):
            self.throttled_rounds[-1] = False
            raise client_error("ValidationException")
        letters = (
            ["."] * len(entries) if decision == "ok" else [decision[i % len(decision)] for i in range(len(entries))]
        )
        self.throttled_rounds[-1] = bool({"t", "i", "u"} & set(letters))
        self.accepted_rounds[-1] = letters.count(".")
        for letter, n in zip(letters, numbers, strict=True):
            if letter == ".":
                self.accepted.append(n)
            elif letter == "r":
                self.rejected.append(n)
        return letters

    def _by_id(self, entries, letters):
        codes = {"t": ("RequestThrottled", True), "i": ("InternalError", False), "r": ("InvalidMessageContents", True)}
        answer: dict[str, Any] = {}
        for entry, letter in zip(entries, letters, strict=True):
            if letter == ".":
                answer.setdefault("Successful", []).append({"Id": entry["Id"]})
            elif letter != "u":
                code, fault = codes[letter]
                answer.setdefault("Failed", []).append({"Id": entry["Id"], "Code": code, "SenderFault": fault})
        return answer

    def _aligned(self, letters, throttled, inside):
        codes = {"t": throttled, "i": inside, "r": "InvalidArgument", "u": throttled}
        return [{} if letter == "." else {"ErrorCode": codes[letter]} for letter in letters]

    def send_message_batch(self, QueueUrl, Entries):
        return self._by_id(Entries, self._decide(Entries, lambda e: json.loads(e["MessageBody"])["n"]))

    def publish_batch(self, TopicArn, PublishBatchRequestEntries):
        entries = PublishBatchRequestEntries
        return self._by_id(entries, self._decide(entries, lambda e: json.loads(e["Message"])["n"]))

    def put_records(self, StreamName, Records):
        letters = self._decide(Records, lambda e: json.loads(e["Data"])["n"])
        return {"Records": self._aligned(letters, "ProvisionedThroughputExceededException", "InternalFailure")}

    def put_record_batch(self, DeliveryStreamName, Records):
        letters = self._decide(Records, lambda e: json.loads(e["Data"])["n"])
        return {"RequestResponses": self._aligned(letters, "ServiceUnavailableException", "InternalFailure")}

    def put_events(self, Entries):
        letters = self._decide(Entries, lambda e: json.loads(e["Detail"])["n"])
        return {"Entries": self._aligned(letters, "ThrottlingException", "InternalFailure")}

    def put_metric_data(self, Namespace, MetricData):
        self._decide(MetricData, lambda e: e["Value"])

    def batch_write_item(self, RequestItems, **_):
        rows = [(table, request) for table, requests in RequestItems.items() for request in requests]
        letters = self._decide(rows, lambda row: _number(row[1]))
        left: dict[str, list[Any]] = {}
        for (table, request), letter in zip(rows, letters, strict=True):
            if letter != ".":
                left.setdefault(table, []).append(request)
        return {"UnprocessedItems": left} if left else {}


def _number(request) -> int:
    ((_, inner),) = request.items()
    ((_, item),) = inner.items()
    return int(item["n"]["N"])


@dataclass(frozen=True)
class Case:
    """One service, with the facts that the invariants depend on."""

    name: str
    make: Callable[..., Any]
    put: Callable[[Any, Any], None]
    size: Callable[[Any], int]
    letters: str  # the decisions that its responses can express for a record
    entries: int
    ordered: bool = False

    def __repr__(self) -> str:
        return self.name


def text(record) -> int:
    return len(json.dumps(record, separators=(",", ":")))


CASES = [
    Case(
        "sqs",
        lambda **o: SQSProducer("https://q/1/plain", **o),
        lambda p, r: p.put(r),
        lambda e: len(e["MessageBody"]),
        ".tiru",
        10,
    ),
    Case(
        "sns",
        lambda **o: SNSProducer("arn:aws:sns:eu-west-1:1:t", **o),
        lambda p, r: p.put(r),
        lambda e: len(e["Message"]),
        ".tiru",
        10,
    ),
    Case(
        "kinesis",
        lambda **o: KinesisProducer("s", **o),
        lambda p, r: p.put(r, partition_key="k"),
        lambda e: len(e["Data"]) + 1,
        ".ti",
        500,
    ),
    Case(
        "firehose", lambda **o: FirehoseProducer("s", **o), lambda p, r: p.put(r), lambda e: len(e["Data"]), ".ti", 500
    ),
    Case(
        "events",
        lambda **o: EventBridgeProducer("b", source="s", detail_type="d", **o),
        lambda p, r: p.put(r),
        lambda e: len(e["Detail"]) + 2,
        ".tir",
        10,
    ),
    Case(
        "dynamodb",
        lambda **o: DynamoDBProducer("t", keys="n", **o),
        lambda p, r: p.put(r),
        lambda row: len(json.dumps(row[1])) + 2,
        ".t",
        25,
    ),
    Case(
        "cloudwatch",
        lambda **o: CloudWatchProducer("ns", serializer=lambda r: {"MetricName": "m", "Value": r["n"]}, **o),
        lambda p, r: p.put(r),
        lambda e: 9 + 15 + 6 + 10 + 26,
        ".",
        1000,
    ),
]
