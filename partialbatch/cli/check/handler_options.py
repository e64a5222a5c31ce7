"""Reads a handler's options from its code, or else from the function's environment."""

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
"""Options that the environment can set if the code doesn't."""
PLACEHOLDER = "value-of-{}"
"""Placeholder value for an environment variable of the function whose value is not known."""
_REGION = "us-east-1"
_CODE = ("retry_delay", "dead_letter", "resume", "sink")


class HandlerError(Exception):
    """A handler's options can't be read."""


def from_environment(function: Function, why: Unknown = NOT_GIVEN) -> Options:
    """Return the options that a function's environment sets. The others are unknown, as the code may set them.

    Args:
        function: The function.
        why: The reason why its handler's code was not read.
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
    """Return the options of a handler whose code is available; `Unknown` options if importing it fails."""
    try:
        return from_handler(handler.target, function, handler.folder)
    except HandlerError as error:
        return from_environment(function, Unknown(f"{error}; name the handler with --handler"))


def from_handler(target: str, function: Function, folder: str | None = None) -> Options:
    """Import a handler with the known part of the function's environment, and return its options.

    Args:
        target: The handler as ``module:handler``.
        function: The function.
        folder: The module's folder; None searches the working directory and `sys.path`.

    Raises:
        HandlerError: Importing it fails, or it isn't a `BatchHandler`.
    """
    unknown = function.environment if isinstance(function.environment, Unknown) else None
    variables = {} if isinstance(function.environment, Unknown) else function.environment
    settings = _load(target, _known(variables), folder)
    values = {option: _plain(getattr(settings, option, None)) for option in (*ENVIRONMENT, *_CODE)}
    variables_set = {option: variables.get(PREFIX + option.upper()) for option in ENVIRONMENT}
    values |= {option: value for option, value in variables_set.items() if isinstance(value, Unknown)}
    return Options(**values, environment=unknown)


def _known(variables: Properties[str, Value]) -> dict[str, str]:
    """Return the environment for importing a module, with placeholders for unknown values."""
    known = {}
    for name, value in variables.items():
        if not name or "=" in name or not name.isprintable():
            continue  # not a valid name of a variable
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
        raise HandlerError(f"{target!r} isn't a handler's name; write module:handler")
    module = _module(name, target, variables, folder)
    for part in attribute.split("."):
        if not hasattr(module, part):
            raise HandlerError(f"{target}: the module {name} has no {attribute}")
        module = getattr(module, part)
    handler = handler_behind(module)
    if handler is None:
        raise HandlerError(f"{target}: {type(module).__name__} isn't a batch handler; decorate it with batch_handler")
    return handler._target()[0]._settings


def _module(name: str, target: str, variables: Properties[str, str], folder: str | None) -> Any:
    """Import a module again, so that its decorators read the environment of this function."""
    # The output of a module's import is not part of the findings.
    with redirect_stdout(sys.stderr), _environment(variables), _path(folder or os.getcwd()), _modules(name, folder):
        try:
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # importing a module can raise anything, SystemExit included
            text = clip(" ".join(str(error).split()), 300)
            raise HandlerError(f"importing {target} failed: {type(error).__name__}: {text}") from None


@contextmanager
def _path(folder: str) -> Iterator[None]:
    """Search a folder first, and write no bytecode there, because a check must not change anything."""
    importlib.invalidate_caches()
    with patch.object(sys, "path", [folder, *sys.path]), patch.object(sys, "dont_write_bytecode", new=True):
        yield


@contextmanager
def _modules(name: str, folder: str | None) -> Iterator[None]:
    """Forget a module after its import, with a folder all modules in it, and hide others of the same name."""
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
    """Set only these PARTIALBATCH_* variables, and a region, which Lambda always sets and clients need."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & {*others, *variables}:
        others |= {"AWS_REGION": _REGION, "AWS_DEFAULT_REGION": _REGION}
    with patch.dict(os.environ, others | dict(variables), clear=True):
        yield
