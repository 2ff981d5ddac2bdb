"""Performed actions: what was done while impersonating, as reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
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
