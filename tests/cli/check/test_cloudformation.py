"""Findings in CloudFormation and SAM templates."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/template.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_have_no_findings(path, check, monkeypatch):
    """With its handler known, nothing is found in any of the examples, and nothing is left out."""
    monkeypatch.chdir(path.parent)
    # What the handler of an example reads when it is imported.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in re.findall(r'environ\["(\w+)"\]', (path.parent / "handler.py").read_text()):
        monkeypatch.setenv(name, f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name.lower()}")
    result = check(path, "--handler", "handler:handler")
    assert (result.code, result.found, result.sources) == (0, [], 1)


SAM = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Timeout: {timeout}
Parameters:
  Retries: {{Type: Number, Default: 3}}
  Response: {{Type: String}}
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties: {queue}
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      {function}
      Events:
        Web:
          Type: HttpApi
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Orders.Arn
            {event}
"""
REPORTS = "FunctionResponseTypes: [ReportBatchItemFailures]"
GOOD_QUEUE = "{VisibilityTimeout: 180, RedrivePolicy: {deadLetterTargetArn: a, maxReceiveCount: 5}}"


@pytest.fixture
def sam(write):
    def sam(timeout=30, queue=GOOD_QUEUE, function="CodeUri: .", event=REPORTS):
        return write(SAM.format(timeout=timeout, queue=queue, function=function, event=event))

    return sam


def test_missing_queue_settings_are_found_with_file_and_line(check, sam):
    """Each thing that is missing is found, with the file, the line and the line to add."""
    path = sam(queue="{}", event="BatchSize: 10", timeout=10)
    result = check(path)
    assert result.code == 1
    assert result.rules == {
        "report-batch-item-failures": "error",
        "visibility-timeout": "warning",
        "dead-letter": "warning",
        "handler-options": "cannot tell",
    }
    found = result.by["report-batch-item-failures"]
    lines = path.read_text().splitlines()
    assert lines[found["line"] - 1].strip() == "Orders:"
    assert found["file"] == str(path)
    assert found["where"] == "Handler.Events.Orders"
    assert found["add"] == "FunctionResponseTypes: [ReportBatchItemFailures]"
    assert yaml.safe_load(result.by["visibility-timeout"]["add"]) == {"VisibilityTimeout": 60}
    redrive = yaml.safe_load(result.by["dead-letter"]["add"])["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == 5


def test_sam_globals_set_the_timeout(check, sam):
    """A timeout in SAM's globals is the function's."""
    assert "visibility-timeout" not in check(sam(timeout=30)).rules
    assert check(sam(timeout=31)).rules["visibility-timeout"] == "warning"
    assert check(sam(timeout=181)).rules["visibility-timeout"] == "error"


def test_the_batching_window_is_added_to_the_visibility_timeout(check, sam):
    """The batching window comes on top of the six timeouts."""
    result = check(sam(event=f"{REPORTS}\n            MaximumBatchingWindowInSeconds: 1"))
    assert "181 s" in result.by["visibility-timeout"]["message"]


def test_parameters_have_their_default_or_the_given_value(check, sam):
    """A parameter has its default or the value of --parameter; without either it is unknown."""
    few = "{VisibilityTimeout: 180, RedrivePolicy: {deadLetterTargetArn: a, maxReceiveCount: !Ref Retries}}"
    assert check(sam(queue=few)).rules["max-receive-count"] == "warning"
    assert "max-receive-count" not in check(sam(queue=few), "--parameter", "Retries=5").rules
    path = sam(event="FunctionResponseTypes: [!Ref Response]")
    result = check(path)
    assert result.rules["report-batch-item-failures"] == "cannot tell"
    assert "--parameter Response=VALUE" in result.by["report-batch-item-failures"]["message"]
    told = check(path, "--parameter", "Response=ReportBatchItemFailures")
    assert "report-batch-item-failures" not in told.rules
    assert check(path, "--parameter", "Response=Else").rules["report-batch-item-failures"] == "error"


@pytest.mark.parametrize(
    ("queue", "rule"),
    [
        (
            "{VisibilityTimeout: !ImportValue x, RedrivePolicy: {deadLetterTargetArn: a, maxReceiveCount: 5}}",
            "visibility-timeout",
        ),
        (
            "{VisibilityTimeout: many, RedrivePolicy: {deadLetterTargetArn: a, maxReceiveCount: 5}}",
            "visibility-timeout",
        ),
        ("{VisibilityTimeout: 180, RedrivePolicy: !ImportValue x}", "dead-letter"),
        ("{VisibilityTimeout: 180, RedrivePolicy: 'no JSON'}", "dead-letter"),
        ("{VisibilityTimeout: 180, RedrivePolicy: {maxReceiveCount: !ImportValue x}}", "max-receive-count"),
        ("{VisibilityTimeout: 180, RedrivePolicy: {deadLetterTargetArn: a}}", "max-receive-count"),
    ],
)
def test_unresolvable_values_are_reported_as_unknown(check, sam, queue, rule):
    """A value that only the deployment knows is never taken as fine."""
    assert check(sam(queue=queue)).rules[rule] == "cannot tell"


def test_a_queue_outside_the_template_is_unknown(check, sam):
    """The settings of a queue outside the template are unknown."""
    path = sam()
    path.write_text(path.read_text().replace("!GetAtt Orders.Arn", "arn:aws:sqs:eu-west-1:123456789012:other"))
    rules = check(path).rules
    assert (rules["visibility-timeout"], rules["dead-letter"]) == ("cannot tell", "cannot tell")
    path.write_text(path.read_text().replace("arn:aws:sqs:eu-west-1:123456789012:other", "!ImportValue queue"))
    assert check(path).rules["dead-letter"] == "cannot tell"


def test_a_fifo_handler_needs_the_queues_max_receive_count(check, sam, handler):
    """On FIFO the handler must know the queue's maxReceiveCount, by argument or environment, and the same one."""
    queue = "{FifoQueue: true, VisibilityTimeout: 180, RedrivePolicy: {deadLetterTargetArn: a, maxReceiveCount: 5}}"
    path = sam(queue=queue)
    result = check(path, "--handler", handler())
    assert result.by["handler-max-receive-count"]["add"] == "max_receive_count=5"
    assert check(path, "--handler", handler("max_receive_count=5")).found == []
    assert "is 4" in check(path, "--handler", handler("max_receive_count=4")).found[0]["message"]
    assert check(path, "--handler", handler("error_policy='continue'")).found == []
    given = sam(queue=queue, function="Environment: {Variables: {PARTIALBATCH_MAX_RECEIVE_COUNT: 5}}")
    assert check(given, "--handler", handler()).found == []
    unknown = sam(queue=queue.replace("true", "!ImportValue x"))
    assert check(unknown, "--handler", handler()).rules == {"handler-max-receive-count": "cannot tell"}


def test_a_timeout_within_the_deadline_margin_is_an_error(check, sam, handler):
    """A function that times out within the handler's margin never runs a record."""
    path = sam(timeout=2)
    assert check(path, "--handler", handler("deadline_margin=1.9")).found == []
    assert check(path, "--handler", handler("deadline_margin=2")).rules == {"deadline-margin": "error"}
    unknown = sam(timeout="!ImportValue x")
    assert check(unknown, "--handler", handler()).rules == {"deadline-margin": "cannot tell"}


@pytest.mark.parametrize("types", ["true", "5", "!GetAtt Orders.Arn", "{a: b}"])
def test_malformed_response_types_are_unknown(check, sam, handler, types):
    """FunctionResponseTypes that aren't a list are neither right nor wrong, but unknown."""
    result = check(sam(event=f"FunctionResponseTypes: {types}"), "--handler", handler())
    assert result.rules == {"report-batch-item-failures": "cannot tell"}


@pytest.mark.parametrize("variables", ["x", "!GetAtt Orders.Arn"])
def test_malformed_variables_leave_the_options_unknown(check, sam, variables):
    """Variables that aren't a mapping may set any option."""
    found = check(sam(function=f"Environment: {{Variables: {variables}}}")).by["handler-options"]
    assert "instead of a mapping" in found["message"]


def test_separate_event_source_mappings_are_read(check, write):
    """Separate mappings are read, through aliases, names and CDK's output."""
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"FunctionName": "worker", "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Timeout": "5"},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Function"}}},
    }
    for name, function, source in (
        ("ByRef", {"Ref": "Function"}, {"Fn::GetAtt": ["Queue", "Arn"]}),
        ("ByAlias", {"Ref": "Alias"}, {"Fn::Sub": "${Queue.Arn}"}),
        ("ByName", "worker", {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders"}),
        (
            "ByArn",
            {"Fn::Join": [":", ["arn:aws:lambda", {"Ref": "AWS::Region"}, "1:function:worker"]]},
            "arn:aws:sqs:eu-west-1:1:orders",
        ),
    ):
        properties = {"FunctionName": function, "EventSourceArn": source}
        resources[name] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    result = check(write({"Resources": resources}, "stack.template.json"))
    errors = [each["where"] for each in result.found if each["severity"] == "error"]
    assert sorted(errors) == ["ByAlias", "ByArn", "ByName", "ByRef"]
    assert len([each for each in result.found if each["rule"] == "visibility-timeout"]) == 0
    assert len([each for each in result.found if each["rule"] == "dead-letter"]) == 1  # the queue, told once
    assert {each["where"] for each in result.found if each["rule"] == "handler-options"} == {"Function"}


@pytest.mark.parametrize(
    "function",
    [
        "worker:live",
        {"Fn::Sub": "${Function.Arn}:live"},
        {"Fn::Sub": "${Function}:live"},
        {"Fn::Sub": "${Function.Arn}:${Stage}"},
        {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${Function}:live"},
        {"Fn::Join": ["", [{"Fn::GetAtt": ["Function", "Arn"]}, ":live"]]},
        {"Fn::Join": [":", [{"Ref": "Function"}, "live"]]},
    ],
)
@pytest.mark.parametrize("pipe", [False, True])
def test_an_alias_given_by_name_leads_to_its_function(check, write, function, pipe):
    """A mapping or pipe to an alias that stands behind its function's name is one to the function."""
    source = {"Fn::GetAtt": ["Queue", "Arn"]}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping"}
    mapping["Properties"] = {"FunctionName": function, "EventSourceArn": source}
    if pipe and isinstance(function, dict):
        mapping = {"Type": "AWS::Pipes::Pipe", "Properties": {"Source": source, "Target": function}}
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "worker", "Timeout": 40}},
        "Mapping": mapping,
    }
    parameters = {"Stage": {"Type": "String"}}
    found = check(write({"Resources": resources, "Parameters": parameters}, "a.json"))
    assert found.rules["visibility-timeout"] == "error"
    assert found.by["handler-options"]["where"] == "Function"


@pytest.mark.parametrize("function", [{"Fn::ImportValue": "x"}, "other", {"Ref": "Topic"}, {"Fn::Sub": "${Topic}:x"}])
def test_a_function_outside_the_template_is_unknown(check, write, function):
    """Timeout and options of a function outside the template are unknown."""
    properties = {"FunctionName": function, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties},
    }
    rules = check(write({"Resources": resources}, "a.json")).rules
    assert rules["deadline-margin"] == "cannot tell"
    assert rules["handler-options"] == "cannot tell"


def test_a_given_handler_is_checked_for_a_function_outside_the_template(check, write, handler):
    """With --handler, a function outside the template is checked, except for its unknown environment."""
    source = {"EventSourceArn": "arn:aws:kinesis:eu-west-1:1:stream/s", "MaximumRetryAttempts": 3}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": source | {"FunctionName": "other"}}
    path = write({"Resources": {"Mapping": mapping}}, "a.json")
    found = check(path, "--handler", handler("error_policy='stop'"))
    assert (found.code, found.rules["unrun-records-discarded"]) == (1, "error")
    options = found.by["handler-options"]
    assert options["severity"] == "cannot tell"
    question = "whether the function's environment sets error_policy or deadline_margin if the handler's code doesn't"
    assert question in options["message"]
    source |= {"EventSourceArn": "arn:aws:mq:eu-west-1:1:broker:a"}
    mapping["Properties"] |= source
    assert check(write({"Resources": {"Mapping": mapping}}, "a.json"), "--handler", handler()).rules == {
        "deadline-margin": "cannot tell"
    }


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ({"EventSourceArn": {"Ref": "Table"}}, "stream"),
        ({"EventSourceArn": "arn:aws:kinesis:eu-west-1:1:stream/a"}, "stream"),
        ({"EventSourceArn": "arn:aws:kafka:eu-west-1:1:cluster/a"}, "kafka"),
        ({"EventSourceArn": {"Fn::ImportValue": "x"}, "Topics": ["t"]}, "kafka"),
        ({"SelfManagedEventSource": {"Endpoints": {}}}, "kafka"),
        ({"EventSourceArn": "arn:aws:mq:eu-west-1:1:broker:a"}, "none"),
        ({"EventSourceArn": {"Fn::ImportValue": "x"}}, "unknown"),
        ({"EventSourceArn": {"Ref": "Topic"}}, "unknown"),
        ({"EventSourceArn": "what"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_kind_of_source_follows_from_arn_type_or_properties(check, write, properties, kind):
    """The source is known by ARN, resource type or Kafka's own properties, or else reported as unchecked."""
    resources = {
        "Table": {"Type": "AWS::DynamoDB::Table"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {}},
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": "Function"}, **properties},
        },
    }
    rules = check(write({"Resources": resources}, "a.json")).rules
    expected = {
        "stream": {"report-batch-item-failures", "bisect", "endless-retries", "handler-options"},
        "kafka": {"report-batch-item-failures", "endless-retries", "handler-options"},
        "none": set(),
        "unknown": {"source", "handler-options"},
    }
    assert set(rules) == expected[kind]


PIPE = {
    "Source": {"Fn::GetAtt": ["Stream", "Arn"]},
    "Target": {"Fn::GetAtt": ["Function", "Arn"]},
    "SourceParameters": {
        "KinesisStreamParameters": {
            "StartingPosition": "LATEST",
            "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
            "MaximumRetryAttempts": 3,
            "DeadLetterConfig": {"Arn": "a"},
        }
    },
}


@pytest.fixture
def pipe(write):
    def pipe(**changes):
        resources = {
            "Stream": {"Type": "AWS::Kinesis::Stream"},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {}},
            "Pipe": {"Type": "AWS::Pipes::Pipe", "Properties": PIPE | changes},
        }
        return write({"Resources": resources}, "a.json")

    return pipe


def invocation(kind):
    return {"LambdaFunctionParameters": {"InvocationType": kind}}


def test_a_pipe_that_does_not_wait_is_an_error(check, pipe, handler):
    """A pipe that does not wait for its function is an error; that it waits is the default."""
    name = handler()
    assert check(pipe(), "--handler", name).found == []
    assert check(pipe(TargetParameters=invocation("REQUEST_RESPONSE")), "--handler", name).found == []
    result = check(pipe(TargetParameters=invocation("FIRE_AND_FORGET")), "--handler", name)
    assert result.rules == {"pipe-invocation-type": "error"}
    assert "REQUEST_RESPONSE" in result.found[0]["add"]
    unknown = pipe(TargetParameters=invocation({"Fn::ImportValue": "x"}))
    assert check(unknown, "--handler", name).rules == {"pipe-invocation-type": "cannot tell"}


def test_a_pipes_stream_settings_are_checked(check, pipe, handler):
    """A pipe's own bisect, retries and dead-letter queue are checked; the fix keeps its other settings."""
    name = handler()
    parameters = {"StartingPosition": "LATEST", "BatchSize": 7}
    path = pipe(SourceParameters={"KinesisStreamParameters": parameters | {"MaximumRetryAttempts": 3}})
    result = check(path, "--handler", name)
    assert result.rules == {"bisect": "warning", "on-failure-destination": "warning"}
    assert "AUTOMATIC_BISECT" in result.by["bisect"]["add"]
    assert "DeadLetterConfig" in result.by["on-failure-destination"]["add"]
    assert '"BatchSize": 7' in result.by["bisect"]["fix"]
    assert "StartingPosition" not in result.by["bisect"]["fix"]
    unknown = pipe(SourceParameters={"KinesisStreamParameters": {"Fn::ImportValue": "x"}})
    assert set(check(unknown, "--handler", name).rules.values()) == {"cannot tell"}


def test_unknown_pipe_settings_are_left_to_fill_in(check, run, pipe, handler):
    """Unknown settings that a fix has to repeat are left to fill in: an ARN, a parameter, or a setting."""
    settings = {
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}},
        "BatchSize": {"Ref": "Size"},
        "ParallelizationFactor": {"Fn::ImportValue": "x"},
    }
    target = invocation("FIRE_AND_FORGET") | {"InputTemplate": [{"Ref": "Queue"}]}
    path = pipe(SourceParameters={"KinesisStreamParameters": settings}, TargetParameters=target)
    template = json.loads(path.read_text()) | {"Parameters": {"Size": {"Type": "Number"}}}
    path.write_text(json.dumps(template))
    found = check(path, "--handler", handler()).by
    assert all(text in found["bisect"]["fix"] for text in ("<ARN of Queue>", "<value of Size>"))
    assert "<value of ParallelizationFactor>" in found["bisect"]["fix"]
    assert '"InputTemplate": ["<ARN of Queue>"]' in found["pipe-invocation-type"]["fix"]
    assert "<ARN of Queue>" in run(path, "--fix").stdout


@pytest.mark.parametrize("parameters", ["x", {"KinesisStreamParameters": "x"}])
def test_malformed_pipe_settings_are_unknown(check, pipe, handler, parameters):
    """Settings that aren't a mapping are unknown."""
    found = check(pipe(SourceParameters=parameters), "--handler", handler())
    assert found.rules == {"on-failure-destination": "cannot tell", "bisect": "cannot tell"}


def test_a_pipe_from_a_queue_is_checked_as_a_queue(check, pipe):
    """A pipe from a queue is checked as a queue; a pipe is skipped if its target certainly isn't a function."""
    assert "dead-letter" in check(pipe(Source={"Fn::GetAtt": ["Queue", "Arn"]}, SourceParameters={})).rules
    assert check(pipe(Target={"Ref": "Topic"})).sources == 0
    assert check(pipe(Target="arn:aws:sqs:eu-west-1:1:q")).sources == 0
    assert check(pipe(Target="arn:aws:lambda:eu-west-1:1:function:f")).sources == 1
    assert check(pipe(Target={"Fn::ImportValue": "x"})).sources == 1
    assert check(pipe(Target={"Ref": "Topic"}, TargetParameters=invocation("FIRE_AND_FORGET"))).sources == 1


SOURCE = "arn:{}:sqs:{}:{}:{}"


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.format("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", "orders"),
        SOURCE.format("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", "${Queue.QueueName}"),
        SOURCE.format("aws", "${Missing}", "1", "orders"),
        SOURCE.format("${Missing}", "eu-west-1", "1", "${Name}"),
        SOURCE.format("aws", "eu-west-1", "${Missing}", "${Queue.QueueName}"),
    ],
)
@pytest.mark.parametrize("pipe", [False, True])
def test_an_arn_is_read_by_the_parts_that_are_known(check, write, source, pipe):
    """A part of an ARN that is not known hides neither the service nor the queue, for a mapping or a pipe."""
    function = {"Fn::Sub": "arn:${AWS::Partition}:lambda:${Missing}:${AWS::AccountId}:function:worker"}
    properties = {"FunctionName": function, "EventSourceArn": {"Fn::Sub": source}}
    if pipe:
        properties = {"Source": {"Fn::Sub": source}, "Target": function, "Name": 5}
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "worker", "Timeout": 40}},
        "M": {"Type": "AWS::Pipes::Pipe" if pipe else "AWS::Lambda::EventSourceMapping", "Properties": properties},
    }
    parameters = {"Missing": {"Type": "String"}, "Name": {"Type": "String", "Default": "orders"}}
    found = check(write({"Resources": resources, "Parameters": parameters}, "a.json"))
    assert found.by["visibility-timeout"]["where"] == "Queue"
    assert found.by["handler-options"]["where"] == "Function"


def test_a_name_with_an_unknown_part_is_found_by_that_part(check, write):
    """A queue's name that a parameter is part of is the same where the same parameter is."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Stage}-orders"}}}
    for stage, where in (("${Stage}", "Q"), ("${Other}", "M")):
        source = {"Fn::Sub": f"arn:aws:sqs:${{AWS::Region}}:1:{stage}-orders"}
        mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": source}}
        parameters = {"Stage": {"Type": "String"}, "Other": {"Type": "String"}}
        found = check(write({"Resources": {"Q": queue, "M": mapping}, "Parameters": parameters}, "a.json"))
        assert found.by["dead-letter"]["where"] == where


@pytest.mark.parametrize("service", ["${Missing}", "{{x}}"])
def test_an_unknown_service_leaves_the_source_unknown(check, write, service):
    """An ARN without a known service may be of anything."""
    source = {"Fn::Sub": f"arn:aws:{service}:eu-west-1:1:${{Missing}}"}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"EventSourceArn": source}}
    parameters = {"Missing": {"Type": "String"}}
    assert check(write({"Resources": {"M": mapping}, "Parameters": parameters}, "a.json")).rules["source"]


def test_a_pipe_to_another_service_is_no_functions(check, pipe):
    """A target whose ARN names another service is skipped, even if other parts of it are unknown."""
    later = {"Fn::ImportValue": "x"}
    assert check(pipe(Target={"Fn::Join": ["", ["arn:aws:sqs:", later, ":1:q"]]})).sources == 0
    assert check(pipe(Target={"Fn::Join": ["", ["arn:aws:", later, ":eu-west-1:1:q"]]})).sources == 1


CHOICE = {"Fn::If": ["Production", {"VisibilityTimeout": 10}, {"VisibilityTimeout": 20}]}


@pytest.fixture
def chosen(write):
    """Write a template whose queue has these properties."""

    def chosen(properties, conditions=None):
        mapping = {"FunctionName": {"Ref": "F"}, "EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}}
        resources = {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": properties},
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 15}},
            "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        }
        parameters = {"Stage": {"Type": "String"}}
        conditions = {"Production": conditions or {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
        return write({"Resources": resources, "Parameters": parameters, "Conditions": conditions}, "a.json")

    return chosen


def test_properties_that_depend_on_a_condition_are_not_taken_as_empty(check, chosen):
    """With the parameter one branch is chosen; without it, only the parts that both branches share are known."""
    path = chosen(CHOICE)
    found = check(path)
    assert found.rules["visibility-timeout"] == "cannot tell"
    assert "depends on the condition Production" in found.by["visibility-timeout"]["message"]
    assert found.rules["dead-letter"] == "warning"  # neither branch has one
    assert check(path, "--parameter", "Stage=prod").rules["visibility-timeout"] == "error"
    assert check(path, "--parameter", "Stage=dev").rules["visibility-timeout"] == "warning"
    one = {"Fn::If": ["Production", {"VisibilityTimeout": 10}, {"Ref": "AWS::NoValue"}]}
    assert check(chosen(one)).rules["dead-letter"] == "cannot tell"


@pytest.mark.parametrize("properties", [5, [], "text", {"Fn::Transform": {"Name": "AWS::Include"}}])
def test_unreadable_properties_are_unknown(check, chosen, properties):
    """Properties that aren't a mapping, or are included, don't count as a queue without settings."""
    rules = check(chosen(properties)).rules
    assert (rules["visibility-timeout"], rules["dead-letter"]) == ("cannot tell", "cannot tell")
