"""Codes sent to customers: one an impersonation, tried a few times, used once."""

from typing import NamedTuple

from sqlalchemy import update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import ConsentCode


class Counted(NamedTuple):
    """A living code with the present try counted."""

    code_hash: str
    tries: int


def put(session: DbSession, row: ConsentCode) -> None:
    """Store a code's hash in place of an earlier one."""
    session.merge(row)
    session.flush()


def count_try(session: DbSession, impersonation_id: str, *, digest: str, most: int, now: int) -> Counted | None:
    """Count a try at a living code; None when there is none: used, expired, tried too often, or for another digest."""
    statement = (
        update(ConsentCode)
        .where(
            ConsentCode.impersonation_id == impersonation_id,
            ConsentCode.digest == digest,
            ConsentCode.used_at.is_(None),
            ConsentCode.expires_at > now,
            ConsentCode.tries < most,
        )
        .values(tries=ConsentCode.tries + 1)
        .returning(ConsentCode.code_hash, ConsentCode.tries)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else Counted(row.code_hash, row.tries)


def use(session: DbSession, impersonation_id: str, *, now: int) -> bool:
    """Use a code up; False when another call was first."""
    statement = (
        update(ConsentCode)
        .where(ConsentCode.impersonation_id == impersonation_id, ConsentCode.used_at.is_(None))
        .values(used_at=now)
        .returning(ConsentCode.impersonation_id)
    )
    return session.execute(statement).one_or_none() is not None
