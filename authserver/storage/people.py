"""People and their sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, cast, or_, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import Population
from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import Session as SessionRow
from authserver.storage.tables import User


def find(session: DbSession, user_id: str, *, hold: bool = False) -> User | None:
    """Return a person by id; `hold` keeps others from changing them until the commit."""
    query = select(User).where(User.id == user_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update(key_share=True) if hold else query).one_or_none()


def hold(session: DbSession, *user_ids: str) -> None:
    """Keep others from changing these people until the commit; the order of the ids is the order of the locks."""
    query = select(User.id).where(User.id.in_(set(user_ids))).order_by(User.id)
    session.scalars(query.with_for_update(key_share=True)).all()


def by_username(session: DbSession, username: str) -> User | None:
    """Return a person by user name."""
    return session.scalars(select(User).where(User.username == username)).one_or_none()


def named(session: DbSession, user_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of people by id."""
    rows = session.execute(select(User.id, User.name).where(User.id.in_(set(user_ids)))).all()
    return {row.id: row.name for row in rows}


def staff(session: DbSession, user_ids: Iterable[str]) -> set[str]:
    """Return which of these people are staff."""
    return set(session.scalars(select(User.id).where(User.id.in_(set(user_ids)), User.population == Population.STAFF)))


def identified(session: DbSession, user_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the names and user names of people by id."""
    rows = session.execute(select(User.id, User.name, User.username).where(User.id.in_(set(user_ids)))).all()
    return {row.id: (row.name, row.username) for row in rows}


def enabled_with_role(session: DbSession, role: str, *, but: Iterable[str], limit: int) -> list[User]:
    """Return the first enabled people of a role by id, without those in `but`."""
    query = (
        select(User)
        .where(
            User.enabled,
            User.population == Population.STAFF,
            cast(User.roles, String).contains(f'"{role}"', autoescape=True),
            User.id.not_in(set(but)),
        )
        .order_by(User.id)
        .limit(limit)
    )
    return list(session.scalars(query).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which people are looked for; `text` is part of an id, a name, a user name or an address."""

    text: str = ""
    population: str | None = None
    role: str | None = None
    enabled: bool | None = None


_EVERYBODY = Wanted()


def listing(session: DbSession, wanted: Wanted = _EVERYBODY, *, after: str, limit: int) -> Sequence[User]:
    """Return a page of people by id."""
    return session.scalars(select(User).where(User.id > after, *_of(wanted)).order_by(User.id).limit(limit)).all()


def _of(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.text:
        columns = (User.id, User.username, User.name, User.email)
        found.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    if wanted.population is not None:
        found.append(User.population == wanted.population)
    if wanted.role is not None:
        found.append(cast(User.roles, String).contains(f'"{wanted.role}"', autoescape=True))
    if wanted.enabled is not None:
        found.append(User.enabled == wanted.enabled)
    return found


def by_usernames(session: DbSession, usernames: Iterable[str]) -> dict[str, User]:
    """Return people by user name, as they are now."""
    query = select(User).where(User.username.in_(set(usernames))).execution_options(populate_existing=True)
    return {row.username: row for row in session.scalars(query).all()}


def add_new(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Add a person; False where there is one of that user name already."""
    return insert_ignoring(session, User, values)


def add(session: DbSession, row: User) -> None:
    """Add a person; a second one of that user name violates the constraint."""
    session.add(row)
    session.flush()


def change(session: DbSession, user_id: str, **values: Any) -> bool:  # noqa: ANN401 - columns of User
    """Set columns of a person; tell whether there is such a person."""
    statement = update(User).where(User.id == user_id).values(**values).returning(User.id)
    return session.execute(statement).one_or_none() is not None


def set_enabled(session: DbSession, user_id: str, *, enabled: bool) -> bool:
    """Enable or disable a person; tell whether that changed anything."""
    statement = update(User).where(User.id == user_id, User.enabled != enabled).values(enabled=enabled)
    return session.execute(statement.returning(User.id)).one_or_none() is not None


def add_session(session: DbSession, row: SessionRow) -> None:
    """Add a signed-in session."""
    session.add(row)
    session.flush()


def find_session(session: DbSession, session_id: str, *, hold: bool = False) -> SessionRow | None:
    """Return a session, alive or not."""
    query = select(SessionRow).where(SessionRow.id == session_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update(read=True) if hold else query).one_or_none()


def newest_session(session: DbSession, user_id: str, *, now: int) -> SessionRow | None:
    """Return the live session that a person signed in to last."""
    query = (
        select(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
        .order_by(SessionRow.auth_time.desc(), SessionRow.id)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def end_sessions(session: DbSession, user_id: str, *, now: int) -> list[str]:
    """End every live session of a person; return the ids of those that were ended."""
    statement = (
        update(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
        .values(ended_at=now)
        .returning(SessionRow.id)
    )
    return list(session.scalars(statement).all())
