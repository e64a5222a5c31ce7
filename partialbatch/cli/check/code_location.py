"""Finds the handler of a function whose code lies beside its template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from partialbatch.cli.check.model import Handler, Unknown

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Properties, Value

__all__ = ["is_python", "locate"]

_HINT = "name the handler with --handler"


def is_python(runtime: Value) -> bool:
    """Tell whether a function runs Python, or may do so; one without a runtime is an image."""
    return not isinstance(runtime, str) or "${" in runtime or runtime.startswith("python")


def locate(properties: Properties[str, Value], metadata: Value, folder: Path) -> Handler | Unknown | None:
    """Find a function's handler.

    Args:
        properties: The function's, resolved.
        metadata: The resource's: ``cdk synth`` writes there where the code is.
        folder: The template's.

    Returns:
        None where nothing is said of runtime or handler: an image's handler is in the image.
    """
    runtime, name = properties.get("Runtime"), properties.get("Handler")
    if runtime is None or name is None or not is_python(runtime):
        return None
    if isinstance(name, Unknown):
        return name
    module, dot, function = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    if not (module and dot and function):
        return Unknown(f"its Handler is {name!r}, and should be module.function; {_HINT}")
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
    except (OSError, ValueError):  # a name that no file can have
        return False


def _place(properties: Properties[str, Value], metadata: Value) -> str | Unknown:
    """Return the folder of the code: SAM's CodeUri, a local Code, or the asset of ``cdk synth``."""
    said = metadata if isinstance(metadata, dict) else {}
    asset = said.get("aws:asset:path") if said.get("aws:asset:property") == "Code" else None
    default = None if "Code" in properties else "."
    place = asset or properties.get("CodeUri", properties.get("Code", default))
    if isinstance(place, Unknown):
        return place
    if not isinstance(place, str) or "InlineCode" in properties or "://" in place:
        return Unknown("its code is in no folder here")
    return place
