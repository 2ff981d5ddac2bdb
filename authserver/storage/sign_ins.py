"""Sign-ins under way, and the sessions of browsers that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Passkey, PendingLogin, Totp, User
from authserver.storage.tables import Session as SessionRow


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A sign-in under way; `methods` is what `user_id` has proved so far. Instants are seconds."""

    cookie_hash: str
    user_id: str | None
    methods: tuple[str, ...]
    return_to: str
    challenge: str | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A session as read; frozen, so that it outlives its transaction. Instants are seconds."""

    id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    auth_time: int
    address: str
    user_agent: str
    issuer: str | None
    """The upstream issuer that the person signed in at; None for a local account."""
    created_at: int
    seen_at: int | None
    expires_at: int
    upstream_sid: str | None = None
    """The session's name at that issuer."""
    sealed_id_token: str | None = field(default=None, repr=False)
    """That issuer's ID token, sealed."""


# --- sign-ins under way


def add_login(session: DbSession, cookie_hash: str, *, return_to: str, now: int, expires_at: int) -> None:
    """Begin a sign-in."""
    values = {"return_to": return_to, "created_at": now, "expires_at": expires_at}
    session.add(PendingLogin(cookie_hash=cookie_hash, amr=[], **values))
    session.flush()


def replace_login(session: DbSession, cookie_hash: str, *, return_to: str, now: int, until: int) -> None:
    """Begin a sign-in, in place of one of this browser that has expired."""
    session.execute(delete(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash))
    add_login(session, cookie_hash, return_to=return_to, now=now, expires_at=until)


def set_return(session: DbSession, cookie_hash: str, return_to: str) -> None:
    """Let a sign-in lead elsewhere."""
    session.execute(update(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash).values(return_to=return_to))


def count_logins(session: DbSession, *, now: int) -> int:
    """Count the sign-ins under way."""
    return session.scalar(select(func.count()).where(PendingLogin.expires_at > now)) or 0


def find_login(session: DbSession, cookie_hash: str, *, now: int, hold: bool = False) -> StoredLogin | None:
    """Return a sign-in that has not expired; `hold` keeps others from changing it until the commit."""
    query = select(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash, PendingLogin.expires_at > now)
    query = query.execution_options(populate_existing=True)
    row = session.scalars(query.with_for_update() if hold else query).one_or_none()
    if row is None:
        return None
    return StoredLogin(row.cookie_hash, row.user_id, tuple(row.amr), row.return_to, row.challenge, row.expires_at)


def set_proofs(session: DbSession, cookie_hash: str, user_id: str, methods: Sequence[str]) -> None:
    """Note what a person has proved; the caller holds the sign-in."""
    statement = update(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash)
    session.execute(statement.values(user_id=user_id, amr=list(methods)))


def set_challenge(session: DbSession, cookie_hash: str, challenge: str, *, now: int) -> bool:
    """Keep the challenge that an authenticator has to sign; False when there is no such sign-in."""
    statement = update(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash, PendingLogin.expires_at > now)
    return (
        session.execute(statement.values(challenge=challenge).returning(PendingLogin.expires_at)).one_or_none()
        is not None
    )


def consume_challenge(session: DbSession, cookie_hash: str, challenge: str, *, now: int) -> bool:
    """Use up a challenge; False when another call was first."""
    statement = (
        update(PendingLogin)
        .where(
            PendingLogin.cookie_hash == cookie_hash,
            PendingLogin.challenge == challenge,
            PendingLogin.expires_at > now,
        )
        .values(challenge=None)
    )
    return session.execute(statement.returning(PendingLogin.cookie_hash)).one_or_none() is not None


def consume_login(session: DbSession, cookie_hash: str, *, now: int) -> bool:
    """Use up a sign-in; False when another call was first."""
    statement = delete(PendingLogin).where(PendingLogin.cookie_hash == cookie_hash, PendingLogin.expires_at > now)
    return session.execute(statement.returning(PendingLogin.cookie_hash)).one_or_none() is not None


def forget_logins(session: DbSession, *, before: int) -> None:
    """Delete sign-ins that were never finished."""
    session.execute(delete(PendingLogin).where(PendingLogin.expires_at < before))


# --- sessions


def of_cookie(session: DbSession, cookie_hash: str, *, now: int) -> BrowserSession | None:
    """Return the session that a browser holds, if it lives and its person is enabled; it may be idle."""
    query = (
        select(SessionRow)
        .join(User, User.id == SessionRow.user_id)
        .where(
            SessionRow.cookie_hash == cookie_hash,
            SessionRow.ended_at.is_(None),
            SessionRow.expires_at > now,
            User.enabled,
        )
    )
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else _read(row)


def living_of(session: DbSession, user_id: str, *, now: int) -> list[BrowserSession]:
    """Return a person's living sessions, the newest authentication first."""
    query = (
        select(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
        .order_by(SessionRow.auth_time.desc(), SessionRow.id)
        .execution_options(populate_existing=True)
    )
    return [_read(row) for row in session.scalars(query)]


def add_session(session: DbSession, stands: BrowserSession, cookie_hash: str) -> None:
    """Add a session that a browser holds."""
    session.add(
        SessionRow(
            id=stands.id,
            user_id=stands.user_id,
            acr=stands.acr,
            amr=list(stands.amr),
            auth_time=stands.auth_time,
            address=stands.address,
            user_agent=stands.user_agent,
            issuer=stands.issuer,
            created_at=stands.created_at,
            seen_at=stands.seen_at,
            expires_at=stands.expires_at,
            upstream_sid=stands.upstream_sid,
            sealed_id_token=stands.sealed_id_token,
            cookie_hash=cookie_hash,
        )
    )
    session.flush()


def reauthenticate(session: DbSession, stands: BrowserSession, *, old_cookie: str, new_cookie: str, now: int) -> bool:
    """Let a session say what was proved anew, under another cookie; False when the old one is gone."""
    statement = (
        update(SessionRow)
        .where(
            SessionRow.id == stands.id,
            SessionRow.cookie_hash == old_cookie,
            SessionRow.ended_at.is_(None),
            SessionRow.expires_at > now,
        )
        .values(
            cookie_hash=new_cookie,
            acr=stands.acr,
            amr=list(stands.amr),
            auth_time=stands.auth_time,
            address=stands.address,
            user_agent=stands.user_agent,
            upstream_sid=stands.upstream_sid,
            sealed_id_token=stands.sealed_id_token,
            seen_at=now,
        )
    )
    return session.execute(statement.returning(SessionRow.id)).one_or_none() is not None


def touch(session: DbSession, session_id: str, *, now: int, unless_since: int) -> None:
    """Note that a browser came by, unless that was noted after `unless_since`."""
    statement = update(SessionRow).where(
        SessionRow.id == session_id, SessionRow.ended_at.is_(None), SessionRow.seen_at <= unless_since
    )
    session.execute(statement.values(seen_at=now))


def end(session: DbSession, session_id: str, *, user_id: str, now: int) -> bool:
    """End a living session of a person; False when there is none, or another call was first."""
    statement = update(SessionRow).where(
        SessionRow.id == session_id, SessionRow.user_id == user_id, SessionRow.ended_at.is_(None)
    )
    ended = statement.values(ended_at=now, cookie_hash=None, sealed_id_token=None).returning(SessionRow.id)
    return session.execute(ended).one_or_none() is not None


def at_issuer(
    session: DbSession, issuer: str, *, sid: str | None, user_id: str | None, now: int
) -> list[tuple[str, str]]:
    """Return ids and owners of the living sessions of an upstream issuer that are of its session `sid`, and a person's.

    None leaves one of the two out; without either there are none.
    """
    if sid is None and user_id is None:
        return []
    query = select(SessionRow.id, SessionRow.user_id).where(
        SessionRow.issuer == issuer, SessionRow.ended_at.is_(None), SessionRow.expires_at > now
    )
    if sid is not None:
        query = query.where(SessionRow.upstream_sid == sid)
    if user_id is not None:
        query = query.where(SessionRow.user_id == user_id)
    return [(row.id, row.user_id) for row in session.execute(query.order_by(SessionRow.id))]


def second_factors(session: DbSession, user_id: str) -> tuple[bool, int]:
    """Return whether a person has a confirmed authenticator app, and how many passkeys."""
    app = session.scalar(select(Totp.user_id).where(Totp.user_id == user_id, Totp.confirmed_at.is_not(None)))
    keys = session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id)).all()
    return app is not None, len(keys)


def _read(row: SessionRow) -> BrowserSession:
    return BrowserSession(
        id=row.id,
        user_id=row.user_id,
        acr=row.acr,
        amr=tuple(row.amr),
        auth_time=row.auth_time,
        address=row.address,
        user_agent=row.user_agent,
        issuer=row.issuer,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        upstream_sid=row.upstream_sid,
        sealed_id_token=row.sealed_id_token,
    )
