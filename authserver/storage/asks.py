"""How often somebody was asked for: what was started and never agreed to, the latest first."""

from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy import select
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import AuditEvent, Impersonation

_MOST = 64


def unanswered(session: DbSession, actor_id: str, subject_id: str, *, since_ms: int) -> list[int]:
    """Return when (ms) an actor asked for a subject since an instant, and since the last time that it became active.

    Breaking the glass asks nobody, and so answers nothing.
    """
    query = (
        select(Impersonation.created_ms, Impersonation.activated_at)
        .where(
            Impersonation.actor_id == actor_id,
            Impersonation.subject_id == subject_id,
            Impersonation.override.is_(None),
            Impersonation.created_ms > since_ms,
        )
        .order_by(Impersonation.created_ms.desc(), Impersonation.id.desc())
        .limit(_MOST)
    )
    found = session.execute(query).all()
    return [created_ms for created_ms, _ in takewhile(lambda row: row.activated_at is None, found)]


def events_until(session: DbSession, impersonation_id: str, name: str, *, until: str, since_ms: int) -> Sequence[int]:
    """Return when (ms) an event of this name befell an impersonation since an instant, and since one named `until`."""
    query = (
        select(AuditEvent.name, AuditEvent.at_ms)
        .where(
            AuditEvent.impersonation_id == impersonation_id,
            AuditEvent.name.in_({name, until}),
            AuditEvent.at_ms > since_ms,
        )
        .order_by(AuditEvent.seq.desc())
        .limit(_MOST)
    )
    return [at_ms for _, at_ms in takewhile(lambda row: row.name == name, session.execute(query).all())]
