"""Findings on Kinesis, DynamoDB Streams and Kafka."""

from __future__ import annotations

import pytest

FINE = {
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 10,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:q"}},
}
LATER = {"Fn::ImportValue": "x"}


@pytest.fixture
def mapped(write):
    def mapped(service="kinesis", **changes):
        properties = (
            {"FunctionName": {"Ref": "F"}, "EventSourceArn": f"arn:aws:{service}:eu-west-1:1:a"} | FINE | changes
        )
        properties = {name: value for name, value in properties.items() if value is not None}
        resources = {
            "F": {"Type": "AWS::Lambda::Function", "Properties": {}},
            "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties},
        }
        return write({"Resources": resources}, "a.json")

    return mapped


UNLIMITED = {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
@pytest.mark.parametrize("service", ["kinesis", "dynamodb", "kafka"])
def test_records_held_back_are_not_discarded(check, mapped, handler, policy, service):
    """stop and skip_group are errors with neither bisect nor unlimited retries nor dead_letter; each alone will do."""
    name = handler(f"error_policy='{policy}'")
    rule = "unrun-records-discarded"
    found = check(mapped(service, BisectBatchOnFunctionError=False), "--handler", name)
    assert (found.code, found.rules[rule]) == (1, "error")
    pollers = "\nProvisionedPollerConfig: {MinimumPollers: 1}" if service == "kafka" else ""
    assert found.by[rule]["add"] == f"BisectBatchOnFunctionError: true{pollers}"
    assert rule not in check(mapped(service), "--handler", name).rules
    assert rule not in check(mapped(service, BisectBatchOnFunctionError=None, **UNLIMITED), "--handler", name).rules
    plain = mapped(service, BisectBatchOnFunctionError=None)
    assert rule not in check(plain, "--handler", handler()).rules
    aged = UNLIMITED | {"MaximumRecordAgeInSeconds": 60}
    assert rule in check(mapped(service, BisectBatchOnFunctionError=None, **aged), "--handler", name).rules
    for unknown in ("BisectBatchOnFunctionError", "MaximumRetryAttempts"):
        changes = {"BisectBatchOnFunctionError": None, unknown: LATER}
        assert check(mapped(service, **changes), "--handler", name).rules[rule] == "cannot tell"


def test_retries_are_unlimited_by_default(check, mapped, handler):
    """Unlimited is the default, but for Kafka with a destination."""
    name, rule = handler("error_policy='stop'"), "unrun-records-discarded"
    changes = {"BisectBatchOnFunctionError": None, "MaximumRetryAttempts": None}
    assert rule not in check(mapped("kinesis", **changes), "--handler", name).rules
    assert rule in check(mapped("kafka", **changes), "--handler", name).rules
    assert rule not in check(mapped("kafka", **changes, DestinationConfig=None), "--handler", name).rules


def test_the_error_policy_is_read_from_the_environment(check, write, mapped):
    """The error policy is read from the function's environment, too; dead_letter is then reported as unknown."""
    path = mapped(BisectBatchOnFunctionError=None)
    text = path.read_text().replace(
        '"Properties": {}', '"Properties": {"Environment": {"Variables": {"PARTIALBATCH_ERROR_POLICY": "STOP"}}}'
    )
    path.write_text(text)
    assert check(path).rules["unrun-records-discarded"] == "cannot tell"


def test_the_policy_in_tumbling_windows_is_stop(check, mapped, handler):
    """In tumbling windows the policy is stop for every handler; zero seconds don't count as a window."""
    changes = {"BisectBatchOnFunctionError": None}
    found = check(mapped(**changes, TumblingWindowInSeconds=60), "--handler", handler())
    assert found.rules["unrun-records-discarded"] == "error"
    none = check(mapped(**changes, TumblingWindowInSeconds=0), "--handler", handler())
    assert "unrun-records-discarded" not in none.rules
    unknown = check(mapped(**changes, TumblingWindowInSeconds=LATER), "--handler", handler())
    assert unknown.rules["unrun-records-discarded"] == "cannot tell"


def test_limited_retries_need_a_destination(check, mapped, handler):
    """Finite retries without a destination lose records unheard."""
    name, rule = handler(), "on-failure-destination"
    found = check(mapped(DestinationConfig=None), "--handler", name)
    assert found.rules == {rule: "warning"}
    assert "DestinationConfig: {OnFailure:" in found.found[0]["add"]
    assert check(mapped(DestinationConfig=LATER), "--handler", name).rules == {rule: "cannot tell"}
    unknown = mapped(DestinationConfig=None, MaximumRetryAttempts=LATER)
    assert check(unknown, "--handler", name).rules == {rule: "cannot tell"}
    assert check(mapped(MaximumRetryAttempts=LATER), "--handler", name).rules == {}


def test_unlimited_retries_need_a_destination(check, mapped, handler):
    """Unlimited retries without a destination let one record block the rest."""
    for service, word in (("dynamodb", "shard"), ("kafka", "topic partition")):
        found = check(mapped(service, DestinationConfig=None, MaximumRetryAttempts=None), "--handler", handler())
        assert found.rules == {"endless-retries": "warning"}
        assert word in found.found[0]["message"]
        assert found.found[0]["add"].splitlines()[0] == "MaximumRetryAttempts: 10"
    assert check(mapped(MaximumRetryAttempts=None), "--handler", handler()).found == []


def test_bisect_off_is_found_where_it_is_possible(check, mapped, handler):
    """Bisect off is found on streams; on Kafka where the pollers are provisioned, which it needs."""
    name, off = handler(), {"BisectBatchOnFunctionError": "false"}
    assert check(mapped(**off), "--handler", name).rules == {"bisect": "warning"}
    assert check(mapped(BisectBatchOnFunctionError=LATER), "--handler", name).rules == {"bisect": "cannot tell"}
    assert check(mapped("kafka", **off), "--handler", name).found == []
    ledger = handler("resume=ResumeLedger.in_memory()", "from partialbatch.retries import ResumeLedger\n")
    assert "bisect" in check(mapped(**off), "--handler", ledger).rules
    assert "bisect" not in check(mapped(**off, **UNLIMITED), "--handler", ledger).rules
    assert "bisect" in check(mapped(**off, **UNLIMITED), "--handler", name).rules
    provisioned = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}
    assert check(mapped("kafka", **off, **provisioned), "--handler", name).rules == {"bisect": "warning"}


POLLERS = "ProvisionedPollerConfig: {MinimumPollers: 1}"
PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 2}}


def test_retry_bounds_for_kafka_come_with_pollers(check, run, mapped, handler):
    """A limit of retries for Kafka is advised with the provisioned pollers that it needs, where there are none."""
    endless = {"DestinationConfig": None, "MaximumRetryAttempts": None}
    found = check(mapped("kafka", **endless), "--handler", handler()).by["endless-retries"]
    assert POLLERS in found["add"].splitlines()
    assert "A limit needs provisioned pollers." in found["message"]
    assert "--provisioned-poller-config" in found["fix"]
    assert POLLERS in check(mapped("kafka", **endless, ProvisionedPollerConfig=LATER)).by["endless-retries"]["add"]
    there = check(mapped("kafka", **endless, **PROVISIONED)).by["endless-retries"]
    assert "Provisioned" not in there["add"] + there["message"] + there["fix"]
    assert "Provisioned" not in check(mapped("kinesis", **endless)).by["endless-retries"]["add"]


def queue_mode(mode="Queue"):
    return PROVISIONED | {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": mode}}


@pytest.mark.parametrize("policy", ["stop", "skip_group"])
def test_ordered_policies_are_reported_in_queue_mode(check, mapped, handler, policy):
    """If Kafka keeps no order, a policy that holds records back is reported; continue, the default, is not."""
    plain = {"BisectBatchOnFunctionError": None, "MaximumRetryAttempts": None}
    found = check(mapped("kafka", **plain, **queue_mode()), "--handler", handler(f"error_policy='{policy}'"))
    assert found.rules == {"consumption-mode": "warning"}
    message = found.by["consumption-mode"]["message"]
    problem = f"ConsumptionMode is Queue and the error policy is {policy}: Kafka keeps no order in this mode"
    assert message.startswith(problem)
    assert "group.share.delivery.count.limit" in message
    assert found.by["consumption-mode"]["add"] == "error_policy='continue'"
    assert check(mapped("kafka", **plain, **queue_mode()), "--handler", handler()).found == []
    stream = check(mapped("kafka", **plain, **queue_mode("Stream")), "--handler", handler())
    assert stream.rules == {"bisect": "warning"}


def test_retries_are_limited_in_queue_mode(check, mapped, handler):
    """In queue mode retries are limited, and a missing destination is reported."""
    none = {"DestinationConfig": None, "MaximumRetryAttempts": None}
    found = check(mapped("kafka", **none, **queue_mode()), "--handler", handler())
    assert found.rules == {"on-failure-destination": "warning"}


def test_an_unknown_consumption_mode_is_reported(check, mapped, handler):
    """If it is unknown whether Kafka keeps order, that is reported, because policies depend on it."""
    none = {"MaximumRetryAttempts": None, "DestinationConfig": None}
    found = check(mapped("kafka", **none, **queue_mode(LATER)), "--handler", handler("error_policy='stop'"))
    assert found.rules == {"consumption-mode": "cannot tell", "on-failure-destination": "cannot tell"}


def test_a_function_of_another_runtime_has_no_policy(check, mapped):
    """A tumbling window makes only our handlers stop."""
    path = mapped("kinesis", TumblingWindowInSeconds=60, BisectBatchOnFunctionError=None)
    path.write_text(path.read_text().replace('"Properties": {}', '"Properties": {"Runtime": "java21"}'))
    assert check(path).rules == {"bisect": "warning"}
    queue = mapped("kafka", **queue_mode(LATER))
    queue.write_text(queue.read_text().replace('"Properties": {}', '"Properties": {"Runtime": "java21"}'))
    assert check(queue).found == []
