"""Device authorizations: asked for by a device, decided by a person, used once (RFC 8628)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import DeviceCode


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device authorization as read; frozen, so that it outlives its transaction. Instants are seconds."""

    client_id: str
    family_id: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    address: str
    user_agent: str
    created_at: int
    expires_at: int
    decision: str | None
    user_id: str | None
    session_id: str | None
    used_at: int | None


def add(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Store what a device asks for; False when one of its codes is taken."""
    return insert_ignoring(session, DeviceCode, values)


def count_waiting(
    session: DbSession, client_id: str, address: str, beginning: str | None, *, now: int
) -> tuple[int, int, int]:
    """Return how many wait for a decision: all, those of one client, and of these those from one site.

    A site is an address, or all that have this `beginning`.
    """
    theirs = DeviceCode.client_id == client_id
    there = DeviceCode.address == address if beginning is None else DeviceCode.address.startswith(beginning)
    query = select(func.count(), func.count().filter(theirs), func.count().filter(theirs, there))
    every, own, from_there = session.execute(query.select_from(DeviceCode).where(*_waiting(now))).one()
    return int(every), int(own), int(from_there)


def of_device(session: DbSession, device_code_hash: str) -> StoredDevice | None:
    """Return what a device asked for, decided and used or not."""
    return _find(session, DeviceCode.device_code_hash == device_code_hash)


def of_person(session: DbSession, user_code_hash: str) -> StoredDevice | None:
    """Return what stands behind the code that a device shows, decided and used or not."""
    return _find(session, DeviceCode.user_code_hash == user_code_hash)


def poll(session: DbSession, device_code_hash: str, *, now_ms: int) -> bool:
    """Note a poll; False when the one before was less than the interval ago."""
    statement = (
        update(DeviceCode)
        .where(
            DeviceCode.device_code_hash == device_code_hash,
            or_(DeviceCode.polled_ms.is_(None), DeviceCode.polled_ms <= now_ms - DeviceCode.interval * 1000),
        )
        .values(polled_ms=now_ms)
        .returning(DeviceCode.device_code_hash)
    )
    return session.execute(statement).one_or_none() is not None


def slow_down(session: DbSession, device_code_hash: str, *, by: int, now_ms: int) -> int:
    """Let a device wait `by` seconds longer between polls from now on; return the interval."""
    statement = update(DeviceCode).where(DeviceCode.device_code_hash == device_code_hash)
    statement = statement.values(interval=DeviceCode.interval + by, polled_ms=now_ms)
    return session.scalars(statement.returning(DeviceCode.interval)).one()


def decide(  # noqa: PLR0913 - what a decision says
    session: DbSession,
    user_code_hash: str,
    decision: str,
    *,
    user_id: str,
    session_id: str,
    scopes: Iterable[str],
    now: int,
) -> bool:
    """Decide what a device waits for; False when it waits no more."""
    statement = (
        update(DeviceCode)
        .where(DeviceCode.user_code_hash == user_code_hash, *_waiting(now))
        .values(decision=decision, decided_at=now, user_id=user_id, session_id=session_id, scopes=list(scopes))
        .returning(DeviceCode.user_code_hash)
    )
    return session.execute(statement).one_or_none() is not None


def use(session: DbSession, device_code_hash: str, *, decision: str, now: int) -> bool:
    """Use up a device code that was decided so; False when it was used before or has expired."""
    statement = (
        update(DeviceCode)
        .where(
            DeviceCode.device_code_hash == device_code_hash,
            DeviceCode.decision == decision,
            DeviceCode.used_at.is_(None),
            DeviceCode.expires_at > now,
        )
        .values(used_at=now)
        .returning(DeviceCode.device_code_hash)
    )
    return session.execute(statement).one_or_none() is not None


def end_of_client(session: DbSession, client_id: str, *, now: int, user_id: str | None = None) -> None:
    """Use up every device code of a client: those that one person decided, or all."""
    codes = update(DeviceCode).where(DeviceCode.client_id == client_id, DeviceCode.used_at.is_(None))
    if user_id is not None:
        codes = codes.where(DeviceCode.user_id == user_id)
    session.execute(codes.values(used_at=now))


def forget(session: DbSession, *, before: int) -> None:
    """Drop what expired before an instant."""
    session.execute(delete(DeviceCode).where(DeviceCode.expires_at < before))


def _waiting(now: int) -> tuple[ColumnElement[bool], ...]:
    return (DeviceCode.decision.is_(None), DeviceCode.used_at.is_(None), DeviceCode.expires_at > now)


def _find(session: DbSession, which: ColumnElement[bool]) -> StoredDevice | None:
    row = session.scalars(select(DeviceCode).where(which).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return None
    return StoredDevice(
        client_id=row.client_id,
        family_id=row.family_id,
        scopes=tuple(row.scopes),
        resources=tuple(row.resources),
        address=row.address,
        user_agent=row.user_agent,
        created_at=row.created_at,
        expires_at=row.expires_at,
        decision=row.decision,
        user_id=row.user_id,
        session_id=row.session_id,
        used_at=row.used_at,
    )
