"""Key pairs' public parts and their lives."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.database import Work
from authserver.storage.tables import SigningKey, Token


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored; frozen, so that it outlives the transaction that read it. Instants are seconds."""

    kid: str
    use: str
    alg: str
    public_jwk: Mapping[str, Any]
    created_at: int
    signs_from: int
    retires_at: int | None
    revoked_at: int | None
    demo: bool

    def alive(self, now: int) -> bool:
        """Tell whether what it signed may be believed: it is neither retired nor revoked."""
        return self.revoked_at is None and (self.retires_at is None or self.retires_at > now)


_COLUMNS = tuple(field.name for field in fields(StoredKey))
_SELECT = select(SigningKey).execution_options(populate_existing=True)


def lock(work: Work) -> None:
    """Let one writer at a time change keys; readers go on."""
    work.lock()
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE"))


def add(session: DbSession, key: StoredKey) -> None:
    """Publish a key."""
    session.add(SigningKey(**{name: getattr(key, name) for name in _COLUMNS}))
    session.flush()


def find(session: DbSession, kid: str) -> StoredKey | None:
    """Return a key, whatever has become of it, or None."""
    row = session.scalars(_SELECT.where(SigningKey.kid == kid)).one_or_none()
    return None if row is None else _stored(row)


def listing(session: DbSession) -> list[StoredKey]:
    """Return every key that there ever was, the eldest first."""
    rows = session.scalars(_SELECT.order_by(SigningKey.created_at, SigningKey.signs_from, SigningKey.kid))
    return [_stored(row) for row in rows]


def living(session: DbSession, use: str, *, now: int, alg: str | None = None) -> list[StoredKey]:
    """Return the keys of a use, or of one algorithm of it, that are alive; the eldest first."""
    query = _SELECT.where(
        SigningKey.use == use,
        SigningKey.revoked_at.is_(None),
        or_(SigningKey.retires_at.is_(None), SigningKey.retires_at > now),
    )
    if alg is not None:
        query = query.where(SigningKey.alg == alg)
    rows = session.scalars(query.order_by(SigningKey.created_at, SigningKey.signs_from, SigningKey.kid))
    return [_stored(row) for row in rows]


def signer(keys: Iterable[StoredKey], now: int) -> StoredKey | None:
    """Return the one key, of those of one algorithm, that signs; the eldest where a clock runs behind them all."""
    alive = [key for key in keys if key.alive(now)]
    started = [key for key in alive if key.signs_from <= now]
    if not started:
        return min(alive, key=lambda key: key.signs_from, default=None)
    return max(started, key=lambda key: (key.signs_from, math.inf if key.retires_at is None else key.retires_at))


def newest(keys: Iterable[StoredKey]) -> StoredKey | None:
    """Return the one key, of those of one algorithm, whose end is not set."""
    return next((key for key in keys if key.retires_at is None), None)


def sign_from(session: DbSession, kid: str, at: int) -> None:
    """Let a key sign from an instant."""
    session.execute(update(SigningKey).where(SigningKey.kid == kid).values(signs_from=at))


def retire(session: DbSession, kid: str, at: int | None) -> None:
    """Let a key retire at an instant; with None it stays."""
    session.execute(update(SigningKey).where(SigningKey.kid == kid).values(retires_at=at))


def revoke(session: DbSession, kid: str, *, now: int) -> bool:
    """Revoke a key; tell whether it was this call that did."""
    statement = update(SigningKey).where(SigningKey.kid == kid, SigningKey.revoked_at.is_(None)).values(revoked_at=now)
    return session.execute(statement.returning(SigningKey.kid)).one_or_none() is not None


def latest_expiry(session: DbSession, kid: str) -> int | None:
    """Return when the last of the tokens that a key has signed expires."""
    return session.scalar(select(func.max(Token.expires_at)).where(Token.kid == kid))


def any_demo(session: DbSession) -> bool:
    """Tell whether a key was ever made in demo mode here."""
    return session.scalar(select(SigningKey.kid).where(SigningKey.demo).limit(1)) is not None


def _stored(row: SigningKey) -> StoredKey:
    return StoredKey(**{name: getattr(row, name) for name in _COLUMNS})
