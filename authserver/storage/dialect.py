"""What SQLite and PostgreSQL spell alike but SQLAlchemy keeps apart."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Base


def insert_for(session: DbSession, table: type[Base]) -> "sqlite.Insert | postgresql.Insert":
    """Return the dialect's INSERT, which knows ON CONFLICT."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_ignoring(session: DbSession, table: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is taken; tell whether it was inserted."""
    statement = insert_for(session, table).values(dict(values)).on_conflict_do_nothing().returning(literal(1))
    return session.execute(statement).one_or_none() is not None
