"""Stand for values that an input does not say outright."""

from __future__ import annotations

from collections.abc import Mapping as Properties
from dataclasses import dataclass
from typing import Any

__all__ = ["ComposedText", "PartlyKnown", "Properties", "Reference", "Unknown", "Value"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for a value that is there, or may be, and cannot be told from the input.

    Attributes:
        why: What stands in the way, for people: ``"Fn::ImportValue"``, say.
        name: Of the parameter that would say it, if one would.
    """

    why: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """Stands for an attribute of another resource of the same input, by that resource's name."""

    name: str


@dataclass(frozen=True, slots=True)
class ComposedText(Unknown):
    """Stands for a text that names other resources in its midst.

    Attributes:
        parts: The text between them, and what is named: each a `Reference` or `Unknown`.
    """

    parts: tuple[Any, ...] = ()


class PartlyKnown(dict[str, Any]):
    """Properties that may be more than what is known of them: each that isn't here is `Unknown`.

    Args:
        known: The properties that are known.
        why: Stands for the others.
    """

    def __init__(self, known: Properties[str, Any], why: Unknown) -> None:
        super().__init__(known)
        self.why = why

    def get(self, key: str, default: Any = None) -> Any:
        """Return a property, or why it cannot be told."""
        return super().get(key, self.why)


Value = Any
"""A plain value, a `Reference`, an `Unknown`, or None where the input sets nothing."""
