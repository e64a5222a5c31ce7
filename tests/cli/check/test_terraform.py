"""Findings in Terraform plans, shaped as ``terraform show -json`` writes them."""

from __future__ import annotations

import json

import pytest

LATER = object()


class Plan:
    """Builds a plan: values known now, values known after the apply (LATER), and references."""

    def __init__(self):
        self.root = {"resources": [], "child_modules": []}
        self.configuration = {"resources": [], "module_calls": {}}
        self.changes = []

    def add(self, address, references=None, **values):
        kind, name = address.partition("[")[0].split(".")[-2:]
        later = {key: True for key, value in values.items() if value is LATER}
        known = {key: value for key, value in values.items() if value is not LATER}
        resource = {"address": address, "type": kind, "name": name, "values": known}
        if "[" in address:
            resource["index"] = json.loads(address.partition("[")[2][:-1])
        expressions = {key: {} for key in values} | {
            key: {"references": listed} for key, listed in (references or {}).items()
        }
        self.changes.append(
            {"address": address, "change": {"after_unknown": later | dict.fromkeys(references or {}, True)}}
        )
        self.root["resources"].append(resource)
        configured = {"address": f"{kind}.{name}", "type": kind, "name": name, "expressions": expressions}
        self.configuration["resources"].append(configured)
        return self

    def json(self):
        return {
            "format_version": "1.2",
            "planned_values": {"root_module": self.root},
            "resource_changes": self.changes,
            "configuration": {"root_module": self.configuration},
        }


MAPPING = "aws_lambda_event_source_mapping.orders"


def source(kind="aws_sqs_queue.orders"):
    return {
        "event_source_arn": [f"{kind}.arn", kind],
        "function_name": ["aws_lambda_function.worker.arn", "aws_lambda_function.worker"],
    }


@pytest.fixture
def plan():
    plan = Plan()
    plan.add("aws_lambda_function.worker", {"role": ["aws_iam_role.worker.arn", "aws_iam_role.worker"]}, timeout=30)
    return plan.add("aws_iam_role.worker", name="worker")


@pytest.fixture
def examine(check, write, handler):
    """Check a plan, with a handler of these options."""

    def examine(plan, options="", before=""):
        path = write(plan.json(), "plan.json")
        return check(path, "--handler", handler(options, before))

    return examine


GOOD = {"visibility_timeout_seconds": 180, "redrive_policy": json.dumps({"maxReceiveCount": 5})}


def test_missing_queue_settings_are_found_in_terraforms_language(plan, examine):
    """Missing settings are found at their address, with a line in Terraform's language."""
    plan.add("aws_sqs_queue.orders").add(MAPPING, source())
    result = examine(plan)
    assert result.code == 1
    assert result.rules == {
        "report-batch-item-failures": "error",
        "visibility-timeout": "warning",
        "dead-letter": "warning",
    }
    assert result.by["report-batch-item-failures"]["where"] == MAPPING
    assert result.by["report-batch-item-failures"]["add"] == 'function_response_types = ["ReportBatchItemFailures"]'
    assert result.by["visibility-timeout"]["add"] == "visibility_timeout_seconds = 180"
    assert result.by["dead-letter"]["add"].startswith("redrive_policy = jsonencode({")


def test_a_complete_queue_has_no_findings(plan, examine):
    """Nothing is found where all is set."""
    plan.add("aws_sqs_queue.orders", **GOOD)
    plan.add(MAPPING, source(), function_response_types=["ReportBatchItemFailures"])
    assert examine(plan).found == []


def test_malformed_response_types_are_unknown(plan, examine):
    """Response types that aren't a list are neither right nor wrong, but unknown."""
    plan.add("aws_sqs_queue.orders", **GOOD)
    plan.add(MAPPING, source(), function_response_types=True)
    assert examine(plan).rules == {"report-batch-item-failures": "cannot tell"}


def test_values_known_after_the_apply_are_unknown(plan, examine):
    """A redrive policy with the ARN of a new queue is unknown; a computed setting counts as not set."""
    redrive = {"redrive_policy": ["aws_sqs_queue.dead.arn", "aws_sqs_queue.dead"]}
    plan.add("aws_sqs_queue.orders", redrive, visibility_timeout_seconds=180)
    plan.add("aws_sqs_queue.dead")
    plan.add(MAPPING, source(), function_response_types=["ReportBatchItemFailures"])
    plan.changes[-1]["change"]["after_unknown"]["maximum_retry_attempts"] = True
    assert examine(plan).rules == {"dead-letter": "cannot tell"}
    plan.add(
        "aws_sqs_queue_redrive_policy.it",
        {"queue_url": ["aws_sqs_queue.orders.url"]},
        redrive_policy=GOOD["redrive_policy"],
    )
    plan.add("aws_sqs_queue_redrive_policy.other", {"queue_url": ["aws_sqs_queue.dead.url"]}, redrive_policy=None)
    assert examine(plan).found == []


def test_arns_replace_references_after_the_apply(plan, examine):
    """Once applied, ARNs take the place of references."""
    plan.add("aws_sqs_queue.orders", arn="arn:aws:sqs:eu-west-1:1:orders", url="https://queue", name="orders")
    plan.root["resources"][0]["values"] |= {
        "arn": "arn:aws:lambda:eu-west-1:1:function:worker",
        "function_name": "worker",
    }
    plan.add(
        MAPPING,
        event_source_arn="arn:aws:sqs:eu-west-1:1:orders",
        function_name="worker",
        uuid="u-1",
        function_response_types=[],
    )
    result = examine(plan)
    assert "--uuid u-1 " in result.by["report-batch-item-failures"]["fix"]
    assert "--queue-url https://queue " in result.by["visibility-timeout"]["fix"]


@pytest.mark.parametrize("kind", ["aws_kinesis_stream", "aws_dynamodb_table"])
def test_nested_blocks_of_a_stream_are_read(plan, examine, kind):
    """Blocks are read: the destination is there even if its ARN is known later."""
    plan.add(f"{kind}.it")
    values = {
        "function_response_types": ["ReportBatchItemFailures"],
        "bisect_batch_on_function_error": True,
        "maximum_retry_attempts": 3,
    }
    plan.add(MAPPING, source(f"{kind}.it"), **values, destination_config=[{"on_failure": [{}]}])
    assert examine(plan).found == []
    plan.root["resources"][-1]["values"]["destination_config"] = []
    result = examine(plan)
    assert result.rules == {"on-failure-destination": "warning"}
    assert result.found[0]["add"].startswith("destination_config { on_failure { destination_arn = ")


def test_a_dynamic_block_is_unknown(plan, examine):
    """The content of a dynamic block is unknown."""
    plan.add("aws_kinesis_stream.it")
    plan.add(
        MAPPING,
        source("aws_kinesis_stream.it"),
        function_response_types=LATER,
        maximum_retry_attempts=3,
        bisect_batch_on_function_error=True,
        destination_config=LATER,
    )
    plan.configuration["resources"][-1]["expressions"]["function_response_types"] = {"references": ["local.types"]}
    rules = examine(plan).rules
    assert rules == {"report-batch-item-failures": "cannot tell", "on-failure-destination": "cannot tell"}


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"topics": ["a"]}, "report-batch-item-failures"),
        ({"self_managed_event_source": [{}]}, "report-batch-item-failures"),
        ({"event_source_arn": "what"}, "source"),
    ],
)
def test_kafka_is_recognized_by_its_settings(plan, examine, values, rule):
    """Kafka is recognized by its own settings; a source of an unknown kind is reported."""
    plan.add(MAPPING, {"function_name": source()["function_name"]}, **values)
    assert rule in examine(plan).rules


def test_resources_outside_the_plan_are_unknown(plan, check, write):
    """Resources outside the plan are unknown."""
    plan.add("aws_sns_topic.it")
    plan.add(MAPPING, {"event_source_arn": ["aws_sns_topic.it.arn"], "function_name": ["var.name"]})
    rules = check(write(plan.json(), "plan.json")).rules
    assert rules == {"source": "cannot tell", "deadline-margin": "cannot tell", "handler-options": "cannot tell"}
    plan.add("aws_lambda_event_source_mapping.b", event_source_arn="arn:aws:sqs:eu-west-1:1:q", function_name="other")
    plan.add(
        "aws_lambda_event_source_mapping.c", {"event_source_arn": ["data.aws_sqs_queue.x.arn"]}, function_name="other"
    )
    rules = check(write(plan.json(), "plan.json")).rules
    assert rules["dead-letter"] == "cannot tell"


def test_a_mapping_to_an_alias_leads_to_its_function(plan, examine):
    """A mapping to an alias is one to its function."""
    plan.add("aws_lambda_alias.live", {"function_name": ["aws_lambda_function.worker.function_name"]})
    plan.add("aws_sqs_queue.orders", **GOOD)
    references = source() | {"function_name": ["aws_lambda_alias.live.arn"]}
    plan.add(MAPPING, references, function_response_types=["ReportBatchItemFailures"])
    assert examine(plan).found == []
    plan.root["resources"][0]["values"]["timeout"] = 31
    assert examine(plan).rules == {"visibility-timeout": "warning"}


@pytest.mark.parametrize("name", ["worker:live", "arn:aws:lambda:eu-west-1:1:function:worker:live"])
def test_an_alias_given_by_name_leads_to_its_function(plan, examine, name):
    """A mapping to an alias that the plan does not have is one to its function."""
    values = {"function_name": "worker", "arn": "arn:aws:lambda:eu-west-1:1:function:worker"}
    plan.root["resources"][0]["values"].update(values, timeout=31)
    plan.add("aws_sqs_queue.orders", **GOOD)
    queue = {"event_source_arn": source()["event_source_arn"]}
    plan.add(MAPPING, queue, function_name=name, function_response_types=["ReportBatchItemFailures"])
    assert examine(plan).rules == {"visibility-timeout": "warning"}


def test_a_reference_means_the_instance_with_the_same_key(plan, examine):
    """With for_each a reference means the instance of the same key; without one it is ambiguous."""
    for key, seconds in (("a", 180), ("b", 1)):
        plan.add(f'aws_sqs_queue.orders["{key}"]', **GOOD | {"visibility_timeout_seconds": seconds})
        plan.add(f'{MAPPING}["{key}"]', source(), function_response_types=["ReportBatchItemFailures"])
    result = examine(plan)
    assert [each["where"] for each in result.found] == ['aws_sqs_queue.orders["b"]']
    plan.add("aws_lambda_event_source_mapping.one", source(), function_response_types=["ReportBatchItemFailures"])
    assert examine(plan).rules["source"] == "cannot tell"


def module(name, resources, arguments=None, outputs=None):
    """Return a child module: its planned resources, and the call in the configuration."""
    inner = Plan()
    for address, references, values in resources:
        inner.add(address, references, **values)
    planned = inner.json()["planned_values"]["root_module"]
    for resource, change in zip(planned["resources"], inner.changes, strict=True):
        resource["address"] = change["address"] = f"module.{name}.{resource['address']}"
    planned["address"] = f"module.{name}"
    configured = inner.configuration | {"outputs": outputs or {}}
    return planned, {"expressions": arguments or {}, "module": configured}, inner.changes


def attach(plan, name, made):
    planned, call, changes = made
    plan.root["child_modules"].append(planned)
    plan.configuration["module_calls"][name] = call
    plan.changes += changes


def test_references_are_followed_into_and_out_of_modules(plan, examine):
    """References are followed into a module through its outputs and out of it through its variables."""
    queue = ("aws_sqs_queue.it", None, {"visibility_timeout_seconds": 7})
    outputs = {"arn": {"expression": {"references": ["aws_sqs_queue.it.arn", "aws_sqs_queue.it"]}}}
    attach(plan, "queue", module("queue", [queue], outputs=outputs))
    inside = (
        "aws_lambda_event_source_mapping.it",
        {"event_source_arn": ["var.queue"], "function_name": ["var.function"]},
        {},
    )
    arguments = {
        "queue": {"references": ["module.queue.arn", "module.queue"]},
        "function": {"references": ["aws_lambda_function.worker.arn"]},
    }
    attach(plan, "mapping", module("mapping", [inside], arguments))
    result = examine(plan)
    assert result.by["report-batch-item-failures"]["where"] == "module.mapping.aws_lambda_event_source_mapping.it"
    assert result.by["visibility-timeout"]["where"] == "module.queue.aws_sqs_queue.it"


PIPE = {"source": ["aws_kinesis_stream.it.arn"], "target": ["aws_lambda_function.worker.arn"]}


def pipe_values(invocation="REQUEST_RESPONSE", **parameters):
    target_of = [{"lambda_function_parameters": [{"invocation_type": invocation}]}]
    return {"target_parameters": target_of, "source_parameters": [{"kinesis_stream_parameters": [parameters]}]}


def test_a_pipes_settings_are_checked(plan, examine):
    """A pipe's invocation type and stream settings are checked."""
    plan.add("aws_kinesis_stream.it")
    values = pipe_values("FIRE_AND_FORGET", maximum_retry_attempts=3, on_partial_batch_item_failure=None)
    plan.add("aws_pipes_pipe.it", PIPE, **values)
    result = examine(plan)
    assert result.rules == {"pipe-invocation-type": "error", "bisect": "warning", "on-failure-destination": "warning"}
    lines = {rule: found["add"] for rule, found in result.by.items()}
    assert lines["pipe-invocation-type"] == (
        'target_parameters { lambda_function_parameters { invocation_type = "REQUEST_RESPONSE" } }'
    )
    assert "kinesis_stream_parameters { on_partial_batch_item_failure" in lines["bisect"]


def test_a_complete_pipe_has_no_findings(plan, examine):
    """A pipe that waits, bisects and has a dead-letter queue has no findings."""
    plan.add("aws_kinesis_stream.it")
    values = pipe_values(
        on_partial_batch_item_failure="AUTOMATIC_BISECT", maximum_retry_attempts=3, dead_letter_config=[{"arn": "a"}]
    )
    plan.add("aws_pipes_pipe.it", PIPE, **values)
    assert examine(plan).found == []


def test_only_pipes_to_functions_are_checked(plan, check, write):
    """A pipe to something else is skipped, one from a queue is checked as such, and unknown parts are reported."""
    plan.add("aws_sns_topic.it").add("aws_sqs_queue.orders")
    plan.add("aws_pipes_pipe.topic", PIPE | {"target": ["aws_sns_topic.it.arn"]})
    assert check(write(plan.json(), "plan.json")).sources == 0
    plan.add("aws_pipes_pipe.queue", PIPE | {"source": ["aws_sqs_queue.orders.arn"]})
    plan.add("aws_pipes_pipe.later", {"target": ["local.a"], "source": ["local.b"]}, source_parameters=LATER)
    plan.configuration["resources"][-1]["expressions"]["source_parameters"] = [{}]
    plan.add(
        "aws_pipes_pipe.text",
        target="arn:aws:lambda:eu-west-1:1:function:f",
        source="arn:aws:kinesis:e:1:stream/a",
        source_parameters=LATER,
    )
    plan.changes[-1]["change"]["after_unknown"]["source_parameters"] = True
    result = check(write(plan.json(), "plan.json"))
    assert result.sources == 3
    assert result.rules["dead-letter"] == "warning"
    assert result.rules["source"] == "cannot tell"
    assert result.rules["bisect"] == "cannot tell"


ALLOW = json.dumps({"Statement": {"Effect": "Allow", "Action": "sqs:ChangeMessageVisibility", "Resource": "*"}})


INLINE, ATTACHED = "aws_iam_role_policy.p", "aws_iam_role_policy_attachment.p"
OURS = {"role": ["aws_iam_role.worker.id"]}
MANAGED = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"


@pytest.mark.parametrize(
    ("resources", "severity"),
    [
        ([], "error"),
        ([(INLINE, OURS, {"policy": ALLOW})], None),
        ([(INLINE, None, {"role": "worker", "policy": ALLOW})], None),
        ([(INLINE, None, {"role": "other", "policy": ALLOW})], "error"),
        ([(INLINE, OURS | {"policy": ["aws_sqs_queue.orders.arn"]}, {})], "cannot tell"),
        ([(INLINE, {"role": ["local.role"]}, {"policy": ALLOW})], "cannot tell"),
        ([(INLINE, OURS, {"policy": "no JSON"})], "cannot tell"),
        ([(ATTACHED, OURS, {"policy_arn": MANAGED})], None),
        ([(ATTACHED, OURS, {"policy_arn": "arn:aws:iam::1:policy/own"})], "cannot tell"),
        (
            [
                (ATTACHED, OURS | {"policy_arn": ["aws_iam_policy.q.arn"]}, {}),
                ("aws_iam_policy.q", None, {"policy": ALLOW}),
            ],
            None,
        ),
    ],
)
def test_policies_in_and_next_to_the_role_are_read(plan, examine, with_options, resources, severity):
    """Policies in and next to the role are read; those known after the apply are unknown."""
    plan.add("aws_sqs_queue.orders", **GOOD)
    plan.add(MAPPING, source(), function_response_types=["ReportBatchItemFailures"])
    for address, references, values in resources:
        plan.add(address, references, **values)
    with_options(retry_delay=object())
    assert examine(plan).rules == ({"permissions": severity} if severity else {})


def test_inline_and_managed_policies_of_the_role_are_read(plan, examine, with_options):
    """Inline policies and managed ARNs of the role itself count; a role outside the plan is unknown."""
    plan.add("aws_sqs_queue.orders", **GOOD)
    plan.add(MAPPING, source(), function_response_types=["ReportBatchItemFailures"])
    with_options(retry_delay=object())
    role = plan.root["resources"][1]["values"]
    role["inline_policy"] = [{"policy": ALLOW}]
    assert examine(plan).found == []
    role["inline_policy"] = [{}]
    assert examine(plan).rules == {"permissions": "cannot tell"}
    role |= {"inline_policy": [], "managed_policy_arns": ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]}
    assert examine(plan).found == []
    plan.root["resources"][0]["values"]["role"] = "arn:aws:iam::1:role/other"
    assert examine(plan).rules == {"permissions": "cannot tell"}


def test_variables_known_after_the_apply_are_unknown(plan, check, write):
    """The function's PARTIALBATCH_* variables are read; those known later are unknown."""
    plan.add("aws_kinesis_stream.it")
    plan.add(
        MAPPING,
        source("aws_kinesis_stream.it"),
        maximum_retry_attempts=3,
        function_response_types=["ReportBatchItemFailures"],
    )
    function, change = plan.root["resources"][0]["values"], plan.changes[0]["change"]["after_unknown"]
    plan.configuration["resources"][0]["expressions"]["environment"] = [{}]

    def policy():
        return check(write(plan.json(), "plan.json"))

    function["environment"] = [{"variables": {"PARTIALBATCH_ERROR_POLICY": "stop"}}]
    assert policy().rules["unrun-records-discarded"] == "cannot tell"
    assert "error_policy" not in policy().by["handler-options"]["message"]
    change["environment"] = [{"variables": {"PARTIALBATCH_ERROR_POLICY": True}}]
    assert "error_policy" in policy().by["handler-options"]["message"]
    change["environment"] = [{"variables": True}]
    assert "after the apply" in policy().by["handler-options"]["message"]
    del function["environment"]
    change["environment"] = True
    assert "after the apply" in policy().by["handler-options"]["message"]


@pytest.mark.parametrize("option", ["--fix", "--json"])
def test_a_malformed_name_is_left_to_fill_in(run, write, plan, option):
    """If a pipe's name or role isn't text, the command leaves it to fill in."""
    target = {"lambda_function_parameters": [{"invocation_type": "FIRE_AND_FORGET"}]}
    values = {
        "name": 5,
        "role_arn": ["r"],
        "source": "arn:aws:kinesis:eu-west-1:1:stream/s",
        "target": "arn:aws:lambda:f",
    }
    plan.add("aws_pipes_pipe.p", target_parameters=[target], **values)
    result = run(write(plan.json(), "plan.json"), option)
    assert result.exit_code == 1
    assert "<name of aws_pipes_pipe.p>" in result.stdout


def test_functions_of_other_runtimes_have_no_option_findings(plan, write, check):
    """A function that runs no Python has none of our options."""
    plan.add("aws_sqs_queue.orders", **GOOD).add(MAPPING, source(), function_response_types=["ReportBatchItemFailures"])
    for runtime, rules in (("nodejs22.x", {}), ("python3.13", {"handler-options": "cannot tell"})):
        plan.root["resources"][0]["values"]["runtime"] = runtime
        assert check(write(plan.json(), "plan.json")).rules == rules
