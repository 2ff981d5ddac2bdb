"""Performed actions: what was done while impersonating, as reported."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import PerformedAction


@dataclass(frozen=True, slots=True)
class Place:
    """Where an action stands in the order in which they were received."""

    received_ms: int
    id: str
    reported_by: str


def add(session: DbSession, values: dict[str, Any]) -> bool:
    """Add a reporter's action unless it is known; tell whether it was new."""
    return insert_ignoring(session, PerformedAction, values)


def page(session: DbSession, impersonation_id: str, *, after: Place | None, limit: int) -> Sequence[PerformedAction]:
    """Return a page of an impersonation's actions, in the order in which they were received."""
    order = (PerformedAction.received_ms, PerformedAction.id, PerformedAction.reported_by)
    query = select(PerformedAction).where(PerformedAction.impersonation_id == impersonation_id)
    if after is not None:
        query = query.where(tuple_(*order) > (after.received_ms, after.id, after.reported_by))
    return session.scalars(query.order_by(*order).limit(limit)).all()


def counts(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, int]:
    """Count the actions of each of these impersonations; those without any are missing."""
    if not impersonation_ids:
        return {}
    query = select(PerformedAction.impersonation_id, func.count())
    query = query.where(PerformedAction.impersonation_id.in_(impersonation_ids))
    rows = session.execute(query.group_by(PerformedAction.impersonation_id)).all()
    return {row[0]: row[1] for row in rows}


def latest(session: DbSession, impersonation_id: str, *, skip: int, limit: int) -> Sequence[PerformedAction]:
    """Return a numbered page of an impersonation's actions, the latest first."""
    order = (PerformedAction.at_ms.desc(), PerformedAction.id.desc(), PerformedAction.reported_by)
    query = select(PerformedAction).where(PerformedAction.impersonation_id == impersonation_id)
    return session.scalars(query.order_by(*order).offset(skip).limit(limit)).all()


def since(session: DbSession, impersonation_id: str, at_ms: int, *, skip: int, limit: int) -> Sequence[PerformedAction]:
    """Return an impersonation's actions of `at_ms` and later, the oldest first, without `skip` of that very instant.

    Within an instant they are in the order of their arrival, so that one that comes later is not in front of others.
    """
    of_it = select(PerformedAction).where(PerformedAction.impersonation_id == impersonation_id)
    order = (PerformedAction.received_ms, PerformedAction.id, PerformedAction.reported_by)
    query = of_it.where(PerformedAction.at_ms == at_ms).order_by(*order).offset(skip).limit(limit)
    found = list(session.scalars(query))
    query = of_it.where(PerformedAction.at_ms > at_ms).order_by(PerformedAction.at_ms, *order)
    return found + list(session.scalars(query.limit(limit - len(found))))
