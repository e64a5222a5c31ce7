"""Findings, and the changes that fix them: as lines for a template and as AWS CLI commands."""

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
    """The severity of a finding."""

    ERROR = "error"
    """Work is lost, or the function can't work at all."""
    WARNING = "warning"
    """Work is repeated, or is lost after other failures."""
    UNKNOWN = "cannot tell"
    """The input doesn't tell whether there is a problem."""


@dataclass(frozen=True, slots=True)
class Change:
    """Properties to set on a resource.

    Attributes:
        settings: CloudFormation's names and values; for a handler the option and its value.
        command: The words of an AWS CLI command before the settings; None if there is no command.
        form: The form of the settings in the command: ``options``, ``attributes`` (of a queue) or ``policy``.
        cli_settings: Settings for the command, if they differ from those for the template.
    """

    settings: Properties[str, Any]
    command: tuple[str, ...] | None = None
    form: str = "options"
    cli_settings: Properties[str, Any] | None = None

    def line(self, dialect: str) -> str:
        """Return the line to add to a template or to the handler's code."""
        if self.command is None and self.form == "handler":
            return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        if dialect == "terraform":
            return "\n".join(_hcl(name, value) for name, value in self.settings.items())
        return "\n".join(f"{name}: {_flow(value)}" for name, value in self.settings.items())

    def cli(self) -> str | None:
        """Return the AWS CLI command. Values that the user has to fill in are in ``<>``."""
        if self.command is None:
            return None
        settings = self.settings if self.cli_settings is None else self.cli_settings
        words = [*self.command, *_WORDS[self.form](settings)]
        return " ".join(shlex.quote(word) for word in words)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that loses or repeats work.

    Attributes:
        rule: The rule's name.
        severity: Its severity.
        place: Its place in the input.
        message: The problem, its consequence, and a remedy.
        change: The change that fixes it, if there is one.
    """

    rule: str
    severity: Severity
    place: Place
    message: str
    change: Change | None = None

    @property
    def add(self) -> str | None:
        """The line to add to the template or the code."""
        return self.change.line(self.place.dialect) if self.change else None

    @property
    def fix(self) -> str | None:
        """The AWS CLI command that fixes it."""
        return self.change.cli() if self.change else None


def _flow(value: Any) -> str:
    """Write a value in YAML's flow style, which is JSON without most quotes."""
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
    """Write a setting in the words of Terraform's AWS provider, with nested objects as blocks."""
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
    """Write queue attributes, which are all strings, even the redrive policy."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return ["--attributes", json.dumps(texts)]


def _policy(settings: Properties[str, Any]) -> list[str]:
    return ["--policy-name", "partialbatch", "--policy-document", json.dumps(settings["Policy"])]


_WORDS = {"options": _options, "attributes": _attributes, "policy": _policy}
