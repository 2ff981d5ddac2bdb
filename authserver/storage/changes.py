"""What changes of impersonations while somebody watches them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import OPEN_STATES
from authserver.storage import actions
from authserver.storage.tables import Approval, BreakGlassReport, Consent, Impersonation

Marks = tuple[int | str | None, ...]
"""What is there of an impersonation that can change; equal marks show the same."""


_MARKS = (
    Impersonation.state,
    Impersonation.lifetime,
    Impersonation.pending_until,
    Impersonation.expires_at,
    Impersonation.grace_until,
    Impersonation.notice,
    Impersonation.notice_withheld_until,
    Impersonation.extension_lifetime,
    Impersonation.extension_until,
    Approval.decision,
    Approval.decided_at,
    Approval.withdrawn_at,
    Consent.decision,
    Consent.given_at,
    Consent.withdrawn_at,
    BreakGlassReport.filed_at,
)


@dataclass(frozen=True, slots=True)
class OpenMarks:
    """What is open, and whose it is."""

    actor_id: str
    subject_id: str
    marks: Marks


def marks(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, Marks]:
    """Return the marks of impersonations by id, all in one query; an unknown one has none."""
    query = _decided(select(Impersonation.id, *_MARKS)).where(Impersonation.id.in_(impersonation_ids))
    return {row[0]: tuple(row[1:]) for row in session.execute(query)}


def open_marks(session: DbSession) -> dict[str, OpenMarks]:
    """Return the marks of everything that is open, by id."""
    whose = (Impersonation.id, Impersonation.actor_id, Impersonation.subject_id)
    query = _decided(select(*whose, *_MARKS)).where(Impersonation.state.in_(OPEN_STATES))
    return {row[0]: OpenMarks(row[1], row[2], tuple(row[3:])) for row in session.execute(query)}


def marks_of(session: DbSession, subjects: Collection[str]) -> dict[str, dict[str, Marks]]:
    """Return the marks of what is open by its customer and id, with how much was done; one without any is missing."""
    query = _decided(select(Impersonation.subject_id, Impersonation.id, *_MARKS))
    query = query.where(Impersonation.subject_id.in_(subjects), Impersonation.state.in_(OPEN_STATES))
    rows = session.execute(query).all()
    done = actions.counts(session, {row[1] for row in rows})
    found: dict[str, dict[str, Marks]] = {}
    for row in rows:
        found.setdefault(row[0], {})[row[1]] = (*row[2:], done.get(row[1], 0))
    return found


def _decided(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        query.outerjoin(Approval, Approval.impersonation_id == Impersonation.id)
        .outerjoin(Consent, Consent.impersonation_id == Impersonation.id)
        .outerjoin(BreakGlassReport, BreakGlassReport.impersonation_id == Impersonation.id)
    )
