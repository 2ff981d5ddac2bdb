"""Local accounts' credentials, and how often somebody has failed to guess them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_for
from authserver.storage.tables import Passkey, Password, PendingLogin, RecoveryCode, Throttle, Totp, User


@dataclass(frozen=True, slots=True)
class Account:
    """What signing in by password begins with; frozen, so that it outlives the transaction that read it."""

    user_id: str
    enabled: bool
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class StoredTotp:
    """An authenticator app; `sealed_secret` is bound to the person. `last_step` is a count of 30 seconds."""

    sealed_secret: str
    last_step: int
    confirmed_at: int | None


@dataclass(frozen=True, slots=True)
class StoredPasskey:
    """A WebAuthn credential; id and public key are base64url. Instants are seconds."""

    credential_id: str
    user_id: str
    public_key: str
    sign_count: int
    name: str
    created_at: int
    used_at: int | None


_PASSKEY = tuple(field.name for field in fields(StoredPasskey))


def by_username(session: DbSession, username: str) -> Account | None:
    """Return an account by user name; one without a password is there too."""
    query = select(User.id, User.enabled, Password.hash).outerjoin(Password, Password.user_id == User.id)
    row = session.execute(query.where(User.username == username)).one_or_none()
    return None if row is None else Account(row.id, row.enabled, row.hash)


# --- passwords


def password_hash(session: DbSession, user_id: str) -> str | None:
    """Return a person's password as stored, None where there is none."""
    return session.scalar(select(Password.hash).where(Password.user_id == user_id))


def put_password(session: DbSession, user_id: str, hashed: str, *, now: int) -> None:
    """Set a person's password, whether or not there was one."""
    statement = insert_for(session, Password).values(user_id=user_id, hash=hashed, changed_at=now)
    changed = {"hash": hashed, "changed_at": now}
    session.execute(statement.on_conflict_do_update(index_elements=[Password.user_id], set_=changed))


def confirm_password(session: DbSession, user_id: str, verified: str, *, becomes: str) -> bool:
    """Store the same password hashed anew, or as it was; False when it is no longer the one that was verified."""
    statement = update(Password).where(Password.user_id == user_id, Password.hash == verified).values(hash=becomes)
    return session.execute(statement.returning(Password.user_id)).one_or_none() is not None


# --- authenticator apps


def totp(session: DbSession, user_id: str) -> StoredTotp | None:
    """Return a person's authenticator app, confirmed or not."""
    query = select(Totp.sealed_secret, Totp.last_step, Totp.confirmed_at).where(Totp.user_id == user_id)
    row = session.execute(query).one_or_none()
    return None if row is None else StoredTotp(*row)


def put_totp(session: DbSession, user_id: str, sealed_secret: str, *, now: int) -> bool:
    """Begin an enrolment in place of an unconfirmed one; False when a confirmed one is there."""
    fresh = {"sealed_secret": sealed_secret, "last_step": -1, "created_at": now, "confirmed_at": None}
    statement = insert_for(session, Totp).values(user_id=user_id, **fresh)
    begun = statement.on_conflict_do_update(
        index_elements=[Totp.user_id], set_=fresh, where=Totp.confirmed_at.is_(None)
    )
    return session.execute(begun.returning(Totp.user_id)).one_or_none() is not None


def confirm_totp(session: DbSession, user_id: str, sealed_secret: str, *, step: int, now: int) -> bool:
    """Confirm an enrolment by its first code; False when it was confirmed or replaced meanwhile."""
    statement = (
        update(Totp)
        .where(Totp.user_id == user_id, Totp.sealed_secret == sealed_secret, Totp.confirmed_at.is_(None))
        .values(confirmed_at=now, last_step=step)
    )
    return session.execute(statement.returning(Totp.user_id)).one_or_none() is not None


def consume_totp_step(session: DbSession, user_id: str, sealed_secret: str, *, step: int) -> bool:
    """Use up a time step; False when it, or a later one, was used before (RFC 6238 §5.2)."""
    statement = (
        update(Totp)
        .where(
            Totp.user_id == user_id,
            Totp.sealed_secret == sealed_secret,
            Totp.confirmed_at.is_not(None),
            Totp.last_step < step,
        )
        .values(last_step=step)
    )
    return session.execute(statement.returning(Totp.user_id)).one_or_none() is not None


def remove_totp(session: DbSession, user_id: str) -> bool:
    """Remove a person's authenticator app; tell whether there was a confirmed one."""
    statement = delete(Totp).where(Totp.user_id == user_id).returning(Totp.confirmed_at)
    row = session.execute(statement).one_or_none()
    return row is not None and row.confirmed_at is not None


# --- passkeys


def add_passkey(session: DbSession, passkey: StoredPasskey) -> bool:
    """Add a passkey; False when its credential id is known already (WebAuthn §7.1)."""
    values = {name: getattr(passkey, name) for name in _PASSKEY}
    statement = insert_for(session, Passkey).values(**values).on_conflict_do_nothing()
    return session.execute(statement.returning(Passkey.credential_id)).one_or_none() is not None


def passkey(session: DbSession, credential_id: str) -> StoredPasskey | None:
    """Return a passkey."""
    query = select(Passkey).where(Passkey.credential_id == credential_id).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    return None if row is None else _stored(row)


def passkeys_of(session: DbSession, user_id: str) -> list[StoredPasskey]:
    """Return a person's passkeys, the eldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at, Passkey.credential_id)
    return [_stored(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def consume_sign_count(session: DbSession, credential_id: str, *, sign_count: int, now: int) -> bool:
    """Raise a passkey's counter; False when it does not rise, but for one that never counts (WebAuthn §6.1.1)."""
    rises = Passkey.sign_count < sign_count if sign_count else Passkey.sign_count == 0
    statement = (
        update(Passkey).where(Passkey.credential_id == credential_id, rises).values(sign_count=sign_count, used_at=now)
    )
    return session.execute(statement.returning(Passkey.credential_id)).one_or_none() is not None


def remove_passkey(session: DbSession, user_id: str, credential_id: str) -> bool:
    """Remove a passkey of a person; tell whether there was one."""
    statement = delete(Passkey).where(Passkey.credential_id == credential_id, Passkey.user_id == user_id)
    return session.execute(statement.returning(Passkey.credential_id)).one_or_none() is not None


# --- recovery codes


def replace_recovery_codes(session: DbSession, user_id: str, hashes: Sequence[str], *, now: int) -> None:
    """Put new recovery codes in place of all that there were; the caller holds the person."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if hashes:
        rows = [{"code_hash": code_hash, "user_id": user_id, "created_at": now} for code_hash in hashes]
        session.execute(insert_for(session, RecoveryCode), rows)


def consume_recovery_code(session: DbSession, user_id: str, code_hash: str, *, now: int) -> bool:
    """Use up a recovery code; False when there is none, or it was used before."""
    statement = (
        update(RecoveryCode)
        .where(RecoveryCode.code_hash == code_hash, RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )
    return session.execute(statement.returning(RecoveryCode.code_hash)).one_or_none() is not None


def recovery_codes_left(session: DbSession, user_id: str) -> int:
    """Count a person's unused recovery codes."""
    query = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


# --- throttles


@dataclass(frozen=True, slots=True)
class Backoff:
    """From the `free`th failure on each is followed by one of `waits`, then by the last of them again and again.

    Without an attempt for `forget` the count begins anew. All are seconds but `free`.
    """

    free: int
    waits: tuple[int, ...]
    forget: int


def claim_attempt(session: DbSession, key_hash: str, backoff: Backoff, *, now: int) -> int:
    """Count an attempt as a failure before it is made; return 0, or how many seconds it has to wait still."""
    failures = case((Throttle.last_at <= now - backoff.forget, 1), else_=Throttle.failures + 1)
    statement = insert_for(session, Throttle).values(
        key_hash=key_hash, failures=1, last_at=now, wait_until=0 if backoff.free > 1 else now + backoff.waits[0]
    )
    claimed = statement.on_conflict_do_update(
        index_elements=[Throttle.key_hash],
        set_={"failures": failures, "last_at": now, "wait_until": _wait_until(failures, now, backoff)},
        where=Throttle.wait_until <= now,
    )
    if session.execute(claimed.returning(Throttle.failures)).one_or_none() is not None:
        return 0
    wait_until = session.scalar(select(Throttle.wait_until).where(Throttle.key_hash == key_hash))
    return max(1, (wait_until or now) - now)


def forget_failures(session: DbSession, key_hash: str) -> None:
    """Begin to count anew."""
    session.execute(delete(Throttle).where(Throttle.key_hash == key_hash))


def give_back_attempt(session: DbSession, key_hash: str) -> None:
    """Uncount an attempt that was claimed and did not fail; nobody waits for it, also where a clock is set back."""
    statement = update(Throttle).where(Throttle.key_hash == key_hash, Throttle.failures > 0)
    session.execute(statement.values(failures=Throttle.failures - 1, wait_until=0))


def forget_throttles(session: DbSession, *, before: int) -> None:
    """Delete throttles that nobody has met since."""
    session.execute(delete(Throttle).where(Throttle.last_at < before))


def forget_proofs(session: DbSession, user_id: str) -> None:
    """Delete a person's sign-ins under way: what they rest on has changed."""
    session.execute(delete(PendingLogin).where(PendingLogin.user_id == user_id))


def _wait_until(failures: ColumnElement[int], now: int, backoff: Backoff) -> ColumnElement[int]:
    steps = [(failures == backoff.free + number, now + wait) for number, wait in enumerate(backoff.waits)]
    return case((failures < backoff.free, 0), *steps, else_=now + backoff.waits[-1])


def _stored(row: Passkey) -> StoredPasskey:
    return StoredPasskey(**{name: getattr(row, name) for name in _PASSKEY})
