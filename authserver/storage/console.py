"""The console's sessions: sealed content under the hash of a cookie, changed by comparison with what was read."""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import ConsoleSession


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConsoleSession:
    """A row as read; frozen, so that it outlives its transaction. Instants are seconds."""

    sealed: str
    version: int
    expires_at: int


def add(session: DbSession, row: ConsoleSession) -> None:
    """Store a row."""
    session.add(row)
    session.flush()


def find(session: DbSession, kind: str, id_hash: str, *, now: int) -> StoredConsoleSession | None:
    """Return a living row."""
    query = select(ConsoleSession.sealed, ConsoleSession.version, ConsoleSession.expires_at).where(
        ConsoleSession.id_hash == id_hash, ConsoleSession.kind == kind, ConsoleSession.expires_at > now
    )
    row = session.execute(query).one_or_none()
    return None if row is None else StoredConsoleSession(sealed=row[0], version=row[1], expires_at=row[2])


def replace(session: DbSession, kind: str, id_hash: str, sealed: str, *, version: int) -> bool:
    """Put new content where `version` still is what was read; False when somebody else was before."""
    statement = update(ConsoleSession).where(
        ConsoleSession.id_hash == id_hash, ConsoleSession.kind == kind, ConsoleSession.version == version
    )
    changed = statement.values(sealed=sealed, version=version + 1).returning(ConsoleSession.id_hash)
    return session.execute(changed).one_or_none() is not None


def take(session: DbSession, kind: str, id_hash: str, *, now: int) -> str | None:
    """Delete a living row, and return what it held; None when it is gone."""
    statement = delete(ConsoleSession).where(
        ConsoleSession.id_hash == id_hash, ConsoleSession.kind == kind, ConsoleSession.expires_at > now
    )
    return session.scalars(statement.returning(ConsoleSession.sealed)).one_or_none()


def crowd_out(session: DbSession, kind: str, *, keep: int) -> None:
    """Delete all of a kind but the newest."""
    surplus = (
        select(ConsoleSession.id_hash)
        .where(ConsoleSession.kind == kind)
        .order_by(ConsoleSession.created_at.desc(), ConsoleSession.id_hash)
        .offset(keep)
    )
    session.execute(delete(ConsoleSession).where(ConsoleSession.id_hash.in_(surplus)))


def forget(session: DbSession, *, before: int) -> None:
    """Delete what expired before an instant."""
    session.execute(delete(ConsoleSession).where(ConsoleSession.expires_at < before))
