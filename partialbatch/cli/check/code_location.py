"""Finds the handler of a function whose code is next to its template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from partialbatch.cli.check.model import Handler, Unknown

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Properties, Value

__all__ = ["is_python", "locate"]

_HINT = "name the handler with --handler"


def is_python(runtime: Value) -> bool:
    """Tell whether a function runs or may run Python. A function without a runtime is a container image."""
    return not isinstance(runtime, str) or "${" in runtime or runtime.startswith("python")


def locate(properties: Properties[str, Value], metadata: Value, folder: Path) -> Handler | Unknown | None:
    """Find a function's handler.

    Args:
        properties: The function's resolved properties.
        metadata: The resource's metadata, in which ``cdk synth`` notes the location of the code.
        folder: The template's folder.

    Returns:
        None if the template sets no Python runtime or handler, as for a container image.
    """
    runtime, name = properties.get("Runtime"), properties.get("Handler")
    if runtime is None or name is None or not is_python(runtime):
        return None
    if isinstance(name, Unknown):
        return name
    module, dot, function = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    if not (module and dot and function):
        return Unknown(f"its Handler is {name!r} instead of module.function; {_HINT}")
    place = _place(properties, metadata)
    if isinstance(place, Unknown):
        return Unknown(f"{place.why}; {_HINT}")
    return _handler(folder / place, module, function)


def _handler(code: Path, module: str, function: str) -> Handler | Unknown:
    file = Path(*module.replace(".", "/").split("/"))
    if not any(_is_file(code / each) for each in (f"{file}.py", file / "__init__.py")):
        return Unknown(f"there is no {file}.py in {code}; {_HINT}")
    return Handler(f"{'.'.join(file.parts)}:{function}", str(code.resolve()))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # not a valid file name
        return False


def _place(properties: Properties[str, Value], metadata: Value) -> str | Unknown:
    """Return the folder of the code from SAM's CodeUri, a local Code, or the asset of ``cdk synth``."""
    notes = metadata if isinstance(metadata, dict) else {}
    asset = notes.get("aws:asset:path") if notes.get("aws:asset:property") == "Code" else None
    default = None if "Code" in properties else "."
    place = asset or properties.get("CodeUri", properties.get("Code", default))
    if isinstance(place, Unknown):
        return place
    if not isinstance(place, str) or "InlineCode" in properties or "://" in place:
        return Unknown("its code isn't in a local folder")
    return place
