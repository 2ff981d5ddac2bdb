"""The outbox: messages that are due, leased to one process at a time, and sent at least once."""

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Update, delete, or_, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Impersonation, OutboxMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it was leased; frozen, so that it outlives its transaction. Instants in seconds."""

    id: str
    kind: str
    impersonation_id: str | None
    user_id: str | None
    address: str | None
    sealed: str | None
    gates: bool
    channel: int
    attempts: int
    created_at: int
    due_at: int
    leased_until: int | None


def add(session: DbSession, row: OutboxMessage) -> None:
    """Add a message: it is sent if the transaction is committed, and only then."""
    session.add(row)
    session.flush()


def any_due(session: DbSession, *, now: int) -> bool:
    """Tell whether there is anything to lease."""
    return session.scalar(select(OutboxMessage.id).where(*_due(now)).limit(1)) is not None


def lease(session: DbSession, *, now: int, until: int) -> Message | None:
    """Lease the most urgent message that is due, and count the attempt; no other process gets it before `until`."""
    chosen = (
        select(OutboxMessage.id)
        .where(*_due(now))
        .order_by(OutboxMessage.gates.desc(), OutboxMessage.due_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(OutboxMessage)
        .where(OutboxMessage.id == chosen.scalar_subquery(), *_due(now))
        .values(leased_until=until, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    row = session.scalars(statement).one_or_none()
    return None if row is None else Message(**{field.name: getattr(row, field.name) for field in fields(Message)})


def sent(session: DbSession, message_id: str, *, now: int) -> bool:
    """Note that a channel took a message over, and drop its secret; False when that was noted before."""
    statement = update(OutboxMessage).where(OutboxMessage.id == message_id, OutboxMessage.sent_at.is_(None))
    return _changed(session, statement.values(sent_at=now, failed_at=None, sealed=None, last_error=""))


def retry(session: DbSession, message: Message, *, due_at: int, error: str) -> bool:
    """Try again later on the same channel; False when the lease has passed to another process."""
    return _changed(session, _leased(message).values(leased_until=None, due_at=due_at, last_error=error))


def next_channel(session: DbSession, message: Message, *, now: int, error: str) -> bool:
    """Go on to the next channel at once; False when the lease has passed to another process."""
    values = {"leased_until": None, "due_at": now, "last_error": error}
    return _changed(session, _leased(message).values(channel=message.channel + 1, attempts=0, **values))


def fail(session: DbSession, message: Message, *, now: int, error: str) -> bool:
    """Give a message up, and drop its secret; False when the lease has passed to another process."""
    return _changed(session, _leased(message).values(failed_at=now, sealed=None, last_error=error))


def cancel(session: DbSession, impersonation_id: str, *, kinds: Collection[str], now: int, error: str) -> int:
    """Give up what is not sent yet of these kinds for an impersonation; count them."""
    statement = (
        update(OutboxMessage)
        .where(OutboxMessage.impersonation_id == impersonation_id, OutboxMessage.kind.in_(set(kinds)), *_open())
        .values(failed_at=now, sealed=None, last_error=error)
        .returning(OutboxMessage.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(statement).all())


def forget(session: DbSession, *, before: int) -> None:
    """Delete what was sent or given up before an instant."""
    session.execute(
        delete(OutboxMessage)
        .where(or_(OutboxMessage.sent_at < before, OutboxMessage.failed_at < before))
        .execution_options(synchronize_session=False)
    )


def accept_notice(session: DbSession, impersonation_id: str) -> bool:
    """Note that the notice that an impersonation waits for was taken over; False when it waits for none."""
    statement = update(Impersonation).where(Impersonation.id == impersonation_id, Impersonation.notice == "awaited")
    statement = statement.values(notice="accepted").execution_options(synchronize_session=False)
    return session.scalar(statement.returning(Impersonation.id)) is not None


def withhold_notice(session: DbSession, impersonation_id: str, *, until: int) -> bool:
    """Withhold the notices of an impersonation that is not active yet; False when that cannot be, or was done."""
    statement = update(Impersonation).where(
        Impersonation.id == impersonation_id,
        Impersonation.activated_at.is_(None),
        Impersonation.ended_at.is_(None),
        Impersonation.notice.is_(None),
        Impersonation.notice_withheld_until.is_(None),
    )
    statement = statement.values(notice_withheld_until=until).execution_options(synchronize_session=False)
    return session.scalar(statement.returning(Impersonation.id)) is not None


def _open() -> tuple[ColumnElement[bool], ...]:
    return OutboxMessage.sent_at.is_(None), OutboxMessage.failed_at.is_(None)


def _due(now: int) -> tuple[ColumnElement[bool], ...]:
    free = or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= now)
    return *_open(), OutboxMessage.due_at <= now, free


def _leased(message: Message) -> Update:
    return update(OutboxMessage).where(
        OutboxMessage.id == message.id, OutboxMessage.leased_until == message.leased_until, *_open()
    )


def _changed(session: DbSession, statement: Update) -> bool:
    statement = statement.returning(OutboxMessage.id).execution_options(synchronize_session=False)
    return session.scalar(statement) is not None
