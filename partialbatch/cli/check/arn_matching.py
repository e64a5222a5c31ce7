"""Reads ARNs, and tells whether the resource of a policy statement covers a target."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from partialbatch.cli.check.model import ComposedText, Reference, Target, Unknown

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Properties, Value

__all__ = ["HOLE", "LIKELY", "PREFIXES", "as_text", "covers", "last_part", "named", "parse", "split_arn", "target_of"]

PREFIXES = {"kinesis": "stream/", "firehose": "deliverystream/", "events": "event-bus/", "dynamodb": "table/"}
"""The text before a resource's name in its ARN, by service."""

LIKELY = Unknown("a resource of that name, in a region or account that may be a different one")
"""The names are equal, but the region or account is not known."""

HOLE = "${-}"
"""Placeholder in a text for an unknown part."""

_PARTS = 6
_HOST = re.compile(r"(?:^|\.)sqs\.([a-z]+(?:-[a-z]+)+-\d+)\.(?:vpce\.)?(?:amazonaws|api)\.")
_COLON = re.compile(r":(?![^{}]*\})")  # not one of ${AWS::Region}
_HOLE = re.compile(r"\$\{[^}]*\}")


def as_text(value: Value) -> str | None:
    """Return a text with `HOLE` for each unknown part; None for other values."""
    if isinstance(value, ComposedText):
        return "".join(part if isinstance(part, str) else HOLE for part in value.parts)
    return value if isinstance(value, str) else None


def split_arn(text: str) -> list[str]:
    """Split an ARN into at most six parts. ``${AWS::Partition}`` counts as one part."""
    return _COLON.split(text, _PARTS - 1)


def last_part(value: Value) -> tuple[Value, ...]:
    """Return the text after the last colon; empty if it can't be compared because parts are unknown."""
    found: list[Value] = []
    for part in reversed(value.parts if isinstance(value, ComposedText) else (value,)):
        text: list[Value] = _COLON.split(part) if isinstance(part, str) else [part]
        found = [text[-1], *found] if text[-1] else found
        if len(text) > 1:
            break
    comparable = all(isinstance(part, str | Reference) or getattr(part, "name", None) for part in found)
    return tuple(found) if comparable else ()


def named(value: Value) -> Value:
    """Return the resource at the end of an ARN such as ``!Sub arn:...:table/${Table}``."""
    parts = value.parts if isinstance(value, ComposedText) else ()
    if len(parts) < 2 or not isinstance(parts[-1], Reference):  # an ARN's beginning and a name
        return value
    before = as_text(ComposedText("", parts=parts[:-1])) or ""
    whole = before.startswith("arn:") and before.endswith((":", *PREFIXES.values()))
    return parts[-1] if whole else value


def target_of(service: str, reference: str, name: Value) -> Target:
    """Return the target for a resource of the input. If the resource sets no name, the target's name is unknown."""
    return Target(service, PREFIXES.get(service, "") + name if isinstance(name, str) else None, reference=reference)


def parse(service: str, text: str) -> Target:
    """Read a producer's target from an ARN, a queue's URL or a name."""
    if not text.startswith("arn:"):
        return _queue(text) if service == "sqs" else Target(service, PREFIXES.get(service, "") + text)
    parts = split_arn(text)
    if len(parts) < _PARTS:
        return Target(service)
    region, account = (part if part and "${" not in part else None for part in parts[3:5])
    return Target(parts[2], parts[5], account, region)


def _queue(url: str) -> Target:
    """Read a queue's URL. An emulator's URL has no region or account."""
    *_, host, account, name = ("", "", *url.split("/"))
    region = _HOST.search(host)
    return Target("sqs", name or None, account, region[1]) if region else Target("sqs", name or None)


def covers(resource: Value, target: Target, known: Properties[str, Target]) -> bool | Unknown:
    """Tell whether a statement's resource is or includes a target; `LIKELY` if only region or account are unknown.

    Args:
        resource: An ARN with wildcards, or a `Reference`.
        target: The resource that the handler calls.
        known: The resources of the input, by name.
    """
    resource = named(resource)
    if isinstance(resource, Reference):
        return _same(resource.name, target, known)
    text = as_text(resource)
    if text is None:
        return _uncertain(target)
    return True if text == "*" else _matches(text, target)


def _same(name: str, target: Target, known: Properties[str, Target]) -> bool | Unknown:
    other = known.get(name)
    if name == target.reference:
        return True
    if other is None:  # an output of another stack, say
        return _uncertain(target)
    if other.service != target.service or target.reference in known:
        return False
    if other.name is None or target.name is None:
        return _uncertain(target)
    return other.name == target.name or (_uncertain(target) if "${" in other.name + target.name else False)


def _matches(pattern: str, target: Target) -> bool | Unknown:
    parts = split_arn(pattern)
    if parts[-1] == "*":
        parts += ["*"] * (_PARTS - len(parts))
    if len(parts) < _PARTS:
        return _uncertain(target)
    _, _, service, region, account, name = parts
    places = [(region, target.region), (account, target.account)]
    if not _fits(_HOLE.sub("*", service), target.service) or not all(
        _fits(_HOLE.sub("*", glob), value) for glob, value in places if value
    ):
        return False
    if target.name is None:
        return name in ("*", PREFIXES.get(target.service, "") + "*") or _uncertain(target)
    if _fits(name, target.name):
        certain = HOLE not in f"{service}{region}{account}"
        return True if certain and all(value or _HOLE.sub("*", glob) == "*" for glob, value in places) else LIKELY
    return _uncertain(target) if "${" in target.name or _fits(_HOLE.sub("*", name), target.name) else False


def _fits(pattern: str, text: str) -> bool:
    """Match as IAM does, with the wildcards ``*`` and ``?`` but without brackets."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _uncertain(target: Target) -> Unknown:
    return Unknown(f"a resource that can't be compared with {target.label}")
