"""The resources of a Terraform plan, with the references in their expressions resolved.

The format is Terraform's "JSON output format". A value that is only known after the apply is missing from
``planned_values``. The configuration then tells which resource it refers to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.model import Reference, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from partialbatch.cli.check.model import Properties, Value

__all__ = ["Plan", "Resource"]

_INDEX = re.compile(r"\[[^\]]*\]")
AFTER_APPLY = "it is only known after the apply"


@dataclass(frozen=True, slots=True)
class Resource:
    """A planned resource instance."""

    address: str
    type: str
    values: Properties[str, Any]
    unknown: Properties[str, Any]
    expressions: Properties[str, Any]
    module: tuple[str, ...]
    index: Any = None


@dataclass(slots=True)
class _Module:
    """A module's configuration, and the expressions of the call that made it."""

    body: Properties[str, Any]
    arguments: Properties[str, Any] = field(default_factory=dict)


class Plan:
    """A plan as ``terraform show -json`` writes it."""

    def __init__(self, plan: Properties[str, Any]) -> None:
        changes = [change for change in plan.get("resource_changes") or () if isinstance(change, dict)]
        self._unknown = {item.get("address"): (item.get("change") or {}).get("after_unknown") for item in changes}
        self._modules = dict(_modules((), _Module(_child(plan.get("configuration"), "root_module"))))
        self.resources = list(self._planned(_child(plan.get("planned_values"), "root_module"), ()))

    def _planned(self, module: Properties[str, Any], path: tuple[str, ...]) -> Iterator[Resource]:
        configured = self._modules.get(path, _Module({})).body.get("resources") or ()
        expressions = {item.get("address"): item.get("expressions") or {} for item in configured}
        for item in module.get("resources") or ():
            unknown = self._unknown.get(item["address"])
            yield Resource(
                address=item["address"],
                type=item["type"],
                values=item.get("values") or {},
                unknown=unknown if isinstance(unknown, dict) else {},
                expressions=expressions.get(f"{item['type']}.{item['name']}", {}),
                module=path,
                index=item.get("index"),
            )
        for child in module.get("child_modules") or ():
            names = _INDEX.sub("", child.get("address", "")).split(".")
            yield from self._planned(child, tuple(names[1::2]))

    def value(self, resource: Resource, name: str) -> Value:
        """Return an attribute's value, a `Reference`, `Unknown`, or None if it isn't set."""
        if resource.values.get(name) is not None:
            return resource.values[name]
        expression = resource.expressions.get(name)
        if not resource.unknown.get(name) or not expression:
            return None  # not set; plans mark the provider's default as unknown, too
        return self._follow(expression, resource.module, resource)

    def _follow(self, expression: Any, module: tuple[str, ...], origin: Resource) -> Value:
        references = expression.get("references") if isinstance(expression, dict) else None
        targets: list[Value] = []
        for reference in references or ():
            found = self._target(_INDEX.sub("", reference).split("."), module, origin)
            if found not in targets and found is not None:
                targets.append(found)
        return targets[0] if len(targets) == 1 else Unknown(AFTER_APPLY)

    def _target(self, parts: list[str], module: tuple[str, ...], origin: Resource) -> Value:
        """Resolve one reference; None for a redundant one, such as ``module.queue`` next to its output."""
        if parts[0] == "var" and module:
            return self._follow(self._modules[module].arguments.get(parts[1]), module[:-1], origin)
        if parts[0] == "module" and len(parts) > 2:  # module.name.output
            child = (*module, parts[1])
            outputs = self._modules.get(child, _Module({})).body.get("outputs") or {}
            return self._follow((outputs.get(parts[2]) or {}).get("expression"), child, origin)
        if parts[0] in ("module", "path", "count", "each"):
            return None
        return self._instance(".".join(parts[:2]), module, origin)

    def _instance(self, name: str, module: tuple[str, ...], origin: Resource) -> Value:
        address = re.compile(rf"(^|\.){re.escape(name)}(\[[^\]]*\])?$")
        found = [each for each in self.resources if each.module == module and address.search(each.address)]
        if len(found) > 1:
            found = [each for each in found if each.index == origin.index]
        return Reference(found[0].address) if len(found) == 1 else Unknown(f"{name} isn't exactly one planned resource")


def _child(value: Any, name: str) -> Properties[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _modules(path: tuple[str, ...], module: _Module) -> Iterator[tuple[tuple[str, ...], _Module]]:
    yield path, module
    for name, call in (module.body.get("module_calls") or {}).items():
        yield from _modules((*path, name), _Module(call.get("module") or {}, call.get("expressions") or {}))
