"""Resolves CloudFormation's intrinsic functions as far as possible without deploying."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.conditions import Conditions
from partialbatch.cli.check.model import ComposedText, PartlyKnown, Reference, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from partialbatch.cli.check.model import Properties, Value

__all__ = ["INCLUDED", "Resolver"]

INCLUDED = Unknown("Fn::Transform adds to it during deployment")
_HOLE = re.compile(r"\$\{([^!}][^}]*)\}")


class Resolver:
    """Resolves values of one template.

    Args:
        template: The template.
        parameters: Values of parameters and pseudo parameters; the others have their defaults.
        prefix: Prefix of the resources' names, to tell them from those of other stacks.
        exported: Returns the value that another stack exports under a name; None if there are no other stacks.
    """

    def __init__(
        self,
        template: Properties[str, Any],
        parameters: Properties[str, str],
        prefix: str = "",
        exported: Callable[[str], Value] | None = None,
    ) -> None:
        self._template = template
        self._parameters = parameters
        self._prefix = prefix
        self._exported = exported
        self._conditions = Conditions(self._section("Conditions"), self)

    def __call__(self, value: Any) -> Value:
        """Return the value with its intrinsic functions resolved or replaced by `Unknown`."""
        if isinstance(value, list):
            return [item for item in map(self, value) if item is not None]
        if not isinstance(value, dict):
            return _plain(value)
        if len(value) == 1:
            ((name, body),) = value.items()
            if name == "Ref" or str(name).startswith("Fn::"):
                function = _FUNCTIONS.get(str(name))
                return function(self, body) if function else Unknown(f"{name} is only known after deployment")
        pairs = {str(name): self(item) for name, item in value.items() if name != "Fn::Transform"}
        known = {name: item for name, item in pairs.items() if item is not None}
        return PartlyKnown(known, INCLUDED) if "Fn::Transform" in value else known

    def _section(self, name: str) -> Properties[str, Any]:
        section = self._template.get(name)
        return section if isinstance(section, dict) else {}

    def ref(self, name: Any) -> Value:
        """Resolve ``Ref``: a resource, a parameter or a pseudo parameter."""
        if name == "AWS::NoValue" or not isinstance(name, str):
            return Unknown("Ref to something other than a name") if name != "AWS::NoValue" else None
        if name in self._section("Resources"):
            return Reference(f"{self._prefix}{name}")
        if name.startswith("AWS::"):
            return self._parameters.get(name, f"${{{name}}}")
        return self._parameter(name)

    def _parameter(self, name: str) -> Value:
        if name in self._parameters:
            return _number(self._parameters[name], "Number")
        parameter = self._section("Parameters").get(name)
        if isinstance(parameter, dict) and "Default" in parameter:
            return _number(parameter["Default"], str(parameter.get("Type")))
        return Unknown(f"the parameter {name} has no default; give --parameter {name}=VALUE", str(name))

    def get_att(self, body: Any) -> Value:
        """Resolve ``Fn::GetAtt`` to the resource."""
        name = body.partition(".")[0] if isinstance(body, str) else body[0] if isinstance(body, list) and body else None
        there = isinstance(name, str) and name in self._section("Resources")
        return Reference(f"{self._prefix}{name}") if there else Unknown(f"Fn::GetAtt of {name}")

    def sub(self, body: Any) -> Value:
        """Resolve ``Fn::Sub``. Pseudo parameters are left as they are."""
        text, names = (*body, "", "")[:2] if isinstance(body, list) else (body, None)
        found: list[Value] = []
        for number, part in enumerate(_HOLE.split(text if isinstance(text, str) else "")):
            own = isinstance(names, dict) and part in names
            known = part if number % 2 == 0 else self(names[part]) if own else self._hole(part)
            found += [] if known == "" else [known]  # the text between two variables may be empty
        return found[0] if len(found) == 1 else _joined(found, "Fn::Sub")

    def _hole(self, name: str) -> Value:
        return self.get_att(name) if "." in name else self.ref(name)

    def join(self, body: Any) -> Value:
        """Resolve ``Fn::Join``."""
        separator, items = (
            body if isinstance(body, list) and len(body) == 2 else ("", Unknown("Fn::Join"))
        )  # separator and items
        parts = self(items)
        if not isinstance(parts, list):
            return parts if isinstance(parts, Unknown) else Unknown("Fn::Join")
        found = [each for part in parts for each in (separator, part)][1:]
        return _joined(found, "Fn::Join")

    def choose(self, body: Any) -> Value:
        """Resolve ``Fn::If`` if the condition is known, else as far as both branches agree."""
        if not isinstance(body, list) or len(body) != 3:  # condition, then, else
            return Unknown("Fn::If")
        holds = self._conditions.holds(body[0])
        if holds is not None:
            return self(body[1] if holds else body[2])
        return _both(self(body[1]), self(body[2]), Unknown(f"Fn::If depends on the condition {body[0]}"))

    def imported(self, body: Any) -> Value:
        """Resolve ``Fn::ImportValue`` if the stack that exports it is known."""
        name = self(body) if self._exported else None
        if self._exported and isinstance(name, str):
            return self._exported(name)
        return Unknown("Fn::ImportValue is only known after deployment")

    def find(self, body: Any) -> Value:
        """Resolve ``Fn::FindInMap`` with known keys."""
        keys = self(body)
        found: Any = self._section("Mappings")
        for key in keys if isinstance(keys, list) else (None,):
            found = found.get(key) if isinstance(found, dict) and isinstance(key, str) else None
        return Unknown("Fn::FindInMap depends on the deployment") if found is None else _plain(found)


def _both(then: Value, other: Value, why: Unknown) -> Value:
    """Return the parts that two branches have in common. In mappings, the other properties are unknown."""
    if type(then) is type(other) is dict:
        return {name: _both(then.get(name), other.get(name), why) for name in then | other}
    return then if then == other and not isinstance(then, PartlyKnown) else why


def _joined(parts: Iterable[Value], function: str) -> Value:
    """Join texts. If other values are among them, keep the parts."""
    merged: list[Value] = [""]
    for part in (each for item in parts for each in (item.parts if isinstance(item, ComposedText) else (item,))):
        if not isinstance(part, str | int | float):
            merged += [part, ""]
        else:
            merged[-1] += str(part)
    if len(merged) == 1:
        return merged[0]
    named = tuple(part for part in merged if part != "")
    unknown = next((part.why for part in named if isinstance(part, Unknown)), None)
    return named[0] if len(named) == 1 else ComposedText(unknown or f"{function} names a resource", parts=named)


def _plain(value: Any) -> Any:
    """Return a text without the decoder's position marks."""
    return str(value) if isinstance(value, str) else value


def _number(value: Any, kind: str) -> Any:
    if kind == "Number":
        try:
            return int(value)
        except (TypeError, ValueError):
            pass
    return _plain(value)


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Value]] = {
    "Ref": Resolver.ref,
    "Fn::GetAtt": Resolver.get_att,
    "Fn::Sub": Resolver.sub,
    "Fn::Join": Resolver.join,
    "Fn::If": Resolver.choose,
    "Fn::FindInMap": Resolver.find,
    "Fn::ImportValue": Resolver.imported,
    "Fn::Transform": lambda *_: INCLUDED,
}
