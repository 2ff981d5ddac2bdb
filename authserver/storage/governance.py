"""What is owed for breaking the glass, and what approvers decided, beside what was signed of it."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select, update

from authserver.storage import DbSession
from authserver.storage.tables import Approval, AuditEvent, BreakGlassReport, Impersonation
from authserver.storage.trail import EventRow


def owe_report(session: DbSession, impersonation_id: str, actor_id: str, *, owed_at: int, due_at: int) -> None:
    """Have an actor owe the report of one impersonation."""
    row = BreakGlassReport(impersonation_id=impersonation_id, actor_id=actor_id, owed_at=owed_at, due_at=due_at)
    session.add(row)
    session.flush()


def report_owed(session: DbSession, actor_id: str, *, but: str) -> bool:
    """Tell whether an actor owes a report of any impersonation other than `but`."""
    query = select(BreakGlassReport.impersonation_id).where(
        BreakGlassReport.actor_id == actor_id,
        BreakGlassReport.filed_at.is_(None),
        BreakGlassReport.impersonation_id != but,
    )
    return session.scalar(query.limit(1)) is not None


def owed(session: DbSession, *, actor_id: str | None = None) -> Sequence[BreakGlassReport]:
    """Return the reports that are owed, by one actor or by all, the first due first."""
    query = select(BreakGlassReport).where(BreakGlassReport.filed_at.is_(None))
    if actor_id is not None:
        query = query.where(BreakGlassReport.actor_id == actor_id)
    return session.scalars(query.order_by(BreakGlassReport.due_at, BreakGlassReport.impersonation_id)).all()


def report_of(session: DbSession, impersonation_id: str) -> BreakGlassReport | None:
    """Return the report that is owed, or was filed, for an impersonation."""
    return session.get(BreakGlassReport, impersonation_id, populate_existing=True)


def reports_of(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, BreakGlassReport]:
    """Return the reports of several impersonations."""
    query = select(BreakGlassReport).where(BreakGlassReport.impersonation_id.in_(impersonation_ids))
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    return {row.impersonation_id: row for row in rows}


def file_report(session: DbSession, impersonation_id: str, *, report: str, session_id: str, now: int) -> bool:
    """File the report; False when it was filed before."""
    statement = (
        update(BreakGlassReport)
        .where(BreakGlassReport.impersonation_id == impersonation_id, BreakGlassReport.filed_at.is_(None))
        .values(filed_at=now, report=report, session_id=session_id)
        .returning(BreakGlassReport.impersonation_id)
    )
    return session.execute(statement).one_or_none() is not None


class ApprovalRow(NamedTuple):
    """An approver's decision as it is stored, and counts; instants in seconds."""

    impersonation_id: str
    approver_id: str
    session_id: str
    decision: str
    digest: str
    decided_at: int
    lifetime: int | None
    kid: str | None
    signature: str | None
    withdrawn_at: int | None


def approval_rows(
    session: DbSession, *, after: str = "", only: str | None = None, limit: int = 100
) -> list[ApprovalRow]:
    """Return the approvals of the impersonations behind `after`, or of one, in the order of their ids."""
    query = select(*[getattr(Approval, field) for field in ApprovalRow._fields])
    query = query.where(Approval.impersonation_id > after if only is None else Approval.impersonation_id == only)
    return [ApprovalRow(*row) for row in session.execute(query.order_by(Approval.impersonation_id).limit(limit))]


def told_of(
    session: DbSession, chain_id: str, impersonation_ids: Collection[str], names: Collection[str]
) -> dict[str, list[EventRow]]:
    """Return the events of these names by their impersonation, each in the order of the chain."""
    columns = [getattr(AuditEvent, field) for field in EventRow._fields]
    query = select(*columns).where(
        AuditEvent.chain_id == chain_id, AuditEvent.impersonation_id.in_(impersonation_ids), AuditEvent.name.in_(names)
    )
    found: dict[str, list[EventRow]] = {identifier: [] for identifier in impersonation_ids}
    for row in session.execute(query.order_by(AuditEvent.seq)):
        event = EventRow(*row)
        found[event.impersonation_id or ""].append(event)
    return found


def decided_without_row(session: DbSession, chain_id: str, name: str, *, after: int, limit: int) -> list[EventRow]:
    """Return the decisions of this name whose impersonation stands, and no approval of it; the oldest first."""
    stands = select(Impersonation.id).where(Impersonation.id == AuditEvent.impersonation_id).exists()
    kept = select(Approval.impersonation_id).where(Approval.impersonation_id == AuditEvent.impersonation_id).exists()
    query = select(*[getattr(AuditEvent, field) for field in EventRow._fields]).where(
        AuditEvent.chain_id == chain_id, AuditEvent.name == name, AuditEvent.seq > after, stands, ~kept
    )
    return [EventRow(*row) for row in session.execute(query.order_by(AuditEvent.seq).limit(limit))]
