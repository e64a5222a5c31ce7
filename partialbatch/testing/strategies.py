"""Strategies for hypothesis: events of each source, malformed events, and failure plans.

They shrink to one record with an empty body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from partialbatch.testing._events import (
    dynamodb_event,
    kafka_event,
    kinesis_event,
    pipes_event,
    sqs_event,
)
from partialbatch.testing._failure_plans import FOREVER, FailurePlan
from partialbatch.testing._limits import BATCH_LIMIT, FIFO_LIMIT
from partialbatch.testing._validation import whole

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from hypothesis.strategies import SearchStrategy

    from partialbatch.testing._failure_plans import How

__all__ = [
    "dynamodb_events",
    "failure_plans",
    "fifo_events",
    "kafka_events",
    "kinesis_events",
    "malformed_events",
    "sqs_events",
]

_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
_GROUPS = st.sampled_from("abc")
_CAUGHT = ("error", "base")
_RECEIVES = st.integers(1, 5)
# Made once, because making strategies takes most of the time of a draw.
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(1 - 10**38, 10**38 - 1),  # DynamoDB stores 38 digits
    _TEXTS,
    st.binary(max_size=5),
)
_IMAGES = st.dictionaries(st.sampled_from("nm"), _SCALARS | st.lists(_SCALARS, max_size=2), max_size=2)
_KINDS = st.sampled_from(("INSERT", "MODIFY", "REMOVE"))
_VIEWS = st.sampled_from(("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"))
# Numbers that get another digit, so that they sort differently as text.
_FIRST_NUMBERS = st.sampled_from((None, 10**21 - 2, 10**27 - 5))


def _sizes(min_size: int, max_size: int, limit: int) -> tuple[int, int]:
    return whole("min_size", min_size, 0, limit), whole("max_size", max_size, min_size, limit)


@st.composite
def sqs_events(
    draw: st.DrawFn, bodies: SearchStrategy[Any] = _TEXTS, *, min_size: int = 1, max_size: int = 10
) -> dict[str, Any]:
    """Draw events of a standard queue. Some messages have a group id, as in fair queues.

    `bodies` draws the bodies; by default, they are short texts. `min_size` and `max_size` are numbers of
    messages, from 0 to 10,000.

    Raises:
        ConfigurationError: A size is out of its range.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import sqs_events
        >>> [record] = find(sqs_events(), lambda event: True)["Records"]
        >>> record["body"]
        ''
    """
    low, high = _sizes(min_size, max_size, BATCH_LIMIT)
    drawn = draw(st.lists(st.tuples(bodies, st.none() | _GROUPS, _RECEIVES), min_size=low, max_size=high))
    return sqs_event(
        [body for body, _, _ in drawn],
        groups=[group for _, group, _ in drawn],
        receive_counts=[count for _, _, count in drawn],
    )


@st.composite
def fifo_events(
    draw: st.DrawFn, bodies: SearchStrategy[Any] = _TEXTS, *, min_size: int = 1, max_size: int = 10
) -> dict[str, Any]:
    """Draw events of a FIFO queue, with up to three message groups.

    `bodies` draws the bodies; by default, they are short texts. `min_size` and `max_size` are numbers of
    messages, from 0 to 10.

    Raises:
        ConfigurationError: A size is out of its range.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import fifo_events
        >>> event = find(fifo_events(), lambda event: len(event["Records"]) == 2)
        >>> [record["attributes"]["MessageGroupId"] for record in event["Records"]]
        ['a', 'a']
    """
    low, high = _sizes(min_size, max_size, FIFO_LIMIT)
    drawn = draw(st.lists(st.tuples(bodies, _GROUPS, _RECEIVES), min_size=low, max_size=high))
    # Within a group, a later message was never received more often than an earlier one.
    least: dict[str, int] = {}
    counts: list[int] = []
    for _, group, count in drawn:
        least[group] = min(count, least.get(group, count))
        counts.append(least[group])
    return sqs_event(
        [body for body, _, _ in drawn],
        fifo=True,
        groups=[group for _, group, _ in drawn],
        receive_counts=counts,
    )


@st.composite
def kinesis_events(
    draw: st.DrawFn, data: SearchStrategy[Any] = _TEXTS, *, min_size: int = 1, max_size: int = 10
) -> dict[str, Any]:
    """Draw events of a Kinesis data stream, with up to three partition keys.

    `data` draws the data; by default, they are short texts. `min_size` and `max_size` are numbers of records,
    from 0 to 10,000.

    Raises:
        ConfigurationError: A size is out of its range.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import kinesis_events
        >>> [record] = find(kinesis_events(), lambda event: True)["Records"]
        >>> record["kinesis"]["partitionKey"]
        'a'
    """
    low, high = _sizes(min_size, max_size, BATCH_LIMIT)
    drawn = draw(st.lists(st.tuples(data, _GROUPS), min_size=low, max_size=high))
    return kinesis_event(
        [value for value, _ in drawn],
        partition_keys=[key for _, key in drawn],
        first_sequence_number=draw(_FIRST_NUMBERS),
    )


@st.composite
def dynamodb_events(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 10) -> dict[str, Any]:
    """Draw events of a DynamoDB stream: INSERT, MODIFY and REMOVE of up to three items, with all view types.

    `min_size` and `max_size` are numbers of records, from 0 to 10,000.

    Raises:
        ConfigurationError: A size is out of its range.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import dynamodb_events
        >>> [record] = find(dynamodb_events(), lambda event: event["Records"][0]["eventName"] == "REMOVE")["Records"]
        >>> record["dynamodb"]["OldImage"]
        {'id': {'S': 'a'}}
    """
    low, high = _sizes(min_size, max_size, BATCH_LIMIT)
    changes = st.tuples(_KINDS, _GROUPS, _IMAGES, _IMAGES).map(_change)
    return dynamodb_event(
        draw(st.lists(changes, min_size=low, max_size=high)),
        view=draw(_VIEWS),
        first_sequence_number=draw(_FIRST_NUMBERS),
    )


def _change(drawn: tuple[str, str, dict[str, Any], dict[str, Any]]) -> tuple[Any, Any]:
    kind, key, old, new = drawn
    return (
        None if kind == "INSERT" else {"id": key, **old},
        None if kind == "REMOVE" else {"id": key, **new},
    )


@st.composite
def kafka_events(
    draw: st.DrawFn, values: SearchStrategy[Any] = _TEXTS, *, min_size: int = 1, max_size: int = 10
) -> dict[str, Any]:
    """Draw events of a Kafka topic, with up to three partitions.

    `values` draws the values; by default, they are short texts. `min_size` and `max_size` are numbers of
    records, from 0 to 10,000.

    Raises:
        ConfigurationError: A size is out of its range.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import kafka_events
        >>> list(find(kafka_events(), lambda event: len(event["records"]) == 2)["records"])
        ['orders-0', 'orders-1']
    """
    low, high = _sizes(min_size, max_size, BATCH_LIMIT)
    partitions: dict[str, list[Any]] = {}
    for value, group in draw(st.lists(st.tuples(values, _GROUPS), min_size=low, max_size=high)):
        partitions.setdefault(f"orders-{'abc'.index(group)}", []).append(value)
    return kafka_event(partitions, start=draw(st.integers(0, 10**9)), self_managed=draw(st.booleans()))


def failure_plans(
    keys: Sequence[Hashable] = tuple(range(10)),
    *,
    hows: Sequence[How] = ("error",),
    poison: bool = True,
    most: int = 2,
) -> SearchStrategy[FailurePlan]:
    """Draw failure plans: the records that fail, the number of their failing attempts, and the ways.

    Args:
        keys: The keys with which your test calls `FailurePlan.attempt`.
        hows: The ways in which records may fail: ``error``, ``base``, ``exit`` and ``timeout``. For
            ``timeout``, share the plan's clock with your context.
        poison: Whether records may always fail, with ``error`` or ``base``. Exits and timeouts always end,
            because they fail the whole batch.
        most: The largest number of failing attempts of a record that doesn't always fail.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import failure_plans
        >>> find(failure_plans(["tea", "jam"]), lambda plan: plan.failures)
        FailurePlan({'tea': '1: error'})
    """
    # One number decides both, because hypothesis shrinks to fewer choices before lower ones.
    failing = st.tuples(st.integers(1, most + poison), st.sampled_from(list(hows))).map(
        lambda drawn: drawn if drawn[0] <= most else (FOREVER if drawn[1] in _CAUGHT else most, drawn[1])
    )
    planned = st.dictionaries(st.sampled_from(list(keys)), failing) if keys else st.just({})
    return planned.map(FailurePlan)


def malformed_events() -> SearchStrategy[Any]:
    """Draw events that Lambda would never deliver: any JSON, and events with one part replaced or missing.

    Example:
        >>> from hypothesis import find
        >>> from partialbatch.testing.strategies import malformed_events
        >>> find(malformed_events(), lambda event: event == {"Records": []})
        {'Records': []}
    """
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), _TEXTS)
    anything = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2)
    )
    return st.one_of(anything, _broken(leaves))


@st.composite
def _broken(draw: st.DrawFn, leaves: SearchStrategy[Any]) -> Any:
    event: Any = draw(st.one_of(sqs_events(), fifo_events(), kinesis_events(), dynamodb_events(), kafka_events()))
    if draw(st.booleans()):
        event = pipes_event(event)
    places = list(_places(event))
    container, key = draw(st.sampled_from(places))
    if draw(st.booleans()):
        container[key] = draw(leaves)
    else:
        del container[key]
    return event


def _places(value: Any) -> Any:
    """Yield each place within a JSON value as container and key, the outer ones first."""
    inner = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in inner:
        yield value, key
    for key in inner:
        yield from _places(value[key])
