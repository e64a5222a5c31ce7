"""Describe pydantic's validation errors by types and locations, without a word of the input.

This module doesn't load pydantic: if there is such an error, pydantic is loaded.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from partialbatch.errors import clip, listing

__all__ = ["described_invalid", "is_validation_error", "without_input", "words_of"]

_ERRORS_SHOWN = 5
_KEYS = ("extra_forbidden", "invalid_key")
"""The error types whose location ends in a key of the input."""
_INPUT = re.compile(r"input_value=.*?(?:(?=, input_type=\w+\]\s*?(?:\n|\Z))|\Z)", re.DOTALL)
"""The input ends at the type at the end of a line, because it may hold such text itself, or else at the end."""


def is_validation_error(error: BaseException) -> bool:
    """Tell whether an error is pydantic's, from version 1 or 2."""
    try:
        names = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__]
    except BaseException:  # a metaclass that raises is not pydantic's
        return False
    return any(package in {"pydantic", "pydantic_core"} and name == "ValidationError" for package, name in names)


def described_invalid(error: Any) -> str:
    """Describe a validation error from the user's own code."""
    title = str(getattr(error, "title", None) or getattr(error.model, "__name__", "value"))
    return f"invalid {clip(title)}: {places(error, _words_of_models(title))}"


def places(error: Any, words: set[str]) -> str:
    """List at most five locations, each with the type of its error.

    Without pydantic's messages, because they can quote the input (a union's tag, a bad UUID's letter).

    Args:
        error: The error.
        words: The words of the schema. Other words come from the input, and are not shown.
    """
    try:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    except TypeError:  # of pydantic 1
        found = error.errors()
    return listing((f"{_location(entry, words)} ({entry['type']})" for entry in found), _ERRORS_SHOWN)


def _location(entry: Any, words: set[str]) -> str:
    parts = list(entry["loc"])
    # A number is the index of a list, or a key of a dict in the input. If there are dicts, both are possible.
    indexes = bool(words) and "dict" not in words
    shown = [str(part) if (indexes if isinstance(part, int) else part in words) else "…" for part in parts]
    if parts and entry["type"] in _KEYS and isinstance(parts[-1], int):
        shown[-1] = "…"
    return ".".join(shown) or "payload"


def words_of(schema: Any) -> set[str]:
    """Collect the words in a validation schema."""
    words: set[str] = set()
    pending = [schema]
    while pending:
        entry = pending.pop()
        if isinstance(entry, str):
            words.add(entry)
        elif isinstance(entry, dict):
            pending.extend(entry)
            pending.extend(entry.values())
        elif isinstance(entry, list | tuple):
            pending.extend(entry)
    return words


def _words_of_models(title: str) -> set[str]:
    """Collect the words in the models that an error's title names."""
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    names, words = set(re.findall(r"\w+", title)), set[str]()
    pending = [] if base is None else [base]
    while pending:
        model = pending.pop()
        pending.extend(model.__subclasses__())
        if model.__name__ in names:
            words |= words_of(vars(model).get("__pydantic_core_schema__"))
    return words


def without_input(text: str) -> str:
    """Return a text of pydantic's without the inputs that it quotes."""
    return _INPUT.sub("input_value=…", text) if "input_value=" in text else text
