"""`authserver policy`: look at the policy before the server does."""

import sys
from typing import TYPE_CHECKING

import click

from authserver import settings
from authserver.impersonation.policy import PolicyError, PolicySet

if TYPE_CHECKING:
    from authserver.cli import Options


@click.group(name="policy")
def command() -> None:
    """Check the policy and ask it why."""


@command.command()
@click.pass_obj
def check(options: "Options") -> None:
    """Read the configured policy folder and list its policies; exit 1 where one is wrong."""
    folder = settings.load(options.config).policy.folder
    try:
        policy = PolicySet.load(folder)
    except PolicyError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"{len(policy.rules)} policies in {folder}, SHA-256 {policy.digest}")
    width = max(len(rule.id) for rule in policy.rules)
    for rule in policy.rules:
        kind = rule.outcome or rule.effect
        click.echo(f"  {rule.id:<{width}}  {kind:<14}  {rule.comment or rule.why}")
