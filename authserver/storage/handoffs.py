"""Handoffs to a device: asked for, opened once in a browser, configured once, and followed until the device ends."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Handoff


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHandoff:
    """A handoff as read; frozen, so that it outlives its transaction. Instants are seconds unless a name says `_ms`."""

    id: str
    impersonation_id: str
    actor_id: str
    app: str
    build: str | None
    resources: tuple[str, ...]
    secret_hash: str
    created_at: int
    consumed_at: int | None
    opened_at: int | None
    page_hash: str | None
    page_session_id: str | None
    seen_ms: int | None
    device_session: str | None
    requested_ms: int | None
    started_ms: int | None
    first_frame_ms: int | None
    app_launched_ms: int | None
    ended_ms: int | None


def add(session: DbSession, row: Handoff) -> None:
    """Add a handoff."""
    session.add(row)
    session.flush()


def find(session: DbSession, handoff_id: str) -> StoredHandoff | None:
    """Return a handoff."""
    query = select(Handoff).where(Handoff.id == handoff_id).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    values = {field.name: getattr(row, field.name) for field in fields(StoredHandoff)}
    return StoredHandoff(**{**values, "resources": tuple(row.resources)})


def count(session: DbSession, impersonation_id: str) -> int:
    """Count the handoffs of an impersonation, whatever became of them."""
    return session.scalar(select(func.count()).where(Handoff.impersonation_id == impersonation_id)) or 0


def is_latest(session: DbSession, impersonation_id: str, handoff_id: str) -> bool:
    """Tell whether a handoff of this impersonation was configured, and none of it after that one."""
    row = find(session, handoff_id)
    if row is None or row.impersonation_id != impersonation_id or row.consumed_at is None:
        return False
    query = select(Handoff.id).where(
        Handoff.impersonation_id == impersonation_id,
        Handoff.id != handoff_id,
        Handoff.consumed_at >= row.consumed_at,
    )
    return session.scalars(query.limit(1)).one_or_none() is None


def apps_of(session: DbSession, impersonation_id: str) -> list[str]:
    """Return the names of the apps that an impersonation was handed to: whose configuration was given out."""
    query = select(Handoff.app).where(Handoff.impersonation_id == impersonation_id, Handoff.consumed_at.is_not(None))
    return list(session.scalars(query.distinct().order_by(Handoff.app)).all())


def consume(session: DbSession, handoff_id: str, *, now: int) -> bool:
    """Use up the one configuration; False when it was had before."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.consumed_at.is_(None))
    return session.execute(statement.values(consumed_at=now).returning(Handoff.id)).one_or_none() is not None


def put_ticket(session: DbSession, handoff_id: str, ticket_hash: str, *, session_id: str, until: int) -> bool:
    """Let one ticket live, in place of the one before; False when the page was opened already."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.opened_at.is_(None))
    statement = statement.values(ticket_hash=ticket_hash, ticket_session_id=session_id, ticket_until=until)
    return session.execute(statement.returning(Handoff.id)).one_or_none() is not None


def use_ticket(  # noqa: PLR0913 - what the page begins with
    session: DbSession, handoff_id: str, ticket_hash: str, *, page_hash: str, now: int, now_ms: int
) -> bool:
    """Use a living ticket up, and let the page that it opens live; False for any other ticket."""
    statement = update(Handoff).where(
        Handoff.id == handoff_id,
        Handoff.opened_at.is_(None),
        Handoff.ticket_hash == ticket_hash,
        Handoff.ticket_until > now,
    )
    opened = statement.values(
        opened_at=now,
        page_hash=page_hash,
        page_session_id=Handoff.ticket_session_id,
        ticket_hash=None,
        ticket_until=None,
        seen_ms=now_ms,
    )
    return session.execute(opened.returning(Handoff.id)).one_or_none() is not None


def ask_code(session: DbSession, handoff_id: str, *, now_ms: int, interval_ms: int) -> bool:
    """Note that a fresh code is asked for; False when the one before was less than `interval_ms` ago."""
    statement = update(Handoff).where(
        Handoff.id == handoff_id, or_(Handoff.coded_ms.is_(None), Handoff.coded_ms <= now_ms - interval_ms)
    )
    return session.execute(statement.values(coded_ms=now_ms).returning(Handoff.id)).one_or_none() is not None


def seen(session: DbSession, handoff_id: str, *, now_ms: int) -> None:
    """Note that the page of a device that is not closed was heard of."""
    statement = update(Handoff).where(
        Handoff.id == handoff_id, Handoff.ended_ms.is_(None), Handoff.opened_at.is_not(None)
    )
    session.execute(statement.values(seen_ms=now_ms))


def report(
    session: DbSession, handoff_id: str, stages: Mapping[str, int], device_session: str | None
) -> StoredHandoff | None:
    """Keep when stages of the device were reached (`…_ms`), and what the vendor calls its session: what came first."""
    values: dict[str, object] = {name: func.coalesce(getattr(Handoff, name), at_ms) for name, at_ms in stages.items()}
    if device_session is not None:
        values["device_session"] = func.coalesce(Handoff.device_session, device_session)
    if values:
        session.execute(update(Handoff).where(Handoff.id == handoff_id).values(**values))
    return find(session, handoff_id)


def close(session: DbSession, handoff_id: str, *, at_ms: int) -> bool:
    """Close a device; False when it is closed already."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.ended_ms.is_(None))
    closed = statement.values(ended_ms=at_ms, seen_ms=None).returning(Handoff.id)
    return session.execute(closed).one_or_none() is not None


def silence(session: DbSession, handoff_id: str, *, since_ms: int) -> bool:
    """Note that a page was not heard of since; False when it was, or another call was first."""
    statement = update(Handoff).where(Handoff.id == handoff_id, Handoff.ended_ms.is_(None), Handoff.seen_ms <= since_ms)
    return session.execute(statement.values(seen_ms=None).returning(Handoff.id)).one_or_none() is not None


def unseen(session: DbSession, *, since_ms: int, limit: int) -> list[tuple[str, str]]:
    """Return the handoffs whose page was not heard of since, each with its impersonation, in one order."""
    query = select(Handoff.impersonation_id, Handoff.id).where(
        Handoff.seen_ms <= since_ms, Handoff.ended_ms.is_(None), Handoff.consumed_at.is_not(None)
    )
    rows = session.execute(query.order_by(Handoff.impersonation_id, Handoff.id).limit(limit)).all()
    return [(handoff_id, impersonation_id) for impersonation_id, handoff_id in rows]
