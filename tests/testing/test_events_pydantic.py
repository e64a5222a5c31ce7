"""Models of pydantic in the events of the testing kit."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from partialbatch import batch_handler
from partialbatch.errors import ConfigurationError
from partialbatch.testing import SimulatedQueue, SimulatedStream, dynamodb_event, kinesis_event, sqs_event


class Order(BaseModel):
    id: str
    at: datetime | None = None


ORDER = Order(id="a", at=datetime(2026, 1, 1, tzinfo=UTC))


def test_models_become_the_json_that_pydantic_writes():
    """A model is a body or a record's data as the producers would write it."""
    wanted = {"id": "a", "at": "2026-01-01T00:00:00Z"}
    assert json.loads(sqs_event([ORDER])["Records"][0]["body"]) == wanted
    data = kinesis_event([{"order": ORDER}])["Records"][0]["kinesis"]["data"]
    assert json.loads(base64.b64decode(data)) == {"order": wanted}


def test_a_model_goes_through_a_simulator_and_back():
    """The handler gets a model equal to the one in the queue or table."""
    got = []

    @batch_handler
    def handler(order: Order):
        got.append(order)

    SimulatedQueue([ORDER]).run(handler).assert_nothing_lost()
    SimulatedStream([Order(id="b")], source="dynamodb").run(handler).assert_nothing_lost()
    assert got == [ORDER, Order(id="b")]


def test_model_with_a_datetime_is_refused_as_a_dynamodb_item():
    """A model with a type that DynamoDB doesn't have is refused, as the DynamoDB producer refuses it."""
    with pytest.raises(ConfigurationError, match="DynamoDB has no type for a datetime"):
        dynamodb_event([ORDER])
