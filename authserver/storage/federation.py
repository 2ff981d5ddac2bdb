"""Sign-ins at trusted issuers under way, who an issuer's people are here, and the sessions behind their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_for, insert_ignoring
from authserver.storage.tables import LinkedIdentity, LogoutToken, UpstreamLogin, User
from authserver.storage.tables import Session as SessionRow


@dataclass(frozen=True, slots=True)
class StoredUpstreamLogin:
    """A sign-in under way as it was begun; frozen, so that it outlives its transaction."""

    issuer: str
    nonce: str
    code_verifier: str
    return_to: str
    max_age: int | None
    acr_values: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Link:
    """Whom a subject of an issuer is; `seen_at` is when the newest token that was believed was issued."""

    user_id: str
    seen_at: int


# --- sign-ins under way


def add_login(session: DbSession, begun: StoredUpstreamLogin, *, state_hash: str, browser_hash: str) -> None:
    """Begin a sign-in."""
    row = UpstreamLogin(**asdict(begun), state_hash=state_hash, browser_hash=browser_hash)
    session.add(row)
    session.flush()


def drop_login(session: DbSession, *, state_hash: str, browser_hash: str) -> None:
    """Forget a sign-in of this browser: it begins another."""
    one = (UpstreamLogin.state_hash == state_hash, UpstreamLogin.browser_hash == browser_hash)
    session.execute(delete(UpstreamLogin).where(*one))


def count_logins(session: DbSession, *, now: int) -> int:
    """Count the sign-ins that have not run out, used or not."""
    return session.scalar(select(func.count()).where(UpstreamLogin.expires_at > now)) or 0


def consume_login(session: DbSession, state_hash: str, browser_hash: str, *, now: int) -> StoredUpstreamLogin | None:
    """Use up a sign-in of this browser; None when there is none, it is over, or another call was first."""
    statement = (
        update(UpstreamLogin)
        .where(
            UpstreamLogin.state_hash == state_hash,
            UpstreamLogin.browser_hash == browser_hash,
            UpstreamLogin.used_at.is_(None),
            UpstreamLogin.expires_at > now,
        )
        .values(used_at=now)
        .returning(UpstreamLogin)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        return None
    return StoredUpstreamLogin(
        row.issuer, row.nonce, row.code_verifier, row.return_to, row.max_age, row.acr_values, row.expires_at
    )


def why_not_consumed(session: DbSession, state_hash: str, browser_hash: str) -> str:
    """Say in a word what was wrong with a sign-in that could not be used up; for log and trail."""
    query = select(UpstreamLogin).where(UpstreamLogin.state_hash == state_hash)
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return "unknown"
    if row.browser_hash != browser_hash:
        return "another_browser"
    return "expired" if row.used_at is None else "replayed"


def forget_logins(session: DbSession, *, before: int) -> None:
    """Delete sign-ins that ran out before an instant."""
    session.execute(delete(UpstreamLogin).where(UpstreamLogin.expires_at < before))


# --- logout tokens


def use_logout_token(session: DbSession, issuer: str, jti_hash: str, *, expires_at: int) -> bool:
    """Use up a logout token (Back-Channel Logout §2.6); False when it was used before."""
    values = {"issuer": issuer, "jti_hash": jti_hash, "expires_at": expires_at}
    return insert_ignoring(session, LogoutToken, values)


def remember_logout(session: DbSession, issuer: str, about_hash: str, *, expires_at: int) -> None:
    """Remember until an instant that somebody signed out at an issuer; the latest time counts.

    It lies beside the logout tokens that were used: both are hashes that nobody can choose to be equal.
    """
    statement = insert_for(session, LogoutToken).values(issuer=issuer, jti_hash=about_hash, expires_at=expires_at)
    later = LogoutToken.expires_at < statement.excluded.expires_at
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["issuer", "jti_hash"], set_={"expires_at": statement.excluded.expires_at}, where=later
        )
    )


def logouts(session: DbSession, issuer: str, hashes: Sequence[str]) -> dict[str, int]:
    """Return until when each of these is remembered."""
    query = select(LogoutToken.jti_hash, LogoutToken.expires_at)
    rows = session.execute(query.where(LogoutToken.issuer == issuer, LogoutToken.jti_hash.in_(hashes))).all()
    return {row.jti_hash: row.expires_at for row in rows}


def forget_logout_tokens(session: DbSession, *, before: int) -> None:
    """Delete what is remembered of logout tokens that ran out before an instant."""
    session.execute(delete(LogoutToken).where(LogoutToken.expires_at < before))


# --- who is who


def link(session: DbSession, issuer: str, sub: str) -> Link | None:
    """Return whom a subject of an issuer is here."""
    query = select(LinkedIdentity.user_id, LinkedIdentity.seen_at)
    row = session.execute(query.where(LinkedIdentity.issuer == issuer, LinkedIdentity.sub == sub)).one_or_none()
    return None if row is None else Link(row.user_id, row.seen_at)


def add_link(  # noqa: PLR0913 - the columns
    session: DbSession, issuer: str, sub: str, user_id: str, *, now: int, seen_at: int
) -> bool:
    """Link a subject to a person; False when it is linked already."""
    values = {"issuer": issuer, "sub": sub, "user_id": user_id, "created_at": now, "seen_at": seen_at}
    return insert_ignoring(session, LinkedIdentity, values)


def saw(session: DbSession, issuer: str, sub: str, *, seen_at: int) -> None:
    """Note that a newer token of a subject was believed."""
    statement = update(LinkedIdentity).where(
        LinkedIdentity.issuer == issuer, LinkedIdentity.sub == sub, LinkedIdentity.seen_at < seen_at
    )
    session.execute(statement.values(seen_at=seen_at))


def is_linked(session: DbSession, issuer: str, user_id: str) -> bool:
    """Tell whether a person is a subject of this issuer already."""
    query = select(LinkedIdentity.sub).where(LinkedIdentity.issuer == issuer, LinkedIdentity.user_id == user_id)
    return session.scalars(query.limit(1)).one_or_none() is not None


def issuers_of(session: DbSession, user_id: str) -> Sequence[str]:
    """Return the issuers whose person somebody is."""
    return session.scalars(select(LinkedIdentity.issuer).where(LinkedIdentity.user_id == user_id).distinct()).all()


def by_email(session: DbSession, email: str, population: str) -> Sequence[str]:
    """Return the ids of the people of one population who have this address, written in whatever case."""
    query = select(User.id).where(func.lower(User.email) == email.lower(), User.population == population)
    return session.scalars(query.order_by(User.id).limit(2)).all()


def add_user(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Add a person; False when the user name is taken."""
    return insert_ignoring(session, User, values)


# --- sessions behind tokens


def add_session(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Add the session behind a token; False when it is there."""
    return insert_ignoring(session, SessionRow, values)


def prolong(session: DbSession, session_id: str, *, expires_at: int) -> None:
    """Let a living session last as long as the newest token of it."""
    statement = update(SessionRow).where(
        SessionRow.id == session_id, SessionRow.ended_at.is_(None), SessionRow.expires_at < expires_at
    )
    session.execute(statement.values(expires_at=expires_at))
