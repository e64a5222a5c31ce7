"""The command ``partialbatch check``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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
@click.option("--handler", "handlers", multiple=True, metavar="[FUNCTION=]MODULE:HANDLER", help="Read its options.")
@click.option("--no-import", is_flag=True, help="Do not import the handlers that a template names.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A template parameter's value.")
@click.option("--fix", is_flag=True, help="Print the AWS CLI commands that mend the findings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings and on what cannot be told, too.")
def check(  # the command line's options
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
    """Find what loses or repeats work in a deployment.

    FUNCTION is a deployed function's name or ARN: AWS is asked, and nothing is changed. FILE is a
    CloudFormation or SAM template, or a Terraform plan (terraform show -json). FOLDER is a cdk.out.

    A template's Python handlers are imported for their options, where their code lies beside it.

    Exits with 1 if there are findings of severity error, with 0 on warnings and on what cannot be told
    alone (--strict: 1), with 2 on wrong usage and where nothing could be checked.
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
        told = target.split(":")[3:4] if target.startswith("arn:") else []
        session: Any = boto3.Session(  # the stubs list services by name
            region_name=region or next(iter(told), None)
        )
        config = Config(connect_timeout=5)  # a network that leads to some services alone drops what is for others
        return aws.read(target, lambda name: session.client(name, config=config))
    except (BotoCoreError, ClientError) as error:
        raise CommandError(_line(f"{target}: {error}")) from None


def _line(error: object) -> str:
    """Return a message as one line: what a parser says may have several."""
    return " ".join(str(error).split())


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise click.UsageError(f"{option} {text}: write NAME=VALUE")
    return {text.partition("=")[0]: text.partition("=")[2] for text in texts}


def _chosen(handlers: tuple[str, ...], functions: dict[str, Function]) -> dict[str, str]:
    """Return each function's handler; one that names no function is for the only one."""
    chosen: dict[str, str] = {}
    for text in handlers:
        name, equals, handler = text.rpartition("=")
        if not equals and len(functions) == 1:
            name = next(iter(functions))
        if functions and name not in functions:
            names = ", ".join(sorted(functions))
            raise click.UsageError(f"--handler {text}: write FUNCTION={handler} with one of {names}")
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
