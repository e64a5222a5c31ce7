"""Loading the handler that a command line names: ``module:handler``."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from partialbatch._core.decorator import BatchHandler, BoundBatchHandler
from partialbatch._core.references import handler_behind
from partialbatch.cli.tracebacks import own_frame
from partialbatch.cli.unusable import Unusable
from partialbatch.errors import clip, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["Loaded", "Unusable", "load_handler"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A handler, ready to be called.

    Attributes:
        name: As the command line named it.
        handler: Called with the event and the context.
        ours: Whether it is a `BatchHandler`, or stands over one, which tells what became of each record.
        module: The module that it was found in.
    """

    name: str
    handler: Callable[[Any, Any], Any]
    ours: bool
    module: ModuleType

    @property
    def behind(self) -> Any:
        """The `BatchHandler`, or its bound form, behind decorators; None where there is none."""
        return handler_behind(self.handler)

    @property
    def note(self) -> str:
        """What the user should know about a handler that is not ours; empty otherwise."""
        if self.ours:
            return ""
        return (
            f"{self.name} is a plain function: it is called as (event, context), "
            "and what became of each record is read off its response"
        )


def load_handler(target: str) -> Loaded:
    """Import a module and return the handler in it.

    Args:
        target: ``module:handler``, or ``path/to/file.py:handler``; the handler's name may have
            dots (``app:orders.handle``). Modules are looked for in the working directory first.

    Raises:
        Unusable: There is no such handler; the message says why, in one line.
    """
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        dotted, _, last = target.rstrip(":").rpartition(".")
        hint = f" Did you mean {dotted}:{last}?" if dotted and last != "py" else ""
        raise Unusable(f"{target!r} names no handler: write module:handler, app:handler say.{hint}")
    module = _import(place)
    found = _find(module, place, name)
    ours = handler_behind(found) is not None
    direct = isinstance(found, BatchHandler | BoundBatchHandler)
    problem = _no_batch_handler(found) if direct else _no_handler(found)
    if problem:
        raise Unusable(f"{target} is no handler: {problem}")
    return Loaded(target, found, ours, module)


def _import(place: str) -> ModuleType:
    """Import a module by its name, or by its file's path."""
    folder, name = Path.cwd(), place
    if place.endswith(".py"):
        file = Path(place).resolve()
        if not file.is_file():
            raise Unusable(f"there is no file {place}")
        folder, name = file.parent, file.stem
    # A console script starts with its own folder here, not with the working directory.
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a module does when it is imported, SystemExit included
        raise Unusable(_why_not(error, place, name)) from None
    other = getattr(module, "__file__", None) or "a built-in module"
    if name != place and Path(other).resolve() != folder / f"{name}.py":
        raise Unusable(f"{place} cannot be loaded beside another module {name!r} ({other}): rename it")
    return module


def _why_not(error: BaseException, place: str, name: str) -> str:
    """Say in one line why a module does not import, and where."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r} in the working directory, and none is installed"
    text = clip(" ".join(str(error).split()), 300)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{place} does not import: SyntaxError: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    # The line that is the user's own: the libraries that they import raise further down.
    frame = own_frame(error)
    where = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    return f"{place} does not import: {type(error).__name__}: {text}".rstrip(": ") + where


def _find(module: ModuleType, place: str, name: str) -> Any:
    """Follow the dots of a handler's name."""
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            owner = place if found is module else f"{place}:{name.partition('.' + part)[0]}"
            raise Unusable(f"{owner} has no {part!r}{_instead(found, part)}")
        found = getattr(found, part)
    return found


def _instead(owner: Any, wanted: str) -> str:
    """Offer the names that could have been meant."""
    own = vars(owner) if hasattr(owner, "__dict__") else {}
    handlers = sorted(name for name, value in own.items() if isinstance(handler_behind(value), BatchHandler))
    here = getattr(owner, "__name__", None)
    plain = own.keys() - handlers
    functions = sorted(name for name in plain if type(own[name]) is FunctionType and own[name].__module__ == here)
    close = get_close_matches(wanted, [*handlers, *functions])
    offered = close or handlers or functions
    return f"; it has {listing(offered)}" if offered else ""


def _no_batch_handler(found: Any) -> str:
    """Say why one of ours cannot be called as it is; empty if it can."""
    if isinstance(found, BoundBatchHandler) and found._self_instance is None and found._self_binding == "function":  # noqa: SLF001 - wrapt's own names
        return "it is a method, and Lambda has no instance: make one in the module, and name its method"
    return ""


def _no_handler(found: Any) -> str:
    """Say why an object cannot be called as ``(event, context)``; empty if it can."""
    if inspect.isclass(found) or not callable(found):
        return f"it is {'a class' if inspect.isclass(found) else f'of type {type(found).__name__}'}, and no function"
    if inspect.iscoroutinefunction(found):
        return "Lambda does not await an `async def`; put @batch_handler over it, and it handles records"
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some builtins have none
        return ""
    try:
        signature.bind({}, None)
    except TypeError:
        return f"its parameters are {signature}, not (event, context); is @batch_handler missing over it?"
    return ""
