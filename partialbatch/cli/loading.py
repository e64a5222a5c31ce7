"""Loads the handler that a command line names: ``module:handler``."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from partialbatch._core.handler import BatchHandler, BoundBatchHandler
from partialbatch._core.references import handler_behind
from partialbatch.cli.command_error import CommandError
from partialbatch.cli.user_tracebacks import own_frame
from partialbatch.errors import clip, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["LoadedHandler", "load_handler"]


@dataclass(frozen=True, slots=True)
class LoadedHandler:
    """A handler that is ready to be called.

    Attributes:
        name: Its name on the command line.
        handler: The callable, which takes the event and the context.
        is_batch_handler: Whether it is a `BatchHandler`, perhaps behind decorators, with a result per record.
        module: The module that defines it.
    """

    name: str
    handler: Callable[[Any, Any], Any]
    is_batch_handler: bool
    module: ModuleType

    @property
    def batch_handler(self) -> Any:
        """The `BatchHandler` behind decorators, or its bound form; None for other functions."""
        return handler_behind(self.handler)

    @property
    def note(self) -> str:
        """A remark for the user about a plain function; empty for other handlers."""
        if self.is_batch_handler:
            return ""
        return (
            f"{self.name} is a plain function: it is called with (event, context), "
            "and the status of each record is read from its response"
        )


def load_handler(target: str) -> LoadedHandler:
    """Import a module and return the handler in it.

    Args:
        target: ``module:handler``, or ``path/to/file.py:handler``; the handler's name may have
            dots (``app:orders.handle``). The working directory is searched for the module first.

    Raises:
        CommandError: There is no such handler. The message says in one line why.
    """
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        dotted, _, last = target.rstrip(":").rpartition(".")
        hint = f" Did you mean {dotted}:{last}?" if dotted and last != "py" else ""
        raise CommandError(f"{target!r} isn't a handler's name: write module:handler, for example app:handler.{hint}")
    module = _import(place)
    found = _find(module, place, name)
    is_batch_handler = handler_behind(found) is not None
    direct = isinstance(found, BatchHandler | BoundBatchHandler)
    problem = _no_batch_handler(found) if direct else _no_handler(found)
    if problem:
        raise CommandError(f"{target} can't be called as a handler: {problem}")
    return LoadedHandler(target, found, is_batch_handler, module)


def _import(place: str) -> ModuleType:
    """Import a module by its name or by the path of its file."""
    folder, name = Path.cwd(), place
    if place.endswith(".py"):
        file = Path(place).resolve()
        if not file.is_file():
            raise CommandError(f"there is no file {place}")
        folder, name = file.parent, file.stem
    # In a console script, sys.path starts with the script's folder instead of the working directory.
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # importing a module can raise anything, SystemExit included
        raise CommandError(_why_not(error, place, name)) from None
    other = getattr(module, "__file__", None) or "a built-in module"
    if name != place and Path(other).resolve() != folder / f"{name}.py":
        raise CommandError(
            f"{place} can't be imported because there is another module {name!r} ({other}); rename one of them"
        )
    return module


def _why_not(error: BaseException, place: str, name: str) -> str:
    """Say in one line why the import of a module failed, and where."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r} in the working directory or among the installed packages"
    text = clip(" ".join(str(error).split()), 300)
    if isinstance(error, SyntaxError) and error.filename:
        return f"importing {place} failed: SyntaxError: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    # Show the last line in the user's own code; the error may come from a library below it.
    frame = own_frame(error)
    where = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    return f"importing {place} failed: {type(error).__name__}: {text}".rstrip(": ") + where


def _find(module: ModuleType, place: str, name: str) -> Any:
    """Return the object that a dotted name stands for."""
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            owner = place if found is module else f"{place}:{name.partition('.' + part)[0]}"
            raise CommandError(f"{owner} has no {part!r}{_instead(found, part)}")
        found = getattr(found, part)
    return found


def _instead(owner: Any, wanted: str) -> str:
    """List names that the user may have meant."""
    own = vars(owner) if hasattr(owner, "__dict__") else {}
    handlers = sorted(name for name, value in own.items() if isinstance(handler_behind(value), BatchHandler))
    here = getattr(owner, "__name__", None)
    plain = own.keys() - handlers
    functions = sorted(name for name in plain if type(own[name]) is FunctionType and own[name].__module__ == here)
    close = get_close_matches(wanted, [*handlers, *functions])
    offered = close or handlers or functions
    return f"; it has {listing(offered)}" if offered else ""


def _no_batch_handler(found: Any) -> str:
    """Say why a `BatchHandler` can't be called directly; empty if it can."""
    if isinstance(found, BoundBatchHandler) and found._self_instance is None and found._self_binding == "function":
        return "it is a method without an instance: make an instance in the module, and name that instance's method"
    return ""


def _no_handler(found: Any) -> str:
    """Say why an object can't be called with ``(event, context)``; empty if it can."""
    if inspect.isclass(found) or not callable(found):
        return f"it is {'a class' if inspect.isclass(found) else f'of type {type(found).__name__}'}, not a function"
    if inspect.iscoroutinefunction(found):
        return "Lambda doesn't await an `async def`; put @batch_handler over it to handle records with it"
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some builtins have no signature
        return ""
    try:
        signature.bind({}, None)
    except TypeError:
        return f"its parameters are {signature} instead of (event, context); is @batch_handler missing over it?"
    return ""
