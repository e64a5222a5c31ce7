"""The names that hooks use for records, also for the views of your own event sources."""

from __future__ import annotations

from typing import Any

__all__ = ["identifier_of", "source_of"]


def source_of(record: Any) -> str:
    """Return the name of a record's source, or ``custom`` if its view has no ``source``."""
    name = getattr(record, "source", None)
    return name if isinstance(name, str) and name else "custom"


def identifier_of(record: Any) -> str:
    """Return the identifier of a record as text, or ``none`` if it has no identifier."""
    try:
        return str(record.identifier)
    except Exception:
        return "none"
