"""The example that loads a file into a table, run against moto's server."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture
def client():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    # moto's store belongs to the process: another test may have left a table of that name.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.close()
    server.stop()


@pytest.fixture
def example():
    path = Path(__file__).parents[2] / "examples" / "producer_progress" / "load.py"
    spec = spec_from_file_location("example_load", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def orders(tmp_path):
    path = tmp_path / "orders.jsonl"
    path.write_text(
        "".join(json.dumps({"order_id": f"o-{number}", "price": number / 4}) + "\n" for number in range(70))
    )
    return path


def test_all_lines_are_in_the_table_and_the_bar_is_full(example, client, orders, capsys):
    """Every line is an item, and the bar ends at the number of lines."""
    assert example.load(orders, "orders", ["order_id"], client) is None
    items = client.scan(TableName="orders")["Items"]
    assert {item["order_id"]["S"]: float(item["price"]["N"]) for item in items} == {f"o-{n}": n / 4 for n in range(70)}
    assert "70/70" in capsys.readouterr().out


def test_what_the_table_does_not_take_is_kept(example, client, orders, capsys, monkeypatch):
    """A table that is not there takes nothing: the lines are kept in a file, and the exit status says so."""
    path = example.load(orders, "missing", ["order_id"], client)
    assert path.read_text() == orders.read_text()
    assert "70 items were not taken (ResourceNotFoundException)" in capsys.readouterr().out.replace("\n", " ")
    monkeypatch.setattr(sys, "argv", ["load.py", str(orders), "missing", "--keys", "order_id"])
    monkeypatch.setattr(example, "load", lambda *_: path)
    with pytest.raises(SystemExit, match="1"):
        example.main()


def test_lines_that_are_no_items_are_kept_and_the_others_written(example, client, tmp_path, capsys):
    """A line that is no JSON, or no item, does not stop the load; a separator inside a string ends no line."""
    lines = ['{"order_id": "A", "note": "a\u2028b\x85c"}', "{", '{"id": 1}', "[1]", '{"order_id": "B"}']
    path = tmp_path / "orders.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    kept = example.load(path, "orders", ["order_id"], client)
    assert kept.read_text(encoding="utf-8").splitlines() == lines[1:4]
    items = client.scan(TableName="orders")["Items"]
    assert sorted(item["order_id"]["S"] for item in items) == ["A", "B"]
    assert "3 items were not taken" in capsys.readouterr().out.replace("\n", " ")
