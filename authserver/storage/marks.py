"""What a database is marked as."""

from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Mark


def get(session: DbSession, name: str) -> str | None:
    """Return a mark's value."""
    row = session.get(Mark, name)
    return None if row is None else row.value


def put(session: DbSession, name: str, value: str) -> None:
    """Set a mark."""
    session.merge(Mark(name=name, value=value))
    session.flush()
