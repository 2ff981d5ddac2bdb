"""What is owed for breaking the glass."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from authserver.storage import DbSession
from authserver.storage.tables import BreakGlassReport


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
