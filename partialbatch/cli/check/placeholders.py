"""Placeholders for values that an input doesn't state directly."""

from __future__ import annotations

from collections.abc import Mapping as Properties
from dataclasses import dataclass
from typing import Any

__all__ = ["ComposedText", "PartlyKnown", "Properties", "Reference", "Unknown", "Value"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is or may be set, and that the input doesn't tell.

    Attributes:
        why: The reason, for messages.
        name: The name of the parameter that has the value, if there is one.
    """

    why: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute of another resource in the same input, given by that resource's name."""

    name: str


@dataclass(frozen=True, slots=True)
class ComposedText(Unknown):
    """A text that contains the names of other resources.

    Attributes:
        parts: Texts, and a `Reference` or `Unknown` for each name.
    """

    parts: tuple[Any, ...] = ()


class PartlyKnown(dict[str, Any]):
    """Properties of which only some are known. Each missing one is `Unknown`.

    Args:
        known: The known properties.
        why: The value of every other property.
    """

    def __init__(self, known: Properties[str, Any], why: Unknown) -> None:
        super().__init__(known)
        self.why = why

    def get(self, key: str, default: Any = None) -> Any:
        """Return a property, or `Unknown` if it is missing."""
        return super().get(key, self.why)


Value = Any
"""A plain value, a `Reference`, an `Unknown`, or None if the input sets nothing."""
