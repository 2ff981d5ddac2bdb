"""Handoffs to a device."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Handoff


def add(session: DbSession, row: Handoff) -> None:
    """Add a handoff."""
    session.add(row)
    session.flush()


def find(session: DbSession, handoff_id: str) -> Handoff | None:
    """Return a handoff."""
    query = select(Handoff).where(Handoff.id == handoff_id).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def is_latest(session: DbSession, impersonation_id: str, handoff_id: str) -> bool:
    """Tell whether a handoff of this impersonation was configured, and none of it after that one."""
    row = find(session, handoff_id)
    if row is None or row.impersonation_id != impersonation_id or row.consumed_at is None:
        return False
    query = select(Handoff.id).where(
        Handoff.impersonation_id == impersonation_id,
        Handoff.id != handoff_id,
        Handoff.consumed_at >= row.consumed_at,
    )
    return session.scalars(query.limit(1)).one_or_none() is None


def consume(session: DbSession, handoff_id: str, *, now: int) -> bool:
    """Use up the one configuration; False when it was had before."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.consumed_at.is_(None))
    return session.execute(statement.values(consumed_at=now).returning(Handoff.id)).one_or_none() is not None
