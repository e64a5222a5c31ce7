"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def _declared():
    """Return how the plugin is declared: in setup.cfg, and where only the wheel is, in its metadata."""
    if (ROOT / "setup.cfg").exists():
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg")
        return config["options.entry_points"]["pytest11"].strip()
    (point,) = importlib.metadata.entry_points(group="pytest11", name="partialbatch")
    return f"{point.name} = {point.value}"


@pytest.fixture
def run(tmp_path):
    """Run pytest over a test file, with the plugin declared as the package declares it."""
    installed = tmp_path / "site" / "partialbatch-0.dist-info"
    installed.mkdir(parents=True)
    installed.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: partialbatch\nVersion: 0\n")
    installed.joinpath("entry_points.txt").write_text(f"[pytest11]\n{_declared()}\n")
    folder = tmp_path / "tests"
    folder.mkdir()

    def pytest_run(text, *options):
        folder.joinpath("test_it.py").write_text(text)
        path = os.pathsep.join([str(tmp_path / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    return pytest_run


def test_fixtures_need_no_import(run):
    """`lambda_context` and `simulate` need no import and no configuration."""
    ended = run(
        "def handler(event, context):\n"
        "    return {'batchItemFailures': []}\n"
        "def test_one(lambda_context, simulate):\n"
        "    lambda_context.clock.advance(1)\n"
        "    assert lambda_context.get_remaining_time_in_millis() == 2000\n"
        "    simulate(handler, ['a', 'b']).assert_nothing_lost()\n"
    )
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_nothing_is_loaded_until_used(run):
    """The plugin imports neither the package nor hypothesis nor wrapt in a run that uses no fixture."""
    ended = run(
        "import sys\n"
        "def test_one():\n"
        "    assert 'partialbatch_pytest' in sys.modules\n"
        "    assert not {'partialbatch', 'wrapt', 'boto3', 'pydantic'} & set(sys.modules)\n"
    )
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_the_testing_package_is_lazy():
    """Importing `partialbatch.testing` loads none of its modules, and only the strategies load hypothesis."""
    code = (
        "import sys, partialbatch.testing as kit\n"
        "inner = [name for name in sys.modules if name.startswith('partialbatch.testing.')]\n"
        "assert not inner, inner\n"
        "assert all(getattr(kit, name) for name in kit.__all__)\n"
        "assert set(kit.__all__) <= set(dir(kit))\n"
        "assert kit.__all__ == sorted(kit.__all__)\n"
        "assert not {'hypothesis', 'matplotlib', 'click', 'pytest'} & set(sys.modules)\n"
        "import partialbatch.testing.strategies\n"
        "assert 'hypothesis' in sys.modules\n"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


def test_an_unknown_name_is_an_attribute_error():
    """The message of the lazy package names the missing attribute."""
    import partialbatch.testing as kit  # the subject

    with pytest.raises(AttributeError, match="has no attribute 'sqs_events'"):
        _ = kit.sqs_events
    assert {"sqs_event", "SimulatedQueue"} <= set(dir(kit))
