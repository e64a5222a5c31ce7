"""The command itself: inputs, outputs and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from partialbatch.cli.check import findings_output as report
from partialbatch.cli.check.findings import Change, Finding, Severity
from partialbatch.cli.check.model import Place
from partialbatch.cli.commands import main

CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
MAPPING = {"Type": "AWS::Lambda::EventSourceMapping"}
CARELESS = {
    "Resources": {
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 10}},
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "M": MAPPING | {"Properties": {"FunctionName": {"Ref": "F"}, "EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}}},
    }
}
REPORTING = json.loads(json.dumps(CARELESS))
REPORTING["Resources"]["M"]["Properties"]["FunctionResponseTypes"] = ["ReportBatchItemFailures"]

ALIAS = {"Properties": {"FunctionName": {"Ref": "A"}}}
CIRCLE = {"Resources": {"A": ALIAS | {"Type": "AWS::Lambda::Alias"}, "M": ALIAS | MAPPING}}


def test_findings_are_printed_most_severe_first(run, write):
    """Findings are printed most severe first with lines to add and a summary; errors mean exit code 1."""
    path = write(CARELESS, "t.json")
    result = run(path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("error  report-batch-item-failures")
    assert "    add: FunctionResponseTypes: [ReportBatchItemFailures]" in lines
    assert lines[-1] == "1 event source checked: 1 error, 2 warnings, 1 unknown."


def test_only_strict_fails_on_warnings(run, write):
    """Warnings and unknown settings end with 0, and with --strict with 1."""
    path = write(REPORTING, "t.json")
    assert run(path).exit_code == 0
    assert run(path, "--strict").exit_code == 1


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_file_in_another_encoding_ends_with_2(run, tmp_path, name):
    """A file in another encoding, and an unreadable file, are reported as such."""
    (tmp_path / name).write_bytes(b"\xff\xfe{")
    assert f"{name}: it isn't UTF-8 text" in run(tmp_path / name).stderr
    (tmp_path / f"to-{name}").symlink_to("/proc/self/mem")
    assert f"to-{name}: Input/output error" in run(tmp_path / f"to-{name}").stderr


def test_a_byte_order_mark_in_a_plan_is_ignored(run, tmp_path):
    """The byte order mark that some shells write does no harm."""
    (tmp_path / "plan.json").write_text(json.dumps({"planned_values": {}}), "utf-8-sig")
    assert run(tmp_path / "plan.json").exit_code == 0


def test_a_template_without_mappings_was_not_checked(run, write):
    """A template without a mapping is not called fine: nothing was checked."""
    result = run(write({"Resources": {}}, "t.json"))
    assert (result.exit_code, "nothing was checked" in result.stdout) == (0, True)


def test_long_lines_can_be_copied():
    """A line to add is never broken, however narrow the terminal; a text is."""
    change = Change({"RedrivePolicy": {"deadLetterTargetArn": "x" * 60}})
    finding = Finding("rule", Severity.WARNING, Place("Q"), "word " * 20, change)
    console = Console(width=40, file=StringIO())
    report.show([finding], 2, console)
    lines = console.file.getvalue().splitlines()
    assert f"    add: RedrivePolicy: {{deadLetterTargetArn: {'x' * 60}}}" in lines
    assert all(len(line) <= 40 for line in lines if "word" in line)


def test_fix_prints_commands_that_a_shell_can_read(run, write):
    """--fix prints commands that a shell can read, with angle brackets around values to fill in."""
    result = run(write(CARELESS, "t.json"), "--fix")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    assert lines[0] == (
        "aws lambda update-event-source-mapping --uuid '<UUID of M>' --function-response-types ReportBatchItemFailures"
    )
    assert lines[1] == (
        "aws sqs set-queue-attributes --queue-url '<URL of Q>' --attributes '{\"VisibilityTimeout\": \"60\"}'"
    )
    assert subprocess.run(["bash", "-n"], input=result.stdout, text=True, check=True).returncode == 0


def test_a_fix_in_the_code_is_a_comment(run, write, handler):
    """A problem that only the code can fix is a comment."""
    template = json.loads(json.dumps(REPORTING))
    policy = {"deadLetterTargetArn": "a", "maxReceiveCount": 5}
    template["Resources"]["Q"]["Properties"] = {"FifoQueue": True, "VisibilityTimeout": 60, "RedrivePolicy": policy}
    result = run(write(template, "t.json"), "--fix", "--handler", handler())
    assert result.stdout.splitlines()[-1] == "# in the code: batch_handler(max_receive_count=5)"
    assert run(write(REPORTING, "t.json"), "--fix").stdout.count("handler-options") == 0


def test_fix_prints_a_command_once(run, write, handler):
    """A command that mends two findings is printed once, under both."""
    template = json.loads(json.dumps(REPORTING))
    properties = template["Resources"]["M"]["Properties"]
    properties |= {"EventSourceArn": "arn:aws:kinesis:eu-west-1:1:stream/s", "MaximumRetryAttempts": 3}
    lines = run(write(template, "t.json"), "--fix", "--handler", handler("error_policy='stop'")).stdout.splitlines()
    command = "aws lambda update-event-source-mapping --uuid '<UUID of M>' --bisect-batch-on-function-error"
    (at,) = [number for number, line in enumerate(lines) if line == command]
    assert [line.split()[2] for line in lines[at - 2 : at]] == ["unrun-records-discarded,", "bisect,"]


@pytest.mark.parametrize("count", [1, 4])
def test_fix_keeps_the_dead_letter_queue(check, write, count):
    """Raising maxReceiveCount keeps the queue's target where it is known."""
    template = json.loads(json.dumps(REPORTING))
    for target, text in (("arn:dead", "arn:dead"), ({"Fn::GetAtt": ["Q", "Arn"]}, "<ARN of the dead-letter queue>")):
        policy = {"deadLetterTargetArn": target, "maxReceiveCount": count}
        template["Resources"]["Q"]["Properties"] = {"RedrivePolicy": policy}
        assert text in check(write(template, "t.json")).by["max-receive-count"]["fix"]


def test_a_longer_timeout_fixes_the_deadline_margin(check, write, handler):
    """A timeout within the margin is mended by a longer one."""
    template = json.loads(json.dumps(REPORTING))
    template["Resources"]["F"]["Properties"]["Timeout"] = 3
    found = check(write(template, "t.json"), "--handler", handler("deadline_margin=5")).by["deadline-margin"]
    assert found["fix"] == "aws lambda update-function-configuration --function-name '<name of F>' --timeout 35"


def test_all_stacks_of_a_cloud_assembly_are_read(check, write, tmp_path):
    """The stacks of a cdk.out are read, those of its stages too."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "a.template.json"}}
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-x"}}
    write({"artifacts": {"A": stack, "S": stage, "T": {"type": "cdk:tree"}}}, "cdk.out/manifest.json")
    write(CARELESS, "cdk.out/a.template.json")
    write({"artifacts": {"A": stack}}, "cdk.out/assembly-x/manifest.json")
    write(REPORTING, "cdk.out/assembly-x/a.template.json")
    result = check(tmp_path / "cdk.out")
    assert result.sources == 2
    assert [each["file"] for each in result.found if each["severity"] == "error"] == [
        str(tmp_path / "cdk.out" / "a.template.json")
    ]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.yaml", None, "there is no such file"),
        ("some/where", None, "there is no such file"),
        ("a.yaml", "a: [", "line 2"),
        ("a.yaml", "", "no Resources"),
        ("a.yaml", "- 1", "no Resources"),
        ("a.yaml", "Resources: 5", "no Resources"),
        ("a.json", "{", "Expecting"),
        ("a.json", "[]", "it isn't a JSON object"),
        ("a.json", "{}", "no Resources"),
        (
            "folder/x",
            "",
            "it has no manifest.json, so it isn't the output of cdk synth; if you mean a function of that name, give",
        ),
        ("folder/manifest.json", "{}", None),
        ("folder/manifest.json", '{"artifacts": {"A": 5}}', "it doesn't have the expected shape"),
        ("folder/manifest.json", '{"artifacts": {"A": {"type": "aws:cloudformation:stack"}}}', "expected shape"),
        ("a.json", '{"planned_values": {"root_module": {"resources": [5]}}}', "it doesn't have the expected shape"),
        ("a.json", "[" * 100_000, "RecursionError"),
        ("a.json", json.dumps(CIRCLE), None),
        (
            "a.yaml",
            "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::X': [A, [1], {'${B}': {Type: x}}]}",
            "a.yaml",
        ),
    ],
)
def test_unreadable_files_end_with_2_and_one_line(  # fixtures and cases
    run, write, tmp_path, monkeypatch, name, content, text
):
    """A file that isn't a template gives one line on standard error and exit code 2."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        write(content, name)
    result = run(name.replace("/x", "").replace("/manifest.json", ""))
    assert result.exit_code == (2 if text else 0)
    assert (text or "") in result.stderr
    assert [line[:7] for line in result.stderr.splitlines()] == (["Error: "] if text else [])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--parameter", "x"], "write NAME=VALUE"),
        (["--handler", "Other=a:b"], "write FUNCTION=a:b, where FUNCTION is one of F"),
    ],
)
def test_wrong_usage_ends_with_2(run, write, arguments, text):
    """A mistake in an option's syntax gives the usage text and exit code 2."""
    result = run(write(CARELESS, "t.json"), *arguments)
    assert (result.exit_code, text in result.stderr) == (2, True), result.stderr
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a", "'a' isn't a handler's name; write module:handler"),
        ("json:nothing", "the module json has no nothing"),
        ("json:loads", "function isn't a batch handler; decorate it with batch_handler"),
        ("no_such_module:a", "importing no_such_module:a failed: ModuleNotFoundError"),
    ],
)
def test_unusable_handlers_end_with_2_and_one_line(run, write, name, text):
    """A handler that is none, or that is not there, is one line on standard error and exit code 2."""
    result = run(write(CARELESS, "t.json"), "--handler", name)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, text in line) == (2, "", True), line


def test_handler_must_name_one_of_several_functions(check, run, write, handler):
    """With more than one function --handler must say which it is for."""
    template = json.loads(json.dumps(CARELESS))
    resources = template["Resources"]
    resources["G"] = resources["F"]
    resources["N"] = MAPPING | {"Properties": resources["M"]["Properties"] | {"FunctionName": {"Ref": "G"}}}
    path, name = write(template, "t.json"), handler()
    assert "one of F, G" in run(path, "--handler", name).stderr
    result = check(path, "--handler", f"G={name}")
    assert [each["where"] for each in result.found if each["rule"] == "handler-options"] == ["F"]


def test_a_template_needs_cfn_lint_and_a_plan_does_not(run, write, monkeypatch):
    """Without cfn-lint, a template is one line with the one command to run and exit code 2; a plan is read."""
    monkeypatch.setitem(sys.modules, "cfnlint", None)
    result = CliRunner().invoke(main, ["check", str(write(CARELESS, "t.json"))])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: `partialbatch check` needs cfnlint")
    assert "pip install 'partialbatch[cli,lint]'" in result.stderr
    assert run(write({"planned_values": {}}, "plan.json")).exit_code == 0


def test_cfn_lint_as_documented(write, tmp_path):
    """The command in the documentation runs and has findings."""
    docs = (Path(__file__).parents[3] / "docs" / "operations.rst").read_text()
    (command,) = set(re.findall(r"``cfn-lint ([^`]*)``", docs))
    write(CARELESS, "template.yaml")
    done = subprocess.run(
        [sys.executable, "-c", CFN_LINT, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert "E9702" in done.stdout


def test_the_rules_run_in_cfn_lint(write):
    """The rules run in cfn-lint itself, with its ids, lines and suppression."""
    template = json.loads(json.dumps(CARELESS))
    path = write(json.dumps(template, indent=1), "t.json")

    def lint(*arguments):
        command = [sys.executable, "-c", CFN_LINT, *arguments, "-a", "partialbatch.cli.cfn_rules", "--format", "json"]
        done = subprocess.run([*command, "--", str(path)], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        found = json.loads(done.stdout or "[]")
        ours = {each["Rule"]["Id"]: each for each in found if "partialbatch" in each["Rule"]["ShortDescription"]}
        return done.returncode, ours

    code, found = lint("-c", "I")
    assert code & 2
    assert set(found) == {"E9702", "W9705", "W9706", "I9714"}
    line = found["E9702"]["Location"]["Start"]["LineNumber"]
    assert '"M"' in path.read_text().splitlines()[line - 1]
    assert found["E9702"]["Message"].endswith("Add: FunctionResponseTypes: [ReportBatchItemFailures]")
    for name in ("M", "Q"):
        template["Resources"][name]["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["E9702", "W9705"]}}}
    write(template, "t.json")
    assert set(lint()[1]) == {"W9706"}
