"""Stacks that are deployed together, and the parts of a template that bring event sources from elsewhere."""

from __future__ import annotations

import pytest

REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
STACK = {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"}
INCLUDE = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/part.yaml"}}}
FUNCTION = {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 30}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 10}}


def consuming(source, function=None):
    properties = {"FunctionName": function or {"Ref": "F"}, "EventSourceArn": source} | REPORTS
    return {"Resources": {"F": FUNCTION, "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}}


def producing(**outputs):
    named = {str(n): {"Value": value, "Export": {"Name": name}} for n, (name, value) in enumerate(outputs.items())}
    return {"Resources": {"Q": QUEUE}, "Outputs": named | {"Plain": {"Value": 5}, "Odd": 5}}


ARN = {"Fn::GetAtt": ["Q", "Arn"]}


@pytest.fixture
def assembly(write, tmp_path):
    """Write a cdk.out with these templates and return its folder."""

    def assembly(folder="cdk.out", environments=(), **templates):
        artifacts = {}
        for name, template in templates.items():
            environment = {"environment": environments[name]} if name in environments else {}
            artifacts[name] = STACK | {"properties": {"templateFile": f"{name}.template.json"}} | environment
            write(template, f"{folder}/{name}.template.json")
        write({"artifacts": artifacts}, f"{folder}/manifest.json")
        return tmp_path / folder

    return assembly


def test_an_import_is_followed_to_the_stack_that_exports_it(check, assembly):
    """A queue that another stack exports is checked, at its place in the other template."""
    found = check(assembly(web=consuming({"Fn::ImportValue": "queue"}), base=producing(queue=ARN)))
    visibility = found.by["visibility-timeout"]
    assert (visibility["severity"], visibility["where"]) == ("error", "Q")
    assert visibility["file"].endswith("base.template.json")


def test_the_name_of_an_export_may_be_made_of_its_stacks_name(check, assembly):
    """An export's name is resolved with the name of its stack, and an import's with its parameters."""
    base = producing(x=ARN)
    base["Outputs"]["0"]["Export"]["Name"] = {"Fn::Sub": "${AWS::StackName}-queue"}
    web = consuming({"Fn::ImportValue": {"Fn::Sub": "${Base}-queue"}})
    web["Parameters"] = {"Base": {"Type": "String", "Default": "base"}}
    assert check(assembly(web=web, base=base)).rules["visibility-timeout"] == "error"


def test_a_function_of_another_stack_is_found(check, assembly):
    """A mapping may import its function, too, and both stacks may use the same name."""
    base = producing(queue=ARN, function={"Ref": "F"})
    base["Resources"]["F"] = FUNCTION | {"Properties": {"Timeout": 1}}
    web = consuming({"Fn::ImportValue": "queue"}, {"Fn::ImportValue": "function"})
    assert "visibility-timeout" not in check(assembly(web=web, base=base)).rules


def test_a_fixed_name_is_found_in_another_stack(check, assembly):
    """An ARN that ends in a queue's name finds it in any stack, that of the same stack first."""
    named = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders", "VisibilityTimeout": 10}}
    web, base = consuming("arn:aws:sqs:eu-west-1:1:orders"), {"Resources": {"Q": named}}
    assert check(assembly(web=web, base=base)).by["visibility-timeout"]["file"].endswith("base.template.json")
    web["Resources"]["Mine"] = named
    assert check(assembly(web=web, base=base)).by["visibility-timeout"]["where"] == "Mine"


@pytest.mark.parametrize(
    ("stacks", "text"),
    [
        ({"base": producing(other=ARN)}, "no stack here exports"),
        ({"base": producing(queue=ARN), "more": producing(queue=ARN)}, "several stacks export"),
        ({"base": producing(queue={"Fn::ImportValue": "queue"})}, "is circular"),
    ],
)
def test_an_unresolvable_import_is_reported(check, assembly, stacks, text):
    """An export that is missing, not unique or in a circle leaves the source unknown."""
    found = check(assembly(web=consuming({"Fn::ImportValue": "queue"}), **stacks))
    assert found.rules["source"] == "cannot tell"
    assert text in found.by["source"]["message"]


def test_exports_are_of_one_account_and_region(check, assembly):
    """If two stacks export the same name, the one in the same account and region counts."""
    long = producing(queue=ARN)
    long["Resources"] = {"Q": QUEUE | {"Properties": {"VisibilityTimeout": 1000}}}
    web = consuming({"Fn::ImportValue": "queue"})
    elsewhere = {"other": "aws://1/us-east-1"}
    assert check(assembly(web=web, base=producing(queue=ARN), other=long, environments=elsewhere)).code == 1
    elsewhere = {"base": "aws://1/us-east-1"}
    assert check(assembly(web=web, base=producing(queue=ARN), other=long, environments=elsewhere)).code == 0


def test_a_stage_imports_from_itself(check, assembly, write, tmp_path):
    """Stages that export the same name each have their own."""
    web = consuming({"Fn::ImportValue": "queue"})
    stages = {}
    for stage in ("dev", "prod"):
        assembly(f"cdk.out/{stage}", web=web, base=producing(queue=ARN))
        stages[stage] = {"type": "cdk:cloud-assembly", "properties": {"directoryName": stage}}
    write({"artifacts": stages}, "cdk.out/manifest.json")
    found = [each["file"] for each in check(tmp_path / "cdk.out").found if each["rule"] == "visibility-timeout"]
    assert sorted(file.split("/")[-2] for file in found) == ["dev", "prod"]


def test_an_import_of_a_single_template_is_unknown(check, write):
    """Without the other stack, an import is only known after deployment."""
    found = check(write(consuming({"Fn::ImportValue": "queue"}), "a.json"))
    assert "Fn::ImportValue is only known after deployment" in found.by["source"]["message"]


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ({"Type": "AWS::CloudFormation::Stack", "Properties": {}}, "a nested stack"),
        ({"Type": "AWS::Serverless::Application", "Properties": {}}, "an application"),
        ({"Type": "My::Own::Thing::MODULE"}, "a module"),
        (INCLUDE, "it sets no Type itself"),
        ({"Type": "AWS::Serverless::Function", "Properties": {"Events": INCLUDE}}, "which events the function has"),
        ({"Type": "AWS::Serverless::Function", "Properties": {"Events": {"E": INCLUDE}}}, "which kind of event it is"),
        ({"Type": "AWS::Serverless::Function", "Properties": INCLUDE}, "which events the function has"),
        (
            {
                "Type": "AWS::Serverless::Function",
                "Properties": {"Events": {"E": {"Fn::If": ["C", {"Type": "SQS"}, 1]}}},
            },
            "depends on the condition C",
        ),
    ],
)
def test_unread_parts_are_named(run, check, write, resource, text):
    """Parts outside the template that may have event sources are reported, and --strict ends with 1."""
    path = write({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Part": resource}}, "a.json")
    found = check(path)
    assert (found.code, found.rules) == (0, {"not-checked": "cannot tell"})
    assert text in found.by["not-checked"]["message"]
    assert found.by["not-checked"]["where"].partition(".")[0] == "Part"
    assert run(path, "--strict").exit_code == 1


@pytest.mark.parametrize(
    "template",
    [
        {"Transform": {"Name": "AWS::Include", "Parameters": {"Location": "a"}}, "Resources": {}},
        {"Transform": ["AWS::Serverless-2016-10-31", "Own"], "Resources": {}},
        {"Resources": INCLUDE},
        INCLUDE | {"Resources": {}},
    ],
)
def test_unknown_transforms_are_named(check, write, template):
    """A transform of the whole template, or of all resources, may add event sources."""
    assert check(write(template, "a.json")).rules == {"not-checked": "cannot tell"}


def test_events_next_to_an_include_are_checked(check, write):
    """Events next to an include are checked, and the include is named."""
    events = {"Orders": {"Type": "SQS", "Properties": {"Queue": "arn:aws:sqs:eu-west-1:1:q"}}} | INCLUDE
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Events": events}}
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"F": function}}
    rules = check(write(template, "a.json")).rules
    assert (rules["report-batch-item-failures"], rules["not-checked"]) == ("error", "cannot tell")
