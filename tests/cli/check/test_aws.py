"""Findings on deployed functions, on moto's server over HTTP."""

from __future__ import annotations

import io
import itertools
import json
import os
import shlex
import zipfile
from types import SimpleNamespace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from partialbatch.cli.check import aws

TRUST = {"Version": "2012-10-17", "Statement": []}
NUMBERS = itertools.count()
CODE = io.BytesIO()
with zipfile.ZipFile(CODE, "w") as archive:
    archive.writestr("a.py", "")


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="module")
def clients(endpoint):
    """Return a maker of clients; each takes a tenth of a second and more."""
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="a", region_name="eu-west-1")
    services = ("lambda", "sqs", "iam", "pipes", "kinesis")
    return {name: session.client(name, endpoint_url=endpoint) for name in services}


@pytest.fixture
def account(endpoint, clients, monkeypatch):
    """Point boto3 at the server, in a region and with keys, and make a function."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {
        "ENDPOINT_URL": endpoint,
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "a",
        "DEFAULT_REGION": "eu-west-1",
    }
    for name, text in variables.items():
        monkeypatch.setenv(f"AWS_{name}", text)
    account = SimpleNamespace(**clients, number=next(NUMBERS))
    role = account.iam.create_role(RoleName=f"role{account.number}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    account.role, account.role_name = role["Arn"], role["RoleName"]
    account.functions = getattr(account, "lambda")
    account.name = f"worker{account.number}"
    made = account.functions.create_function(
        FunctionName=account.name,
        Role=role["Arn"],
        Runtime="python3.13",
        Handler="a.b",
        Timeout=30,
        Code={"ZipFile": CODE.getvalue()},
        Environment={"Variables": {"PARTIALBATCH_ERROR_POLICY": "stop", "X": "y"}},
    )
    account.arn = made["FunctionArn"]
    account.made = []
    yield account
    for uuid in account.made:
        account.functions.delete_event_source_mapping(UUID=uuid)


@pytest.fixture
def queue(account):
    def queue(**attributes):
        name = f"q{account.number}" + (".fifo" if "FifoQueue" in attributes else "")
        url = account.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["QueueArn"]
        return url, arn

    return queue


@pytest.fixture
def mapped(account):
    def mapped(arn, **settings):
        made = account.functions.create_event_source_mapping(FunctionName=account.name, EventSourceArn=arn, **settings)
        account.made.append(made["UUID"])
        return made["UUID"]

    return mapped


@pytest.fixture
def mapped_queue(queue, mapped):
    return lambda **attributes: mapped(queue(**attributes)[1], FunctionResponseTypes=["ReportBatchItemFailures"])


def execute(command, account):
    """Run an AWS CLI command of ``--fix`` with boto3: the same operation and parameters."""
    words = shlex.split(command)
    assert words[0] == "aws"
    options, name = {}, None
    for word in words[3:]:
        if word.startswith("--"):
            name = "".join(part.capitalize() for part in word[2:].split("-")).replace("Uuid", "UUID")
            options[name] = True
        else:
            value = json.loads(word) if word[0] in "{[" or word.isdigit() else word
            options[name] = [value] if name == "FunctionResponseTypes" else value
    client = {"lambda": account.functions, "sqs": account.sqs, "iam": account.iam, "pipes": account.pipes}[words[1]]
    if "PolicyDocument" in options:
        options["PolicyDocument"] = json.dumps(options["PolicyDocument"])
    return getattr(client, words[2].replace("-", "_"))(**options)


def test_missing_queue_settings_are_found_and_fixed(account, queue, mapped, check, handler):
    """Missing settings are found, and the printed commands fix them."""
    url, arn = queue()
    uuid = mapped(arn)
    name = handler("max_receive_count=None")
    result = check(account.name, "--handler", name)
    assert result.code == 1
    assert result.rules == {
        "report-batch-item-failures": "error",
        "visibility-timeout": "warning",
        "dead-letter": "warning",
    }
    assert uuid in result.by["report-batch-item-failures"]["where"]
    assert url in result.by["visibility-timeout"]["fix"]
    other = account.sqs.create_queue(QueueName=f"dead{account.number}")["QueueUrl"]
    dead = account.sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["All"])["Attributes"]["QueueArn"]
    for found in result.found:
        execute(found["fix"].replace("<ARN of the dead-letter queue>", dead), account)
    assert check(account.name, "--handler", name).found == []


def test_missing_stream_settings_are_found_and_fixed(account, mapped, check, handler):
    """A stream's mapping is read with the environment of the function, and mended."""
    account.kinesis.create_stream(StreamName=account.name, ShardCount=1)
    arn = account.kinesis.describe_stream_summary(StreamName=account.name)["StreamDescriptionSummary"]["StreamARN"]
    mapped(arn, StartingPosition="LATEST", MaximumRetryAttempts=2)
    name = handler()
    result = check(account.name, "--region", "eu-west-1", "--handler", name)
    assert result.rules == {
        "report-batch-item-failures": "error",
        "unrun-records-discarded": "error",
        "on-failure-destination": "warning",
        "bisect": "warning",
    }
    for found in result.found:
        execute(found["fix"].replace("<ARN of a queue, topic or bucket>", "arn:aws:sqs:eu-west-1:1:q"), account)
    assert check(account.name, "--handler", name).found == []


def test_an_arn_sets_the_region(account, check, monkeypatch):
    """The region is taken from an ARN; a function without event sources is reported as such."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    # moto finds mappings by the function's name only, so there are none for the ARN.
    result = check(account.arn, "--handler", "never:imported")
    assert (result.code, result.sources) == (0, 0)


def test_a_pipe_is_fixed_without_losing_its_other_parameters(account, queue, check, handler):
    """A pipe to the function is found by its target, and mended without losing its other parameters."""
    _, arn = queue(VisibilityTimeout="180", RedrivePolicy="")
    target_of = {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}
    account.pipes.create_pipe(
        Name=account.name,
        RoleArn=account.role,
        Source=arn,
        Target=account.arn,
        TargetParameters=target_of | {"InputTemplate": "<$.body>"},
    )
    account.pipes.create_pipe(Name=f"{account.name}-2", RoleArn=account.role, Source=arn, Target=account.arn + "er")
    name = handler()
    result = check(account.name, "--handler", name)
    assert (result.sources, result.rules) == (1, {"pipe-invocation-type": "error", "dead-letter": "warning"})
    execute(result.by["pipe-invocation-type"]["fix"], account)
    kept = account.pipes.describe_pipe(Name=account.name)["TargetParameters"]
    assert kept["InputTemplate"] == "<$.body>"
    assert check(account.name, "--handler", name).rules == {"dead-letter": "warning"}


STATEMENT = {"Effect": "Allow", "Action": ["sqs:ChangeMessageVisibility"], "Resource": "*"}
SEND = {"Version": "2012-10-17", "Statement": [STATEMENT]}


def test_every_kind_of_policy_of_the_role_is_read(account, mapped_queue, check, handler, with_options):
    """The role's inline, own and AWS managed policies are read, and the command grants the missing actions."""
    mapped_queue(VisibilityTimeout="180")
    with_options(retry_delay=object())
    name = handler()
    missing = check(account.name, "--handler", name)
    assert missing.rules["permissions"] == "error"
    execute(missing.by["permissions"]["fix"], account)
    assert "permissions" not in check(account.name, "--handler", name).rules
    account.iam.delete_role_policy(RoleName=account.role_name, PolicyName="partialbatch")
    own = account.iam.create_policy(PolicyName=account.name, PolicyDocument=json.dumps(SEND))["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName=account.role_name, PolicyArn=own)
    assert "permissions" not in check(account.name, "--handler", name).rules


def test_a_function_that_does_not_exist_ends_with_2(account, run):
    """A function that does not exist is one line and exit code 2: nothing was checked."""
    result = run("no-such-function")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: no-such-function: ")
    assert len(result.stderr.splitlines()) == 1


def test_settings_of_a_deleted_queue_are_unknown(account, queue, mapped, check):
    """The settings of a deleted queue are unknown."""
    url, arn = queue()
    mapped(arn)
    account.sqs.delete_queue(QueueUrl=url)
    assert check(account.name).rules["dead-letter"] == "cannot tell"


class Refusing:
    """A client some of whose operations AWS refuses."""

    def __init__(self, client, refused):
        self._client = client
        for name in refused:
            operation = "".join(part.capitalize() for part in name.split("_"))
            client.meta.events.register(f"before-call.*.{operation}", self._refuse)

    def _refuse(self, model, **_):
        response = SimpleNamespace(status_code=403, headers={})
        return response, {"Error": {"Code": "AccessDenied", "Message": model.name}, "ResponseMetadata": {}}

    def __getattr__(self, name):
        return getattr(self._client, name)


def refusing(*refused):
    session = boto3.Session()
    return lambda service: Refusing(session.client(service), refused)


@pytest.mark.parametrize("operation", ["get_queue_url", "get_queue_attributes"])
def test_settings_of_an_unreadable_queue_are_unknown(account, queue, mapped, operation):
    """Settings of a queue that AWS refuses to return are unknown, with the reason."""
    mapped(queue()[1])
    (mapping,) = aws.read(account.name, refusing(operation)).mappings
    assert mapping.queue.why == f"AWS answers AccessDenied to {''.join(p.capitalize() for p in operation.split('_'))}"


def test_unreadable_pipes_leave_the_source_unknown(account, queue):
    """Pipes that cannot be listed or read leave the source unknown."""
    account.pipes.create_pipe(Name=account.name, RoleArn=account.role, Source=queue()[1], Target=account.arn)
    for operation in ("list_pipes", "describe_pipe"):
        (mapping,) = aws.read(account.name, refusing(operation)).mappings
        assert mapping.pipe
        assert "AccessDenied" in mapping.kind.why


@pytest.mark.parametrize(
    "operation",
    [
        "list_role_policies",
        "list_attached_role_policies",
        "get_role_policy",
        "get_policy",
        "get_policy_version",
    ],
)
def test_unreadable_policies_are_named(account, queue, mapped, operation):
    """Policies that cannot be read are named as such."""
    account.iam.put_role_policy(RoleName=account.role_name, PolicyName="inline", PolicyDocument=json.dumps(SEND))
    own = account.iam.create_policy(PolicyName=account.name, PolicyDocument=json.dumps(SEND))["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName=account.role_name, PolicyArn=own)
    mapped(queue()[1])
    (mapping,) = aws.read(account.name, refusing(operation)).mappings
    assert len(mapping.function.unreadable) == 1


@pytest.mark.parametrize(("service", "rule"), [("pipes", "source"), ("iam", "permissions")])
def test_an_unreachable_service_hides_no_other_finding(  # fixtures and cases
    account, mapped_queue, check, handler, with_options, monkeypatch, service, rule
):
    """A region without EventBridge Pipes, or a network that leads to some services alone, hides no other finding."""
    mapped_queue()
    with_options(sink=SimpleNamespace(iam_actions=["sqs:SendMessage"]))
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = check(account.name, "--handler", handler()).rules
    assert (found["dead-letter"], found[rule]) == ("warning", "cannot tell")


def test_an_undecryptable_environment_is_unknown(account, mapped, queue):
    """An environment that AWS cannot decrypt is unknown."""
    mapped(queue()[1])

    def client(service):
        made = boto3.client(service)
        made.meta.events.register(
            "after-call.lambda.GetFunctionConfiguration",
            lambda parsed, **_: parsed.update(Environment={"Error": {"ErrorCode": "AccessDeniedException"}}),
        )
        return made

    (mapping,) = aws.read(account.name, client).mappings
    assert "decrypt" in mapping.function.environment.why


def test_a_self_managed_cluster_is_kafka(account):
    """A self-managed cluster is Kafka with any name."""

    def client(service):
        made = boto3.client(service)
        body = {"UUID": "u", "SelfManagedEventSource": {"Endpoints": {}}}
        made.meta.events.register(
            "after-call.lambda.ListEventSourceMappings", lambda parsed, **_: parsed.update(EventSourceMappings=[body])
        )
        return made

    (mapping,) = aws.read(account.name, client).mappings
    assert (mapping.kind, mapping.name) == ("kafka", "event source mapping u")


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"AWS_DEFAULT_REGION": ""}, "region"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}, "credentials"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "Could not connect"),
    ],
)
def test_missing_region_credentials_or_network_end_with_2(account, run, monkeypatch, variables, text):
    """Without region, credentials or network there is one line that says so, and exit code 2."""
    for name, value in (variables | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}).items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    result = run("worker")
    assert result.exit_code == 2
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
