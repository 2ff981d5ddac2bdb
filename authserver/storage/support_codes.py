"""Customers' support codes: made, listed, taken back, and used once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Session, SupportCode, User


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCode:
    """A support code as read; frozen, so that it outlives its transaction. Instants and lifetime in seconds."""

    id: str
    user_id: str
    session_id: str
    client_id: str | None
    mode: str
    scopes: tuple[str, ...]
    lifetime: int
    words_version: str
    words_language: str
    words_hash: str
    created_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None
    impersonation_id: str | None

    @property
    def words_shown(self) -> bool:
        """Whether it is known which words the customer read when they made it."""
        return bool(self.words_version)


def add(session: DbSession, row: SupportCode) -> None:
    """Store a code's hash with its limits."""
    session.add(row)
    session.flush()


def find(session: DbSession, code_id: str) -> StoredCode | None:
    """Return a code by its id, alive or not."""
    return _one(session, SupportCode.id == code_id)


def of_hash(session: DbSession, code_hash: str) -> StoredCode | None:
    """Return the code that was presented, alive or not."""
    return _one(session, SupportCode.code_hash == code_hash)


def newest_of(session: DbSession, user_id: str, *, limit: int) -> list[StoredCode]:
    """Return a customer's codes, the newest first."""
    query = select(SupportCode).where(SupportCode.user_id == user_id)
    query = query.order_by(SupportCode.created_at.desc(), SupportCode.id).limit(limit)
    return [_read(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def living(session: DbSession, code_id: str, *, now: int) -> bool:
    """Tell whether a code can be used: it is not used, taken back or expired, and its session and person live."""
    return session.scalar(select(SupportCode.id).where(SupportCode.id == code_id, *_alive(now))) is not None


def living_of(session: DbSession, user_id: str, *, now: int) -> Sequence[str]:
    """Return the ids of a customer's living codes."""
    return session.scalars(select(SupportCode.id).where(SupportCode.user_id == user_id, *_alive(now))).all()


def count_living(session: DbSession, user_id: str, *, now: int) -> int:
    """Count a customer's living codes."""
    return session.scalar(select(func.count()).where(SupportCode.user_id == user_id, *_alive(now))) or 0


def use(session: DbSession, code_id: str, *, impersonation_id: str, now: int) -> StoredCode | None:
    """Use a living code up for one impersonation; None when another call was first, or it lives no more."""
    statement = update(SupportCode).where(SupportCode.id == code_id, *_alive(now))
    used = statement.values(used_at=now, impersonation_id=impersonation_id).returning(SupportCode)
    row = session.scalars(used.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else _read(row)


def revoke(session: DbSession, code_id: str, *, user_id: str, now: int) -> bool:
    """Take a living code back; False when another call was first, or it lives no more."""
    statement = update(SupportCode).where(SupportCode.id == code_id, SupportCode.user_id == user_id, *_alive(now))
    return session.execute(statement.values(revoked_at=now).returning(SupportCode.id)).one_or_none() is not None


def forget(session: DbSession, *, before: int) -> None:
    """Delete codes that were never used and expired long ago."""
    session.execute(delete(SupportCode).where(SupportCode.used_at.is_(None), SupportCode.expires_at < before))


def _alive(now: int) -> tuple[ColumnElement[bool], ...]:
    session_lives = select(Session.id).where(
        Session.id == SupportCode.session_id, Session.ended_at.is_(None), Session.expires_at > now
    )
    person_lives = select(User.id).where(User.id == SupportCode.user_id, User.enabled)
    return (
        SupportCode.used_at.is_(None),
        SupportCode.revoked_at.is_(None),
        SupportCode.expires_at > now,
        session_lives.exists(),
        person_lives.exists(),
    )


def _one(session: DbSession, condition: ColumnElement[bool]) -> StoredCode | None:
    query = select(SupportCode).where(condition).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    return None if row is None else _read(row)


def _read(row: SupportCode) -> StoredCode:
    values = {field.name: getattr(row, field.name) for field in fields(StoredCode)}
    return StoredCode(**{**values, "scopes": tuple(row.scopes)})
