"""What hooks call a record, also one of an event source of the user's own, whose views may lack what ours have."""

from __future__ import annotations

from typing import Any

__all__ = ["identifier_of", "source_of"]


def source_of(record: Any) -> str:
    """Return the name of a record's source: ``custom`` where its view has no ``source``."""
    name = getattr(record, "source", None)
    return name if isinstance(name, str) and name else "custom"


def identifier_of(record: Any) -> str:
    """Return what names a record, also one that lacks its identifier."""
    try:
        return str(record.identifier)
    except Exception:
        return "none"
