"""`authserver impersonations`: list them, end one, end them all; list the reports that are owed."""

import click

from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.options import echo_table, moment, refuse
from authserver.cli.wiring import working
from authserver.protocol.names import State
from authserver.storage import governance, impersonations, listings, people
from authserver.storage.listings import Filters, Viewer

BY = "cli"
_REASON = "operator"


@click.group(name="impersonations")
def command() -> None:
    """List and end impersonations."""


@command.command(name="list")
@click.option(
    "--state",
    "states",
    type=click.Choice([str(state) for state in State]),
    multiple=True,
    help="May be given several times.",
)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first.")
@click.pass_obj
def list_(options: Options, states: tuple[str, ...], limit: int) -> None:
    """List impersonations, the newest first."""
    with working(options) as (_, work):
        records = listings.page(work.session, Viewer(), Filters(states=states or None), limit=limit)
        names = people.named(work.session, {person for row in records for person in (row.actor_id, row.subject_id)})
    rows = [
        (
            row.id,
            row.state,
            row.mode,
            names.get(row.actor_id, row.actor_id),
            names.get(row.subject_id, row.subject_id),
            row.client_id,
            moment(row.created_ms // 1000),
            moment(row.ended_at or row.expires_at or row.pending_until),
            row.end_reason or "",
        )
        for row in records
    ]
    echo_table(("ID", "STATE", "MODE", "ACTOR", "SUBJECT", "CLIENT", "STARTED", "ENDS", "WHY"), rows)


@command.command()
@click.pass_obj
def owed(options: Options) -> None:
    """List the reports of break-glass that are owed, the first due first."""
    with working(options) as (server, work):
        reports, now = governance.owed(work.session), server.clock.now()
        names = people.named(work.session, {report.actor_id for report in reports})
        rows = [
            (
                report.impersonation_id,
                names.get(report.actor_id, report.actor_id),
                moment(report.owed_at),
                moment(report.due_at),
                "overdue" if now > report.due_at else "",
            )
            for report in reports
        ]
    echo_table(("ID", "ACTOR", "SINCE", "DUE", ""), rows)


@command.command()
@click.argument("impersonation_id", required=False)
@click.option("--all", "everything", is_flag=True, help="End every one that is open.")
@click.option("--yes", is_flag=True, help="Do not ask before ending all.")
@click.pass_obj
def end(options: Options, impersonation_id: str | None, *, everything: bool, yes: bool) -> None:
    """End one impersonation, or with --all every open one; their tokens are dead at once.

    Exits with 1 where the impersonation is not open.
    """
    if everything is (impersonation_id is not None):
        raise click.UsageError("name one impersonation, or give --all")
    if impersonation_id is not None:
        _end_one(options, impersonation_id)
        return
    if not yes:
        click.confirm("End every impersonation that is open or active?", abort=True)
    with working(options) as (server, work):
        ended = server.lifecycle.end_all(work, by=BY, reason=_REASON)
    click.echo(f"Ended {counted(ended, 'impersonation')}.")


def _end_one(options: Options, impersonation_id: str) -> None:
    with working(options) as (server, work):
        work.lock()
        record = impersonations.find(work.session, impersonation_id, hold=True)
        if record is None:
            refuse(f"{impersonation_id}: no such impersonation; see: authserver impersonations list")
        if server.lifecycle.end(work, record, state=State.ENDED, by=BY, reason=_REASON) is None:
            refuse(f"{impersonation_id} is not open: it is {record.state} ({record.end_reason})")
    click.echo(f"Ended {impersonation_id}; its tokens are dead.")
