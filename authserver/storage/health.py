"""What tells whether the server keeps up: messages that wait, events whose head is not signed yet."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import AuditEvent, AuditHead, OutboxMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Messages that are not sent: how many wait, since when the first is due (seconds), how many were given up."""

    waiting: int
    due_since: int | None
    given_up: int


def backlog(session: DbSession, *, given_up_since: int) -> Backlog:
    """Count what waits in the outbox, and what was given up since an instant (seconds)."""
    waiting = select(func.count(), func.min(OutboxMessage.due_at)).where(
        OutboxMessage.sent_at.is_(None), OutboxMessage.failed_at.is_(None)
    )
    count, due_since = session.execute(waiting).one()
    failed = select(func.count()).where(OutboxMessage.failed_at >= given_up_since)
    return Backlog(waiting=count, due_since=due_since, given_up=session.scalar(failed) or 0)


def unsigned_since_ms(session: DbSession, chain_id: str) -> int | None:
    """Return when the first event was appended that no signed head covers yet; None where all are covered."""
    signed = select(func.coalesce(func.max(AuditHead.seq), 0)).where(AuditHead.chain_id == chain_id)
    query = select(AuditEvent.at_ms).where(AuditEvent.chain_id == chain_id, AuditEvent.seq > signed.scalar_subquery())
    return session.scalar(query.order_by(AuditEvent.seq).limit(1))
