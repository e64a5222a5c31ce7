"""A finding, and the change that mends it: as a line for the template, and as an AWS CLI command."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping as Properties

    from partialbatch.cli.check.model import Place

__all__ = ["Change", "Finding", "Severity"]


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Work is lost, or nothing works."""
    WARNING = "warning"
    """Work is repeated, or lost when things go wrong."""
    UNKNOWN = "cannot tell"
    """The input does not say."""


@dataclass(frozen=True, slots=True)
class Change:
    """Properties to set on a resource.

    Attributes:
        settings: CloudFormation's names and values; for a handler the option and its value.
        command: The AWS CLI's command up to the settings; None: there is none.
        form: How the command takes them: ``options``, ``attributes`` (of a queue) or ``policy``.
    """

    settings: Properties[str, Any]
    command: tuple[str, ...] | None = None
    form: str = "options"
    cli_settings: Properties[str, Any] | None = None

    def line(self, dialect: str) -> str:
        """Return the line to add to a template or to the code."""
        if self.command is None and self.form == "handler":
            return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        if dialect == "terraform":
            return "\n".join(_hcl(name, value) for name, value in self.settings.items())
        return "\n".join(f"{name}: {_flow(value)}" for name, value in self.settings.items())

    def cli(self) -> str | None:
        """Return the AWS CLI command; what has to be filled in stands in ``<>``."""
        if self.command is None:
            return None
        settings = self.settings if self.cli_settings is None else self.cli_settings
        words = [*self.command, *_WORDS[self.form](settings)]
        return " ".join(shlex.quote(word) for word in words)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that loses or repeats work.

    Attributes:
        rule: The rule's name.
        place: Where.
        message: What is wrong, why it loses or repeats work, and what to do.
    """

    rule: str
    severity: Severity
    place: Place
    message: str
    change: Change | None = None

    @property
    def add(self) -> str | None:
        """The line to add."""
        return self.change.line(self.place.dialect) if self.change else None

    @property
    def fix(self) -> str | None:
        """The AWS CLI command."""
        return self.change.cli() if self.change else None


def _flow(value: Any) -> str:
    """Write a value in YAML's flow style: JSON without the quotes that YAML does not need."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w-]*", value)
    return str(value) if plain else json.dumps(value)


_TERRAFORM = {
    "VisibilityTimeout": "visibility_timeout_seconds",
    "RedrivePolicy": "redrive_policy",
    "Destination": "destination_arn",
    "DynamoDBStreamParameters": "dynamodb_stream_parameters",
}


def _hcl(name: str, value: Any) -> str:
    """Write a setting as the AWS provider for Terraform names it: a nested object is a block."""
    word = _TERRAFORM.get(name) or _snake(name)
    if name == "RedrivePolicy":
        return f"{word} = jsonencode({json.dumps(value)})"
    if isinstance(value, dict) and name != "Policy":
        return f"{word} {{ " + " ".join(_hcl(*item) for item in value.items()) + " }"
    if isinstance(value, dict):
        return f"{word} = jsonencode({json.dumps(value)})"
    return f"{word} = {json.dumps(value)}"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _options(settings: Properties[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in settings.items():
        words.append(f"--{_snake(name).replace('_', '-')}")
        if isinstance(value, list):
            words += value
        elif value is not True:
            words.append(value if isinstance(value, str) else json.dumps(value))
    return words


def _attributes(settings: Properties[str, Any]) -> list[str]:
    """Queue attributes are strings, the redrive policy too."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return ["--attributes", json.dumps(texts)]


def _policy(settings: Properties[str, Any]) -> list[str]:
    return ["--policy-name", "partialbatch", "--policy-document", json.dumps(settings["Policy"])]


_WORDS = {"options": _options, "attributes": _attributes, "policy": _policy}
