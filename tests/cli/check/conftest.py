"""How the tests run the command: on a template, a plan or a folder, and read its JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from partialbatch.cli import main
from partialbatch.cli.check.handler_options import from_handler

HANDLER = """
from partialbatch import batch_handler
@batch_handler({options})
def handler(record): ...
"""


@pytest.fixture
def run():
    """Run ``partialbatch check`` in this process; never shows a traceback."""

    def run(*arguments):
        result = CliRunner().invoke(main, ["check", *map(str, arguments)])
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def check(run):
    """Run it with ``--json`` and return code, findings, and the findings by rule."""

    def check(*arguments):
        result = run(*arguments, "--json")
        assert result.exit_code in (0, 1), result.output
        content = json.loads(result.stdout)
        found = content["findings"]
        rules = {each["rule"]: each["severity"] for each in found}
        by_rule = {each["rule"]: each for each in found}
        sources = content["event_sources"]
        return SimpleNamespace(code=result.exit_code, found=found, rules=rules, by=by_rule, sources=sources)

    return check


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path. Other content than text is written as JSON."""

    def write(content, name="template.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def handler(write, monkeypatch, tmp_path):
    """Write a module with a handler of these options and return its name for ``--handler``."""
    monkeypatch.chdir(tmp_path)
    numbers = iter(range(100))

    def handler(options="", before=""):
        name = f"module_{tmp_path.name}_{next(numbers)}"
        write(before + HANDLER.format(options=options), f"{name}.py")
        return f"{name}:handler"

    return handler


@pytest.fixture
def with_options(monkeypatch):
    """Add options to every handler that is read, even ones that `batch_handler` would refuse."""

    def with_options(**options):
        def plain(target, function):
            return replace(from_handler(target, function), **options)

        monkeypatch.setattr("partialbatch.cli.check.command.from_handler", plain)

    return with_options
