"""The templates of the examples: valid, and set up so that nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint import decode
from cfnlint.api import lint_file

TEMPLATES = sorted((Path(__file__).parents[2] / "examples").glob("*/template.yaml"))
REPORTING = {"SQS", "Kinesis", "DynamoDB", "MSK"}


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.parent.name)
def path(request):
    return request.param


@pytest.fixture
def template(path):
    decoded, problems = decode.decode(str(path))
    assert not problems
    return decoded["Resources"]


def of_type(template, kind):
    return {name: body["Properties"] for name, body in template.items() if body["Type"] == kind}


def mappings(template, *kinds):
    for function in of_type(template, "AWS::Serverless::Function").values():
        for event in function.get("Events", {}).values():
            if event["Type"] in kinds:
                yield function, event["Properties"]


def test_lint(path):
    """cfn-lint finds nothing in a template."""
    assert lint_file(path) == []


def test_folders_can_be_deployed(path, template):
    """A folder holds the handler that its template names, and what to install."""
    (function,) = of_type(template, "AWS::Serverless::Function").values()
    module, name = function["Handler"].split(".")
    assert name == "handler"
    assert (path.parent / f"{module}.py").exists()
    assert (path.parent / "requirements.txt").read_text().startswith("partialbatch")


def test_failures_are_reported(template):
    """Every mapping that can take partial failure responses asks for them."""
    for _, mapping in mappings(template, *REPORTING):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_queues_give_time_and_tries(template):
    """A queue hides messages for six timeouts, gives five tries and has a dead-letter queue of its own kind."""
    queues = of_type(template, "AWS::SQS::Queue")
    for function, mapping in mappings(template, "SQS"):
        queue = queues[mapping["Queue"]["Fn::GetAtt"][0]]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
        dead_letters = queues[queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        assert dead_letters.get("FifoQueue") == queue.get("FifoQueue")


def test_streams_tell_what_was_given_up(template):
    """A failed record is retried, and a queue hears of what is given up."""
    queues = of_type(template, "AWS::SQS::Queue")
    for _, mapping in mappings(template, "Kinesis", "DynamoDB", "MSK"):
        assert mapping["MaximumRetryAttempts"] != 0
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] in queues


def test_stopping_streams_bisect(template):
    """A stream's batch is split at the failure, or retried without end, so that no record is given up unrun."""
    for _, mapping in mappings(template, "Kinesis", "DynamoDB"):
        assert mapping["BisectBatchOnFunctionError"] is (mapping["MaximumRetryAttempts"] != -1)


def test_pipes_wait_for_the_response():
    """A pipe calls the function synchronously, and what it gives up goes to a queue."""
    decoded, _ = decode.decode(str(Path(__file__).parents[2] / "examples" / "pipes" / "template.yaml"))
    (pipe,) = of_type(decoded["Resources"], "AWS::Pipes::Pipe").values()
    assert pipe["TargetParameters"]["LambdaFunctionParameters"]["InvocationType"] == "REQUEST_RESPONSE"
    assert pipe["SourceParameters"]["KinesisStreamParameters"]["DeadLetterConfig"]["Arn"]
