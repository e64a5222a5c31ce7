"""Inputs that are like real ones, with nodes replaced by anything."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from cfnlint import decode
from cfnlint.template import Template
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from partialbatch.cli import cfn_rules, main

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/template.yaml"))
HANDLER = "from partialbatch import batch_handler\n@batch_handler\ndef handler(record): ...\n"
PARAMETERS = {"Given": {"Type": "String", "Default": "given"}, "Missing": {"Type": "String"}}
CONDITIONS = {
    "Told": {"Fn::Equals": [{"Ref": "Given"}, "given"]},
    "Untold": {"Fn::Equals": [{"Ref": "Missing"}, "given"]},
    "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
}


def plain(value):
    """Take the decoder's marks off."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


TEMPLATES = [json.loads(json.dumps(plain(decode.decode(str(path))[0]))) for path in EXAMPLES]
SCALARS = [
    None,
    True,
    0,
    -1,
    5,
    1.5,
    "",
    "text",
    "Orders",
    "arn:aws:sqs:eu-west-1:1:q",
    [],
    {},
    [None],
    {"a": [1]},
    "\0=",
]
CALLS = [
    {"Ref": "Given"},
    {"Ref": "Missing"},
    {"Ref": "AWS::NoValue"},
    {"Ref": ["Handler"]},
    {"Fn::GetAtt": ["Handler", "Arn"]},
    {"Fn::GetAtt": 5},
    {"Fn::Sub": "arn:${AWS::Partition}:sqs:${Missing}:${AWS::AccountId}:${Handler}"},
    {"Fn::Sub": [5, {"a": {"Ref": "Missing"}}]},
    {"Fn::Join": [5, ["a", None, {"Ref": "Missing"}]]},
    {"Fn::ImportValue": {"Ref": "Given"}},
    {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://a/b"}}},
    {"Fn::Transform": 5, "Type": "SQS"},
    {"Fn::FindInMap": [["a"], {}, None]},
    {"Fn::Select": [0, []]},
]

PLANNED = [
    {"address": "aws_sqs_queue.q", "type": "aws_sqs_queue", "name": "q", "values": {"redrive_policy": "{}"}},
    {"address": "aws_iam_role.r", "type": "aws_iam_role", "name": "r", "values": {"inline_policy": [{"policy": "{}"}]}},
    {
        "address": "aws_lambda_function.f",
        "type": "aws_lambda_function",
        "name": "f",
        "values": {"timeout": 5, "function_name": "f", "role": "r", "environment": [{"variables": {"A": "b"}}]},
    },
    {
        "address": "aws_lambda_event_source_mapping.m",
        "type": "aws_lambda_event_source_mapping",
        "name": "m",
        "values": {"function_name": "f", "destination_config": [{"on_failure": [{"destination_arn": "a"}]}]},
    },
    {
        "address": "aws_pipes_pipe.p",
        "type": "aws_pipes_pipe",
        "name": "p",
        "values": {
            "name": "p",
            "role_arn": "r",
            "source": "arn:aws:kinesis:eu-west-1:1:stream/s",
            "target": "arn:aws:lambda:eu-west-1:1:function:f",
            "target_parameters": [{"lambda_function_parameters": [{"invocation_type": "FIRE_AND_FORGET"}]}],
            "source_parameters": [{"kinesis_stream_parameters": [{"maximum_retry_attempts": 3}]}],
        },
    },
]
CONFIGURED = {
    "address": "aws_lambda_event_source_mapping.m",
    "expressions": {"event_source_arn": {"references": ["aws_sqs_queue.q.arn", "aws_sqs_queue.q"]}},
}
PLAN = {
    "planned_values": {"root_module": {"resources": PLANNED, "child_modules": []}},
    "resource_changes": [
        {"address": "aws_lambda_event_source_mapping.m", "change": {"after_unknown": {"event_source_arn": True}}}
    ],
    "configuration": {"root_module": {"resources": [CONFIGURED], "module_calls": {}}},
}


def nodes(value, path=()):
    """Yield the way to each node."""
    if path:
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(item, (*path, key))


@st.composite
def mutated(draw, originals, calls):
    """Replace up to four nodes."""
    found = deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(sorted(nodes(found), key=repr)))
        parent = found
        for key in way:
            parent = parent[key]
        other = deepcopy(draw(st.sampled_from([*SCALARS, *calls])))
        branches = [draw(st.sampled_from(["Told", "Untold", "Circle", None])), parent[last], other]
        parent[last] = draw(st.sampled_from([other, {"Fn::If": branches}] if calls else [other]))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutated")
    (folder / "handler.py").write_text(HANDLER)
    return folder


OPTIONS = st.sampled_from([(), ("--json",), ("--fix",), ("--strict",), ("--parameter", "Missing=x"), ("--no-import",)])


def ends_well(path, options):
    """Run the command: it has findings or none, or describes the file's problem in one line."""
    result = CliRunner().invoke(main, ["check", str(path), *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        assert len(result.stderr.splitlines()) == 1
    elif "--json" in options:
        assert json.loads(result.stdout)["findings"] is not None


@settings(max_examples=80, deadline=None)
@given(template=mutated(TEMPLATES, CALLS), options=OPTIONS)
def test_no_template_ends_in_a_traceback(folder, template, options):
    """Whatever stands in a template's nodes, the command ends with 0, 1 or 2, and with JSON where it is asked for."""
    if isinstance(template.get("Parameters", {}), dict):
        template["Parameters"] = PARAMETERS | template.get("Parameters", {})
    template.setdefault("Conditions", CONDITIONS)
    (folder / "template.json").write_text(json.dumps(template))
    ends_well(folder / "template.json", options)


@settings(max_examples=80, deadline=None)
@given(plan=mutated([PLAN], []), options=OPTIONS)
def test_no_plan_ends_in_a_traceback(folder, plan, options):
    """Whatever stands in a Terraform plan's nodes, the command ends with 0, 1 or 2."""
    (folder / "plan.json").write_text(json.dumps(plan))
    ends_well(folder / "plan.json", options)


@settings(max_examples=30, deadline=None)
@given(template=mutated(TEMPLATES, CALLS), other=mutated(TEMPLATES, CALLS), options=OPTIONS)
def test_no_assembly_ends_in_a_traceback(folder, template, other, options):
    """Whatever stands in the templates of a cloud assembly, the command ends with 0, 1 or 2."""
    template["Outputs"] = {"Q": {"Value": {"Ref": "Handler"}, "Export": {"Name": {"Ref": "Given"}}}}
    template.setdefault("Parameters", PARAMETERS)
    stack = {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"}
    files = {"a.template.json": template, "b.template.json": other}
    artifacts = {name: stack | {"properties": {"templateFile": name}} for name in files}
    for name, content in (files | {"manifest.json": {"artifacts": artifacts}}).items():
        (folder / name).write_text(json.dumps(content))
    ends_well(folder, options)


@settings(max_examples=80, deadline=None)
@given(template=mutated(TEMPLATES, CALLS))
def test_no_template_ends_the_rules_of_cfn_lint(template):
    """Whatever stands in a template's nodes, reading and checking it raises nothing."""
    decoded, _ = decode.decode_str(json.dumps(template))
    assume(isinstance(decoded, dict))
    # Unlike the command, this has no net beneath the reader.
    cfn_rules._findings.__wrapped__(Template("template.yaml", decoded))
