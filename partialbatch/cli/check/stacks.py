"""The resources of CloudFormation stacks that are deployed together, with references between stacks resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check.intrinsics import INCLUDED, Resolver
from partialbatch.cli.check.model import Place, Unchecked, Unknown
from partialbatch.cli.check.property_values import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cfnlint.template import Template

    from partialbatch.cli.check.model import Properties, Value

__all__ = ["Stack", "Stacks"]

_NESTED = {
    "AWS::CloudFormation::Stack": "a nested stack",
    "AWS::Serverless::Application": "an application",
}
_ELSEWHERE = Unknown("its template is another file; check that file, too")
_TRANSFORMS = ("AWS::Serverless-2016-10-31", "AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen")
"""Transforms that add no event sources, or that are handled here."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack before deployment.

    Attributes:
        template: The template, decoded and transformed by cfn-lint, which merges SAM's globals.
        parameters: Values of parameters, including known pseudo parameters.
        name: Its name; empty if it is the only stack.
        environment: Its account and region. Stacks share their exports within an environment.
    """

    template: Template
    parameters: Properties[str, str] = field(default_factory=dict)
    name: str = ""
    environment: str = ""

    @property
    def prefix(self) -> str:
        """The prefix of its resources' names."""
        return f"{self.name}/" if self.name else ""

    @property
    def exports(self) -> Iterator[tuple[Any, Any]]:
        """The unresolved name and value of each export."""
        outputs = self.template.template.get("Outputs")
        for output in outputs.values() if isinstance(outputs, dict) else ():
            export = output.get("Export") if isinstance(output, dict) else None
            if isinstance(export, dict):
                yield export.get("Name"), output.get("Value")


class Stacks:
    """Resources by name. With more than one stack, names have the form ``stack/resource``.

    Attributes:
        types: The resources' types.
        properties: The resources' resolved properties.
    """

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self._stacks = stacks
        self._open: set[tuple[str, str]] = set()
        self._resolvers = {stack.name: self._resolver(stack) for stack in stacks}
        self._of: dict[str, tuple[Stack, str]] = {}
        self.types: dict[str, str] = {}
        self.properties: dict[str, dict[str, Value]] = {}
        for stack in stacks:
            for name, body in stack.template.get_resources().items():
                key = f"{stack.prefix}{name}"
                self._of[key] = stack, str(name)
                self.types[key] = str(body["Type"])
                self.properties[key] = mapped(self._resolvers[stack.name](body.get("Properties")))

    def _resolver(self, stack: Stack) -> Resolver:
        exported = None if len(self._stacks) == 1 else lambda name: self._exported(name, stack)
        return Resolver(stack.template.template, stack.parameters, stack.prefix, exported)

    def _exported(self, name: str, importing: Stack) -> Value:
        """Return the value that another stack exports. If several stages export it, take that of the same stage."""
        found = [
            (stack, value)
            for stack in self._stacks
            if stack.environment == importing.environment
            for export, value in stack.exports
            if self._resolvers[stack.name](export) == name
        ]
        folder = importing.name.rpartition("/")[0]
        near = [each for each in found if each[0].name.rpartition("/")[0] == folder]
        chosen = found if len(found) == 1 else near
        if (importing.name, name) in self._open:
            return Unknown(f"Fn::ImportValue of {name} is circular")
        if len(chosen) != 1:
            exporting = "several stacks export" if len(found) > 1 else "no stack here exports"
            return Unknown(f"Fn::ImportValue of {name}, which {exporting}")
        self._open.add((importing.name, name))
        try:
            ((stack, value),) = chosen
            return self._resolvers[stack.name](value)
        finally:
            self._open.discard((importing.name, name))

    def metadata(self, key: str) -> Value:
        """Return a resource's metadata."""
        stack, name = self._of[key]
        return stack.template.template["Resources"][name].get("Metadata")

    def folder(self, key: str) -> Path:
        """Return the folder of a resource's template."""
        return Path(str(self._of[key][0].template.filename)).parent

    def place(self, key: str, *path: str, label: str | None = None) -> Place:
        """Return the place of a part of a resource."""
        stack, name = self._of[key]
        return _place(stack, label or name, "Resources", name, *path)

    def within(self, key: str) -> str:
        """Return the prefix of the resource's stack."""
        return self._of[key][0].prefix

    def unchecked(self) -> Iterator[Unchecked]:
        """Find parts that may contain event sources and are not in these templates."""
        for stack in self._stacks:
            template = stack.template.template
            for name in _transforms(template):
                place = _place(stack, "Transform", "Transform")
                yield Unchecked(place, f"which event sources the transform {name} adds", INCLUDED)
            resources = template.get("Resources")
            for name, body in resources.items() if isinstance(resources, dict) else ():
                found = _unread(str(name), body.get("Type") if isinstance(body, dict) else None)
                if found:
                    yield Unchecked(_place(stack, str(name), "Resources", str(name)), *found)


def _unread(name: str, kind: Any) -> tuple[str, Unknown] | None:
    """Return the question that an unread resource leaves open, and the reason; None if it was read."""
    if name == "Fn::Transform":
        return "which event sources are included", INCLUDED
    if kind is None:
        return "which type the resource has", Unknown("it sets no Type itself")
    kind_name = _NESTED.get(str(kind), "a module" if str(kind).endswith("::MODULE") else None)
    return (f"which event sources are in it, as it is {kind_name}", _ELSEWHERE) if kind_name else None


def _place(stack: Stack, label: str, *path: str) -> Place:
    found = stack.template.get_location_yaml(stack.template.template, list(path))
    return Place(label, stack.template.filename, found[0] + 1 if found else None, path)


def _transforms(template: Properties[str, Any]) -> Iterator[str]:
    """Return the macros of a whole template that are not handled here."""
    transform = template.get("Transform")
    named = [*(transform if isinstance(transform, list) else [transform]), template.get("Fn::Transform")]
    for each in named:
        name = each.get("Name") if isinstance(each, dict) else each
        if name is not None and name not in _TRANSFORMS:
            yield str(name)
