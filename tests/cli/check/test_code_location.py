"""Handlers that lie beside their template."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from partialbatch.cli.check.code_location import is_python, locate
from partialbatch.cli.check.model import Handler, Unknown

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/template.yaml"))
MODULE = "from partialbatch import batch_handler\n@batch_handler({options})\ndef handler(record): ...\n"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {{Function: {globals}}}
Resources:
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 3
      {function}
      Events:
        Orders: {{Type: SQS, Properties: {{Queue: 'arn:aws:sqs:eu-west-1:1:q'}}}}
"""
PYTHON = {"Runtime": "python3.13"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_nothing_is_found_in_the_examples(path, run, monkeypatch):
    """Each example is checked whole, its handler's options included, without a word of where the handler is."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = run(path, "--strict")
    assert (result.exit_code, result.stdout) == (0, "1 event source checked: 0 errors, 0 warnings, 0 unknown.\n")


@pytest.mark.parametrize(
    ("globals_", "function"),
    [
        ("{}", "Runtime: python3.13\n      Handler: app.handler\n      CodeUri: src"),
        ("{Runtime: python3.13, Handler: app.handler, CodeUri: src}", "MemorySize: 512"),
        ("{Runtime: python3.13}", "Handler: src/app.handler"),
    ],
)
def test_a_handler_is_found_by_code_uri_and_handler(check, write, globals_, function, tmp_path):
    """CodeUri and Handler count from the template's folder on, also those of SAM's globals."""
    write(MODULE.format(options="deadline_margin=3"), "src/app.py")
    found = check(write(TEMPLATE.format(globals=globals_, function=function)))
    assert (found.rules["deadline-margin"], "handler-options" in found.rules) == ("error", False)
    assert not list(tmp_path.rglob("*.pyc"))


def test_no_import_leaves_the_code_alone(check, write, tmp_path):
    """With --no-import no code runs, and the handler's options are unknown."""
    write("open('ran', 'w')\n" + MODULE.format(options=""), "app.py")
    path = write(TEMPLATE.format(globals="{Runtime: python3.13}", function="Handler: app.handler"))
    assert check(path, "--no-import").rules["handler-options"] == "cannot tell"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("Handler: gone.handler", "there is no gone.py in"),
        ("Handler: handler", "its Handler is 'handler' instead of module.function"),
        ("Handler: app.handler\n      CodeUri: s3://bucket/key", "its code isn't in a local folder"),
        ("Handler: app.handler\n      InlineCode: x", "its code isn't in a local folder"),
        ("Handler: app.handler\n      CodeUri: !Ref Code", "Code"),
        ("Handler: !Ref Name\n      CodeUri: .", "Name"),
        ("Handler: broken.handler", "importing broken:handler failed: RuntimeError: no luck"),
        ("Handler: app.other", "app has no other"),
        ("Handler: " + "a" * 300 + ".handler", "there is no aaa"),
    ],
)
def test_an_unreadable_handler_is_reported_with_the_reason(check, write, function, text):
    """A missing or failing handler doesn't end the check: its options are unknown, with the reason."""
    write("raise RuntimeError('no luck')", "broken.py")
    write(MODULE.format(options=""), "app.py")
    content = TEMPLATE.format(globals="{Runtime: python3.13}", function=function)
    found = check(write(content + "Parameters: {Name: {Type: String}, Code: {Type: String}}"))
    assert text in found.by["handler-options"]["message"]


@pytest.mark.parametrize("runtime", ["nodejs22.x", "java21", "provided.al2023"])
def test_functions_of_other_runtimes_have_no_option_findings(check, write, runtime):
    """A function in another language has none of our options, and gets no findings about them."""
    path = write(TEMPLATE.format(globals=f"{{Runtime: {runtime}}}", function="Handler: app.handler"))
    assert "handler-options" not in check(path).rules


def test_modules_of_the_same_name_are_kept_apart(check, write):
    """Two functions whose modules have the same names, and import the same helpers, each get their own."""
    for name, margin in (("a", 1), ("b", 9)):
        write(f"margin = {margin}", f"{name}/settings_{os.getpid()}.py")
        code = f"import settings_{os.getpid()} as own\n" + MODULE.format(options="deadline_margin=own.margin")
        write(code, f"{name}/json.py")  # and one that Python has, too
    before = sys.modules["json"]
    properties = {"Handler": "json.handler", "Timeout": 5} | PYTHON
    event = {"Type": "SQS", "Properties": {"Queue": "arn:aws:sqs:eu-west-1:1:q"}}
    resources = {
        name: {
            "Type": "AWS::Serverless::Function",
            "Properties": properties | {"CodeUri": name, "Events": {"E": event}},
        }
        for name in ("a", "b")
    }
    found = check(write({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}, "t.json"))
    assert [each["where"] for each in found.found if each["rule"] == "deadline-margin"] == ["b"]
    assert sys.modules["json"] is before


def test_unknown_variables_have_a_placeholder(check, write):
    """A module that reads a variable whose value only the deployment knows imports all the same."""
    code = "import os\nfrom partialbatch.producers import SQSProducer\n"
    options = "dead_letter=SQSProducer(os.environ['URL'])"
    write(code + MODULE.format(options=options), "app.py")
    variables = "Environment: {Variables: {URL: !ImportValue url, '': a, PARTIALBATCH_ERROR_POLICY: !ImportValue x}}"
    function = f"Handler: app.handler\n      {variables}"
    found = check(write(TEMPLATE.format(globals="{Runtime: python3.13}", function=function)))
    assert "error_policy" in found.by["handler-options"]["message"]
    assert "dead_letter," not in found.by["handler-options"]["message"]
    assert "sqs:SendMessage" in found.by["permissions"]["message"]


def test_code_of_plain_cloudformation_is_found(tmp_path):
    """A local Code, and the asset that cdk synth names in the metadata, are folders like CodeUri."""
    (tmp_path / "asset.1" / "app").mkdir(parents=True)
    (tmp_path / "asset.1" / "app" / "__init__.py").touch()
    found = Handler("app:handler", str(tmp_path / "asset.1"))
    properties = PYTHON | {"Handler": "app.handler"}
    asset = {"aws:asset:path": "asset.1", "aws:asset:property": "Code"}
    assert locate(properties | {"Code": {"S3Bucket": "b"}}, asset, tmp_path) == found
    assert locate(properties | {"Code": "asset.1"}, None, tmp_path) == found
    assert isinstance(locate(properties | {"Code": {"ZipFile": "x"}}, None, tmp_path), Unknown)
    assert locate({"Handler": "app.handler"}, None, tmp_path) is None


def test_an_unknown_runtime_may_be_python():
    """Only a known runtime can rule out Python."""
    assert [is_python(each) for each in ("python3.9", None, Unknown("later"), "nodejs22.x")] == [
        True,
        True,
        True,
        False,
    ]
