"""Evaluates CloudFormation's conditions as far as possible without deploying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.cli.check.model import Properties, Value

__all__ = ["Conditions"]


class Conditions:
    """Evaluates the conditions of one template.

    Args:
        named: The section ``Conditions``.
        resolve: Resolves the values that are compared.
    """

    def __init__(self, named: Properties[str, Any], resolve: Callable[[Any], Value]) -> None:
        self._named = named
        self._resolve = resolve

    def holds(self, name: Any, around: frozenset[str] = frozenset()) -> bool | None:
        """Tell whether a condition holds; None if the template doesn't tell.

        Args:
            name: The condition's name.
            around: Conditions that depend on this one, to detect circles.
        """
        if not isinstance(name, str) or name in around:
            return None
        return self._evaluate(self._named.get(name), around | {name})

    def _evaluate(self, body: Any, around: frozenset[str]) -> bool | None:
        ((function, arguments),) = body.items() if isinstance(body, dict) and len(body) == 1 else ((None, None),)
        if function == "Condition":
            return self.holds(arguments, around)
        if not isinstance(arguments, list):
            return None
        if function == "Fn::Equals":
            return self._equal(arguments)
        return _combined(function, [self._evaluate(each, around) for each in arguments])

    def _equal(self, arguments: list[Any]) -> bool | None:
        """Compare as CloudFormation does: as texts, with booleans as ``true`` and ``false``."""
        values = [self._resolve(each) for each in arguments]
        texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
        plain = all(isinstance(each, str | int | float) and "${" not in str(each) for each in values)
        return texts[0] == texts[1] if plain and len(texts) == 2 else None  # the two sides


def _combined(function: Any, parts: list[bool | None]) -> bool | None:
    """Combine results of which some are unknown. One part can decide regardless of the others."""
    if function == "Fn::Not" and len(parts) == 1 and parts[0] is not None:
        return not parts[0]
    if function in ("Fn::And", "Fn::Or"):
        decisive = function == "Fn::Or"
        return decisive if decisive in parts else None if None in parts else not decisive
    return None
