"""The command ``partialbatch check``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from partialbatch.cli.check import aws, findings_output, inputs
from partialbatch.cli.check.findings import Severity
from partialbatch.cli.check.handler_options import HandlerError, from_code, from_environment, from_handler
from partialbatch.cli.check.model import Handler, Unknown
from partialbatch.cli.check.rules import check as run_rules
from partialbatch.cli.command_error import CommandError

if TYPE_CHECKING:
    from partialbatch.cli.check.model import Deployment, Function, Options, Place

__all__ = ["check"]


@click.command()
@click.argument("target", metavar="FUNCTION|FILE|FOLDER")
@click.option("--region", help="The function's AWS region.")
@click.option(
    "--handler", "handlers", multiple=True, metavar="[FUNCTION=]MODULE:HANDLER", help="Read this handler's options."
)
@click.option("--no-import", is_flag=True, help="Don't import the handlers that a template names.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of a template's parameter.")
@click.option("--fix", is_flag=True, help="Print AWS CLI commands that fix the findings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--strict", is_flag=True, help="End with 1 on warnings and unknown settings, too.")
def check(
    *,
    target: str,
    region: str | None,
    handlers: tuple[str, ...],
    no_import: bool,
    parameters: tuple[str, ...],
    fix: bool,
    as_json: bool,
    strict: bool,
) -> None:
    """Find settings of a deployment that lose or repeat work.

    FUNCTION is the name or ARN of a deployed function; the command reads its settings from AWS and
    changes nothing. FILE is a CloudFormation or SAM template, or a Terraform plan (terraform show
    -json). FOLDER is a cdk.out.

    If the code of a template's Python handlers is next to it, they are imported to read their options.

    Ends with 1 if there are errors, with 0 if there are only warnings and unknown settings (with
    --strict: 1), and with 2 on wrong usage or if nothing could be checked.
    """
    deployment = _read(target, region, _pairs("--parameter", parameters))
    chosen = _chosen(handlers, {each.function.name: each.function for each in deployment.mappings})
    functions = {each.function.place: each.function for each in deployment.mappings}
    options = {place: _options(each, chosen, look=not no_import) for place, each in functions.items()}
    known = tuple(replace(each, function=_given(each.function, options)) for each in deployment.mappings)
    findings = run_rules(replace(deployment, mappings=known))
    if as_json:
        click.echo(findings_output.as_json(findings, len(known)))
    elif fix:
        click.echo(findings_output.as_commands(findings))
    else:
        findings_output.show(findings, len(known))
    if any(strict or finding.severity == Severity.ERROR for finding in findings):
        raise click.exceptions.Exit(1)


def _read(target: str, region: str | None, parameters: dict[str, str]) -> Deployment:
    if inputs.looks_like_a_path(target):
        try:
            return inputs.read(target, parameters)
        except inputs.InputError as error:
            raise CommandError(_line(error)) from None
    try:
        # arn:partition:lambda:region:...
        of_arn = target.split(":")[3:4] if target.startswith("arn:") else []
        session: Any = boto3.Session(
            region_name=region or next(iter(of_arn), None)
        )  # untyped: the stubs take literals only
        config = Config(connect_timeout=5)  # some networks reach only some services, and drop requests to the others
        return aws.read(target, lambda name: session.client(name, config=config))
    except (BotoCoreError, ClientError) as error:
        raise CommandError(_line(f"{target}: {error}")) from None


def _line(error: object) -> str:
    """Return a message as one line. Messages of parsers may have several."""
    return " ".join(str(error).split())


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise click.UsageError(f"{option} {text}: write NAME=VALUE")
    return {text.partition("=")[0]: text.partition("=")[2] for text in texts}


def _chosen(handlers: tuple[str, ...], functions: dict[str, Function]) -> dict[str, str]:
    """Return the handler given for each function. If there is only one function, its name may be left out."""
    chosen: dict[str, str] = {}
    for text in handlers:
        name, equals, handler = text.rpartition("=")
        if not equals and len(functions) == 1:
            name = next(iter(functions))
        if functions and name not in functions:
            names = ", ".join(sorted(functions))
            raise click.UsageError(f"--handler {text}: write FUNCTION={handler}, where FUNCTION is one of {names}")
        chosen[name] = handler
    return chosen


def _options(function: Function, chosen: dict[str, str], *, look: bool) -> Options:
    handler = chosen.get(function.name)
    if handler is None:
        found = function.handler
        if look and isinstance(found, Handler):
            return from_code(found, function)
        return from_environment(function, found) if isinstance(found, Unknown) else from_environment(function)
    try:
        return from_handler(handler, function)
    except HandlerError as error:
        raise CommandError(_line(f"--handler {error}")) from None


def _given(function: Function, options: dict[Place, Options]) -> Function:
    return replace(function, options=options[function.place])
