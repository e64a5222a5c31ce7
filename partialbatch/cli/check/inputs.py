"""Detects the kind of input of ``partialbatch check``, and reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partialbatch.cli.check import cloudformation, terraform
from partialbatch.cli.check.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cfnlint.template import Template

    from partialbatch.cli.check.model import Deployment, Properties

__all__ = ["InputError", "looks_like_a_path", "read"]

_ENDINGS = (".yaml", ".yml", ".json", ".template")


class InputError(Exception):
    """The input isn't a template, a plan or a cloud assembly. The message is one line for the user."""


def looks_like_a_path(text: str) -> bool:
    """Tell whether a text is a path rather than a function's name, even if there is no such file."""
    return Path(text).exists() or text.endswith(_ENDINGS) or (("/" in text or "\\" in text) and ":" not in text)


def read(text: str, parameters: Properties[str, str]) -> Deployment:
    """Read a template, a Terraform plan, or a folder from ``cdk synth``.

    Raises:
        InputError: It is none of these.
    """
    path = Path(text)
    if not path.exists():
        raise InputError(f"{text}: there is no such file")
    try:
        return _folder(path, parameters) if path.is_dir() else _file(path, parameters)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Anything can be in the file; an unexpected shape is reported without a traceback.
        raise InputError(f"{path}: it doesn't have the expected shape ({type(error).__name__}: {error})") from None


def _folder(folder: Path, parameters: Properties[str, str]) -> Deployment:
    """Read all templates of a cloud assembly, because one stack may import the exports of another."""
    artifacts = list(_assembly(folder))
    several = len(artifacts) > 1
    return cloudformation.read([_stack(folder, *each, parameters, several=several) for each in artifacts])


def _stack(
    folder: Path, file: Path, artifact: Properties[str, Any], parameters: Properties[str, str], *, several: bool
) -> Stack:
    name = (artifact.get("properties") or {}).get("stackName") or artifact["id"]
    return Stack(
        _template(file),
        {"AWS::StackName": str(name)} | dict(parameters),
        file.relative_to(folder).as_posix().removesuffix(".json").removesuffix(".template") if several else "",
        str(artifact.get("environment")),
    )


def _assembly(folder: Path) -> Iterator[tuple[Path, Properties[str, Any]]]:
    """Yield the templates of a cloud assembly and its stages, each with its entry in the manifest."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise InputError(
            f"{folder}: it has no manifest.json, so it isn't the output of cdk synth; "
            "if you mean a function of that name, give its ARN"
        )
    artifacts = _json(manifest).get("artifacts")
    for name, artifact in (artifacts if isinstance(artifacts, dict) else {}).items():
        properties = artifact.get("properties") or {}
        if artifact.get("type") == "aws:cloudformation:stack":
            yield folder / properties["templateFile"], artifact | {"id": name}
        elif artifact.get("type") == "cdk:cloud-assembly":
            yield from _assembly(folder / properties["directoryName"])


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: it isn't UTF-8 text") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: it isn't a JSON object")
    return found


def _file(path: Path, parameters: Properties[str, str]) -> Deployment:
    if path.suffix == ".json":
        content = _json(path)
        if "planned_values" in content:
            return terraform.read(content, str(path))
    return cloudformation.read([Stack(_template(path), parameters)])


def _template(path: Path) -> Template:
    """Read a template.

    cfn-lint is imported here, because plans and deployed functions are checked without it.
    """
    _text(path)  # reports unreadable files, about which cfn-lint says nothing useful
    from cfnlint import decode
    from cfnlint.template import Template

    decoded, problems = decode.decode(str(path))
    if problems or decoded is None:
        lines = [f"line {problem.linenumber}: {problem.message}" for problem in problems]
        raise InputError(f"{path}: {'; '.join(lines) or 'it could not be read'}")
    if not isinstance(decoded, dict) or not isinstance(decoded.get("Resources"), dict):
        raise InputError(f"{path}: it is neither a template (no Resources) nor a Terraform plan (no planned_values)")
    template = Template(str(path), decoded)
    problems = template.transform()
    if problems:
        raise InputError(f"{path}: {problems[0].message}")
    return template
