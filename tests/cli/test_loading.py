"""Loading ``module:handler``."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from partialbatch.cli.command_error import CommandError
from partialbatch.cli.loading import load_handler
from partialbatch.testing import sqs_event

OURS = """
from partialbatch import batch_handler

@batch_handler
def handler(record):
    return record.text
"""


def refused(target):
    with pytest.raises(CommandError) as caught:
        load_handler(target)
    message = caught.value.format_message()
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_a_batch_handler_is_loaded(module):
    """A BatchHandler of a module in the working directory is found, and there is nothing to note."""
    loaded = load_handler(f"{module(OURS)}:handler")
    assert loaded.is_batch_handler
    assert loaded.note == ""
    assert loaded.handler(sqs_event(["a"])) == {"batchItemFailures": []}


def test_a_plain_function_is_loaded_with_a_note(module):
    """A plain function of event and context is accepted, and the note says how it is called."""
    name = module("def handler(event, context): return None")
    loaded = load_handler(f"{name}:handler")
    assert not loaded.is_batch_handler
    assert loaded.note.startswith(f"{name}:handler is a plain function: it is called with (event, context)")


@pytest.mark.parametrize("parameters", ["event, context=None", "*arguments", "event, lambda_context, more=1"])
def test_whatever_takes_two_arguments_is_a_plain_handler(module, parameters):
    """A function that can be called with two positional arguments is a handler."""
    assert not load_handler(f"{module(f'def handler({parameters}): pass')}:handler").is_batch_handler


def test_a_callable_without_signature_is_taken_on_trust(module):
    """A builtin whose signature Python does not know may be a handler."""
    assert load_handler(f"{module('handler = max')}:handler").handler is max


def test_a_callable_object_is_a_plain_handler(module):
    """An object with a fitting __call__ is a handler."""
    name = module("class Handler:\n    def __call__(self, event, context): pass\nhandler = Handler()")
    assert not load_handler(f"{name}:handler").is_batch_handler


def test_a_module_can_be_given_as_a_file(module, tmp_path, monkeypatch):
    """A module may be given as the path of its file, from anywhere."""
    name = module(OURS)
    monkeypatch.chdir("/")
    assert load_handler(f"{tmp_path}/{name}.py:handler").is_batch_handler
    assert sys.path[0] == str(tmp_path)
    before = list(sys.path)
    load_handler(f"{tmp_path}/{name}.py:handler")
    assert sys.path == before


def test_the_file_that_is_named_is_the_one_that_is_loaded(module, tmp_path, monkeypatch):
    """A module of the same name elsewhere on the path does not take the file's place."""
    name = module(OURS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"{name}.py").write_text("raise RuntimeError('the wrong file')")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "other"), str(tmp_path), *sys.path])
    assert load_handler(f"{tmp_path}/{name}.py:handler").is_batch_handler


@pytest.mark.parametrize(("name", "other"), [("queue", "queue.py"), ("sys", "a built-in module")])
def test_a_file_whose_module_name_is_taken_is_refused(tmp_path, monkeypatch, name, other):
    """A file that cannot be imported, since its name is taken, is refused: nothing else is run in its place."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / f"{name}.py"
    file.write_text(OURS)
    message = refused(f"{file}:handler")
    assert message.startswith(f"{file} can't be imported because there is another module {name!r} (")
    assert message.endswith(f"{other}); rename one of them")


def test_a_method_of_an_instance_is_loaded(module):
    """A handler made of a method is reached through dots, with its instance."""
    name = module(
        "from partialbatch import batch_handler\n"
        "class Orders:\n    @batch_handler\n    def handle(self, record): pass\n"
        "orders = Orders()"
    )
    assert load_handler(f"{name}:orders.handle").is_batch_handler
    problem = "it is a method without an instance: make an instance in the module, and name that instance's method"
    assert problem in refused(f"{name}:Orders.handle")
    assert f"{name}:orders has no 'handel'" in refused(f"{name}:orders.handel")


def test_a_handler_of_a_class_needs_no_instance(module):
    """A handler made of a static method can be named through its class."""
    name = module(
        "from partialbatch import batch_handler\n"
        "class Orders:\n    @staticmethod\n    @batch_handler\n    def handle(record): pass\n"
        "    @batch_handler\n    @staticmethod\n    def other(record): pass\n"
    )
    assert load_handler(f"{name}:Orders.handle").is_batch_handler
    assert load_handler(f"{name}:Orders.other").is_batch_handler


@pytest.mark.parametrize("target", ["app", "app:", ":handler", ":", ""])
def test_a_malformed_target_is_refused_with_the_right_form(target):
    """A target that isn't module:handler is refused, and the message shows the form."""
    assert "write module:handler" in refused(target)


def test_the_form_of_the_lambda_console_is_recognized():
    """A dotted path, as Lambda's configuration has it, is answered with the form that works here."""
    assert refused("src.app.handler").endswith("Did you mean src.app:handler?")
    assert "Did you mean" not in refused("src/app.py")


def test_a_missing_module_or_file_is_named(module):
    """A missing module or file is named."""
    module(OURS)
    assert refused("nowhere_to_be_found:handler").startswith("there is no module 'nowhere_to_be_found'")
    assert refused("nowhere.nothing:handler").startswith("there is no module 'nowhere'")
    assert refused("nowhere.py:handler") == "there is no file nowhere.py"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "import json\nimport not_installed_here",
            "ModuleNotFoundError: No module named 'not_installed_here' ({}.py, line 2)",
        ),
        ("def broken(:\n  pass", "SyntaxError: invalid syntax ({}.py, line 1)"),
        ("\n1 / 0", "ZeroDivisionError: division by zero ({}.py, line 2)"),
        ("raise SystemExit", "SystemExit ({}.py, line 1)"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two ({}.py, line 1)"),
        ("raise SyntaxError('by hand')", "SyntaxError: by hand ({}.py, line 1)"),
        (
            "from partialbatch import batch_handler\n@batch_handler\ndef handler(event, context): pass",
            "ConfigurationError: ",
        ),
        (
            "from partialbatch import batch_handler\nbatch_handler(max_concurrency=0)",
            "max_concurrency=0 is not possible",
        ),
        ("import json\n\njson.loads('no json')", "Expecting value: line 1 column 1 (char 0) ({}.py, line 3)"),
        ("import boto3\nboto3.client('none', region_name='us-east-1')", "({}.py, line 2)"),
    ],
)
def test_a_failed_import_names_the_users_line(module, code, expected):
    """An error of a module is reported with the user's own line and without a traceback."""
    name = module(code)
    message = refused(f"{name}:handler")
    assert message.startswith(f"importing {name} failed: ")
    assert expected.format(name) in message
    assert f"({name}.py, line " in message


def test_a_failed_import_of_a_library_names_the_users_line(module, tmp_path, monkeypatch):
    """If an installed library raises, the line is the one that imports it, or else the library's own."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "broken_library.py").write_text("\n\n1 / 0")
    monkeypatch.syspath_prepend(str(folder))
    paths = {"purelib": str(folder)}
    monkeypatch.setattr(sysconfig, "get_path", lambda name, real=sysconfig.get_path: paths.get(name) or real(name))
    name = module("import os\nimport broken_library")
    assert refused(f"{name}:handler").endswith(f"ZeroDivisionError: division by zero ({name}.py, line 2)")
    assert refused("broken_library:handler").endswith("(broken_library.py, line 3)")


def test_a_module_that_is_not_python_has_no_line(module, tmp_path):
    """A file that Python cannot read has no line to name."""
    name = module("")
    (tmp_path / f"{name}.py").write_bytes(b"\0\0")
    assert refused(f"{name}:handler").startswith(f"importing {name} failed: SyntaxError")


def test_ctrl_c_during_an_import_is_passed_on(module):
    """An interrupt is the user's, not the module's fault."""
    with pytest.raises(KeyboardInterrupt):
        load_handler(f"{module('raise KeyboardInterrupt')}:handler")


def test_a_missing_name_is_answered_with_similar_ones(module):
    """A missing name is answered with those that are close, else with the handlers, else with the functions."""
    name = module(OURS + "def other(event, context): pass\n_hidden = 1")
    assert refused(f"{name}:handlr") == f"{name} has no 'handlr'; it has handler"
    assert refused(f"{name}:xyz") == f"{name} has no 'xyz'; it has handler"
    plain = module("from json import dumps\ndef lonely(event, context): pass")
    assert refused(f"{plain}:xyz") == f"{plain} has no 'xyz'; it has lonely"
    assert refused(f"{module('value = 1')}:xyz").endswith("has no 'xyz'")
    assert refused(f"{module('value = 1')}:value.more").endswith(":value has no 'more'")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("handler = 'text'", "it is of type str, not a function"),
        ("class handler: pass", "it is a class, not a function"),
        ("async def handler(event, context): pass", "put @batch_handler over it"),
        (
            "def handler(record): pass",
            "its parameters are (record) instead of (event, context); is @batch_handler missing over it?",
        ),
    ],
)
def test_a_name_of_something_else_is_refused(module, code, why):
    """A name of something else is refused with its type."""
    name = module(code)
    message = refused(f"{name}:handler")
    assert message.startswith(f"{name}:handler can't be called as a handler: ")
    assert why in message


DECORATED = """
import functools
from partialbatch import batch_handler

def logged(function):
    @functools.wraps(function)
    def wrapper(event, context):
        return function(event, context)
    return wrapper

@logged
@logged
@batch_handler(error_policy="stop", max_receive_count=7)
def handler(record):
    if record.text == "bad":
        raise ValueError("bad")
"""


def test_a_handler_behind_decorators_is_found(module):
    """A decorator that names a handler as ``__wrapped__`` is called, and the handler behind it is known."""
    loaded = load_handler(f"{module(DECORATED)}:handler")
    assert (loaded.is_batch_handler, loaded.note) == (True, "")
    assert loaded.batch_handler is loaded.handler.__wrapped__.__wrapped__
    assert loaded.handler(sqs_event(["a"]), None) == {"batchItemFailures": []}
    assert refused(f"{module(DECORATED)}:handle").endswith("; it has handler")
