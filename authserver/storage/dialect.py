"""What SQLite and PostgreSQL spell alike but SQLAlchemy keeps apart."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute
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


def holds(
    session: DbSession, column: ColumnElement[str] | InstrumentedAttribute[str], text: str
) -> ColumnElement[bool]:
    """Tell whether a column holds a text, letter by letter: LIKE knows no case on SQLite."""
    find = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    return find(column, text) > 0


def member(session: DbSession, column: InstrumentedAttribute[str], name: str) -> ColumnElement[str]:
    """Return a member of an object of canonical JSON that is a string without escapes; `""` where there is none.

    It reads letters, not JSON: one row that is no JSON would fail every other one's query.
    """
    begin = f'"{name}":"'
    if session.get_bind().dialect.name == "sqlite":
        rest = func.substr(column, func.instr(column, begin) + len(begin))
        found = func.substr(rest, 1, func.instr(rest, '"') - 1)
        return case((func.instr(column, begin) > 0, found), else_="")
    return func.coalesce(func.substring(column, f'{begin}([^"]*)'), "")
