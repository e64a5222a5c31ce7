"""A handler's options: from its own settings, else from the function's environment."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from partialbatch.cli.check.model import NOT_GIVEN, Options, Unknown
from partialbatch.errors import ConfigurationError
from partialbatch.references import handler_behind
from partialbatch.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Function, Properties, Value

__all__ = ["ENVIRONMENT", "HandlerError", "from_environment", "from_handler"]

PREFIX = "PARTIALBATCH_"
ENVIRONMENT = ("error_policy", "max_receive_count", "deadline_margin")
"""The options here that the environment can set, where the code does not."""
_CODE = ("retry_delay", "dead_letter", "resume", "sink")


class HandlerError(Exception):
    """The handler that ``--handler`` names cannot be read."""


def from_environment(function: Function) -> Options:
    """Return what the environment of a function sets; the rest is unknown, as an argument may set it."""
    variables = function.environment
    if isinstance(variables, Unknown):
        return Options(**dict.fromkeys(ENVIRONMENT, variables))
    return Options(**{option: _parsed(option, variables.get(PREFIX + option.upper())) for option in ENVIRONMENT})


def _parsed(option: str, text: Value) -> Value:
    if text is None or isinstance(text, Unknown):
        return NOT_GIVEN if text is None else text
    try:
        with _environment({PREFIX + option.upper(): str(text)}):
            return _plain(getattr(resolve(), option))
    except ConfigurationError as error:
        return Unknown(str(error))


def from_handler(target: str, function: Function) -> Options:
    """Import ``module:handler``, under the function's environment as far as it is known, and return its options.

    Raises:
        HandlerError: It does not import, or is no `BatchHandler`.
    """
    unknown = function.environment if isinstance(function.environment, Unknown) else None
    variables = {} if isinstance(function.environment, Unknown) else function.environment
    known = {name: str(value) for name, value in variables.items() if not isinstance(value, Unknown)}
    settings = _load(target, known)
    values = {option: _plain(getattr(settings, option, None)) for option in (*ENVIRONMENT, *_CODE)}
    unsure = {option: variables.get(PREFIX + option.upper()) for option in ENVIRONMENT}
    values |= {option: value for option, value in unsure.items() if isinstance(value, Unknown)}
    return Options(**values, environment=unknown)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _load(target: str, variables: Properties[str, str]) -> Any:
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise HandlerError(f"{target!r} is no handler: write module:handler")
    module = _module(name, target, variables)
    for part in attribute.split("."):
        if not hasattr(module, part):
            raise HandlerError(f"{target}: the module {name} has no {attribute}")
        module = getattr(module, part)
    handler = handler_behind(module)
    if handler is None:
        raise HandlerError(f"{target}: {type(module).__name__} is no batch handler; decorate it with batch_handler")
    return handler._target()[0]._settings  # noqa: SLF001 - the handler's own package


def _module(name: str, target: str, variables: Properties[str, str]) -> Any:
    """Import a module afresh: its decorators read the environment of this function, not of the one before."""
    before = set(sys.modules)
    # What a module prints when it is imported is no finding.
    with redirect_stdout(sys.stderr), _environment(variables), patch.object(sys, "path", [os.getcwd(), *sys.path]):  # noqa: PTH109 - an entry of sys.path is text
        try:
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a module does when it is imported, SystemExit included
            text = " ".join(str(error).split())
            raise HandlerError(f"{target} does not import: {type(error).__name__}: {text}") from None
        finally:
            if name not in before:
                sys.modules.pop(name, None)


@contextmanager
def _environment(variables: Properties[str, str]) -> Iterator[None]:
    """Set PARTIALBATCH_* to these alone."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    with patch.dict(os.environ, others | dict(variables), clear=True):
        yield
