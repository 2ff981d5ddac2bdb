"""One-time codes that are passed to a device: made, used once, and dead with all they gave when presented again."""

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, case, delete, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import HandoffCode


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHandoffCode:
    """A code as read; frozen, so that it outlives its transaction. Instants are seconds."""

    handoff_id: str
    impersonation_id: str
    family_id: str
    expires_at: int
    used_at: int | None
    revoked_at: int | None


def add(session: DbSession, row: HandoffCode) -> None:
    """Store a code's hash."""
    session.add(row)
    session.flush()


def of_hash(session: DbSession, code_hash: str) -> StoredHandoffCode | None:
    """Return the code that was presented, alive or not."""
    return _one(session, HandoffCode.code_hash == code_hash)


def use(session: DbSession, code_hash: str, *, now: int) -> bool:
    """Use a living code up; False when it was used before, or lives no more."""
    statement = update(HandoffCode).where(
        HandoffCode.code_hash == code_hash,
        HandoffCode.used_at.is_(None),
        HandoffCode.revoked_at.is_(None),
        HandoffCode.expires_at > now,
    )
    return session.execute(statement.values(used_at=now).returning(HandoffCode.code_hash)).one_or_none() is not None


def revoke(session: DbSession, family_id: str, *, now: int) -> bool:
    """Say that what a code gave is revoked; False when that was said before."""
    statement = update(HandoffCode).where(HandoffCode.family_id == family_id, HandoffCode.revoked_at.is_(None))
    return session.execute(statement.values(revoked_at=now).returning(HandoffCode.code_hash)).one_or_none() is not None


def hold_family(session: DbSession, family_id: str) -> bool:
    """Keep others from revoking what a code gave until the commit; False when it is revoked."""
    query = select(HandoffCode.revoked_at).where(HandoffCode.family_id == family_id).with_for_update(read=True)
    return all(revoked_at is None for revoked_at in session.scalars(query))


def shorten(session: DbSession, handoff_id: str, *, until: int) -> None:
    """Let the unused codes of a handoff live until an instant at most."""
    earlier = case((HandoffCode.expires_at < until, HandoffCode.expires_at), else_=until)
    statement = update(HandoffCode).where(HandoffCode.handoff_id == handoff_id, HandoffCode.used_at.is_(None))
    session.execute(statement.values(expires_at=earlier))


def forget(session: DbSession, *, before: int) -> None:
    """Delete codes that expired before an instant."""
    session.execute(delete(HandoffCode).where(HandoffCode.expires_at < before))


def _one(session: DbSession, condition: ColumnElement[bool]) -> StoredHandoffCode | None:
    row = session.scalars(select(HandoffCode).where(condition).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return None
    return StoredHandoffCode(**{field.name: getattr(row, field.name) for field in fields(StoredHandoffCode)})
