"""A handler's options: from its own settings, else from the function's environment."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from partialbatch._core.options import resolve
from partialbatch._core.references import handler_behind
from partialbatch.cli.check.model import NOT_GIVEN, Options, Unknown
from partialbatch.errors import ConfigurationError, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Function, Handler, Properties, Value

__all__ = ["ENVIRONMENT", "PLACEHOLDER", "HandlerError", "from_code", "from_environment", "from_handler"]

PREFIX = "PARTIALBATCH_"
ENVIRONMENT = ("error_policy", "max_receive_count", "deadline_margin")
"""The options here that the environment can set, where the code does not."""
PLACEHOLDER = "value-of-{}"
"""Stands in the environment for a variable of the function whose value is not known."""
_REGION = "us-east-1"
_CODE = ("retry_delay", "dead_letter", "resume", "sink")


class HandlerError(Exception):
    """The handler that ``--handler`` names cannot be read."""


def from_environment(function: Function, why: Unknown = NOT_GIVEN) -> Options:
    """Return what the environment of a function sets; the rest is unknown, as an argument may set it.

    Args:
        function: The function.
        why: Its handler was not read.
    """
    variables = function.environment
    rest = dict.fromkeys((*ENVIRONMENT, *_CODE), why)
    if isinstance(variables, Unknown):
        return Options(**rest | dict.fromkeys(ENVIRONMENT, variables))
    given = {option: variables.get(PREFIX + option.upper()) for option in ENVIRONMENT}
    return Options(**rest | {option: _parsed(option, text, why) for option, text in given.items()})


def _parsed(option: str, text: Value, why: Unknown) -> Value:
    if text is None or isinstance(text, Unknown):
        return why if text is None else text
    try:
        with _environment({PREFIX + option.upper(): str(text)}):
            return _plain(getattr(resolve(), option))
    except ConfigurationError as error:
        return Unknown(str(error))


def from_code(handler: Handler, function: Function) -> Options:
    """Return the options of a handler whose code is at hand; why they cannot be told where it does not import."""
    try:
        return from_handler(handler.target, function, handler.folder)
    except HandlerError as error:
        return from_environment(function, Unknown(f"{error}; name the handler with --handler"))


def from_handler(target: str, function: Function, folder: str | None = None) -> Options:
    """Import ``module:handler``, under the function's environment as far as it is known, and return its options.

    Args:
        target: The handler.
        function: The function.
        folder: The module's folder; None: the working directory, or wherever Python finds it.

    Raises:
        HandlerError: It does not import, or is no `BatchHandler`.
    """
    unknown = function.environment if isinstance(function.environment, Unknown) else None
    variables = {} if isinstance(function.environment, Unknown) else function.environment
    settings = _load(target, _known(variables), folder)
    values = {option: _plain(getattr(settings, option, None)) for option in (*ENVIRONMENT, *_CODE)}
    from_environment_unknown = {option: variables.get(PREFIX + option.upper()) for option in ENVIRONMENT}
    values |= {option: value for option, value in from_environment_unknown.items() if isinstance(value, Unknown)}
    return Options(**values, environment=unknown)


def _known(variables: Properties[str, Value]) -> dict[str, str]:
    """Return what a module finds in its environment: a variable that is not known is there, too, as a placeholder."""
    known = {}
    for name, value in variables.items():
        if not name or "=" in name or not name.isprintable():
            continue  # no environment can have it
        if not isinstance(value, Unknown):
            known[name] = str(value).replace("\0", "").encode("utf-8", "replace").decode()
        elif not name.startswith(PREFIX):
            known[name] = os.environ.get(name) or PLACEHOLDER.format(name)
    return known


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _load(target: str, variables: Properties[str, str], folder: str | None) -> Any:
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise HandlerError(f"{target!r} is no handler: write module:handler")
    module = _module(name, target, variables, folder)
    for part in attribute.split("."):
        if not hasattr(module, part):
            raise HandlerError(f"{target}: the module {name} has no {attribute}")
        module = getattr(module, part)
    handler = handler_behind(module)
    if handler is None:
        raise HandlerError(f"{target}: {type(module).__name__} is no batch handler; decorate it with batch_handler")
    return handler._target()[0]._settings


def _module(name: str, target: str, variables: Properties[str, str], folder: str | None) -> Any:
    """Import a module afresh: its decorators read the environment of this function, not of the one before."""
    # What a module prints when it is imported is no finding.
    with redirect_stdout(sys.stderr), _environment(variables), _path(folder or os.getcwd()), _modules(name, folder):
        try:
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a module does when it is imported, SystemExit included
            text = clip(" ".join(str(error).split()), 300)
            raise HandlerError(f"{target} does not import: {type(error).__name__}: {text}") from None


@contextmanager
def _path(folder: str) -> Iterator[None]:
    """Look in a folder first, and leave no bytecode there: checking changes nothing."""
    importlib.invalidate_caches()
    with patch.object(sys, "path", [folder, *sys.path]), patch.object(sys, "dont_write_bytecode", new=True):
        yield


@contextmanager
def _modules(name: str, folder: str | None) -> Iterator[None]:
    """Forget a module after its import; with a folder, all in it, and no other of its name gets in the way."""
    top = name.partition(".")[0]
    there = {each: sys.modules.pop(each) for each in list(sys.modules) if folder and each.partition(".")[0] == top}
    before = set(sys.modules)
    try:
        yield
    finally:
        for each in set(sys.modules) - before:
            if each == name or (folder and _is_in(folder, sys.modules[each])):
                del sys.modules[each]
        sys.modules.update(there)


def _is_in(folder: str, module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(folder)


@contextmanager
def _environment(variables: Properties[str, str]) -> Iterator[None]:
    """Set PARTIALBATCH_* to these alone, and a region, which Lambda always sets and clients need."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & {*others, *variables}:
        others |= {"AWS_REGION": _REGION, "AWS_DEFAULT_REGION": _REGION}
    with patch.dict(os.environ, others | dict(variables), clear=True):
        yield
