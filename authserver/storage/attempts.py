"""The quota: which targets an actor tried, and when last; and what they have active."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import State
from authserver.storage.dialect import insert_for
from authserver.storage.tables import Impersonation, TargetAttempt


def note(session: DbSession, actor_id: str, target_hash: str, *, now: int) -> None:
    """Note that an actor tried a target, real or not."""
    statement = insert_for(session, TargetAttempt).values(actor_id=actor_id, target_hash=target_hash, last_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["actor_id", "target_hash"], set_={"last_at": now}))


def count(session: DbSession, actor_id: str, *, but: str, since: int) -> int:
    """Count the distinct targets, other than `but`, that an actor tried since an instant."""
    query = select(func.count()).where(
        TargetAttempt.actor_id == actor_id, TargetAttempt.target_hash != but, TargetAttempt.last_at > since
    )
    return session.scalar(query) or 0


def active(session: DbSession, actor_id: str, *, but: str, now: int) -> int:
    """Count the active impersonations of an actor, other than `but`."""
    query = select(func.count()).where(
        Impersonation.actor_id == actor_id,
        Impersonation.id != but,
        Impersonation.state == State.ACTIVE,
        Impersonation.expires_at > now,
    )
    return session.scalar(query) or 0
