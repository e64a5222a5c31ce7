"""The extras of this package that commands, options and modules need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["install"]

_OF_COMMAND = {"check": ("cli", "lint"), "demo": ("local", "pydantic")}
_OF_OPTION = {"--plot": "plot", "--reload": "watch"}
_OF_MODULE = {"cfnlint": "lint", "matplotlib": "plot", "watchfiles": "watch"}


def install(arguments: Sequence[str], module: str = "") -> str:
    """Return one command that installs everything a command line needs.

    Args:
        arguments: The command line, without the program's name.
        module: The module that can't be found; empty if it doesn't matter.
    """
    of_command = next((_OF_COMMAND[word] for word in arguments if word in _OF_COMMAND), ("cli",))
    of_options = [_OF_OPTION[word.partition("=")[0]] for word in arguments if word.partition("=")[0] in _OF_OPTION]
    of_module = filter(None, [_OF_MODULE.get(module.partition(".")[0])])
    extras = dict.fromkeys([*of_command, *of_options, *of_module])
    return f"pip install 'partialbatch[{','.join(extras)}]'"
