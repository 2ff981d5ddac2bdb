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


def consume(session: DbSession, handoff_id: str, *, now: int) -> bool:
    """Use up the one configuration; False when it was had before."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.consumed_at.is_(None))
    return session.execute(statement.values(consumed_at=now).returning(Handoff.id)).one_or_none() is not None
