"""`authserver policy`: look at the policy before the server does."""

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authserver import settings
from authserver.cli.counts import counted
from authserver.impersonation.policy import PolicyError, PolicySet
from authserver.impersonation.policy_cases import CASES_FILE, CasesError, Table, untried
from authserver.protocol.names import BREAK_GLASS, Mode

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
    policy = _loaded(folder)
    click.echo(f"{counted(len(policy.rules), 'policy', 'policies')} in {folder}, SHA-256 {policy.digest}")
    width = max(len(rule.id) for rule in policy.rules)
    for rule in policy.rules:
        kind = rule.outcome or rule.effect
        click.echo(f"  {rule.id:<{width}}  {kind:<14}  {rule.comment or rule.why}")


def _loaded(folder: Path) -> PolicySet:
    try:
        return PolicySet.load(folder)
    except PolicyError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


@command.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--policy", "folder", type=click.Path(path_type=Path, file_okay=False), help="Another policy folder.")
@click.pass_obj
def test(options: "Options", file: Path | None, folder: Path | None) -> None:
    """Decide a table of cases, by default the policy folder's own cases.toml; exit 1 where one is decided otherwise."""
    folder = folder or settings.load(options.config).policy.folder
    policy = _loaded(folder)
    try:
        results = Table.read(file or folder / CASES_FILE).try_on(policy)
    except CasesError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    failed = [result for result in results if not result.met]
    for result in failed:
        click.echo(f"FAILED  {result.case.name}")
        for line in result.in_words():
            click.echo(f"        {line}")
    if idle := untried(policy, results):
        click.echo(f"No case is decided by {', '.join(idle)}.")
    click.echo(f"{counted(len(results), 'case')}, {len(failed)} failed.")
    sys.exit(1 if failed else 0)


@command.command()
@click.option("--actor", required=True, help="Who would act: a user name or an id.")
@click.option("--subject", required=True, help="For whom: a user name or an id.")
@click.option("--client", help="Through which client; by default the only one that may exchange.")
@click.option("--resource", "resources", multiple=True, help="For which resource server; by default the client's own.")
@click.option("--mode", type=click.Choice([str(mode) for mode in Mode]), default=str(Mode.READ_ONLY), show_default=True)
@click.option("--reason", help="The reason in words; without the option a good one is supposed.")
@click.option("--reason-code", default="", help="One of the configured codes.")
@click.option("--ticket", help="The ticket; without the option a valid one is supposed.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the exchange comes from.")
@click.option("--support-code", is_flag=True, help="Suppose that the customer gave a support code (way F).")
@click.option("--override", type=click.Choice([BREAK_GLASS]), help="Ask as the exchange would with this override.")
@click.pass_obj
def explain(  # noqa: PLR0913, PLR0917 - one parameter an option
    options: "Options",
    actor: str,
    subject: str,
    client: str | None,
    resources: tuple[str, ...],
    mode: str,
    reason: str | None,
    reason_code: str,
    ticket: str | None,
    address: str,
    override: str | None,
    *,
    support_code: bool,
) -> None:
    """Say what would be decided now, and which policies decide it; nothing is written and no attempt counts."""
    from authserver.cli.explanation import Question, explained
    from authserver.cli.wiring import working

    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise click.BadParameter(f"{address} is no IP address", param_hint="--address") from None
    question = Question(
        actor=actor,
        subject=subject,
        client=client,
        resources=resources,
        mode=mode,
        reason=reason,
        reason_code=reason_code,
        ticket=ticket,
        address=address,
        support_code=support_code,
        break_glass=override == BREAK_GLASS,
    )
    with working(options) as (server, work):
        lines = explained(server, work, question)
    click.echo("\n".join(lines))
