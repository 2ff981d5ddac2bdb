"""Figures of impersonations and refusals: counted by the database, within a time, never loaded.

Groups are named: PostgreSQL does not see that an expression with a parameter is the same one again.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Integer, case, cast, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import State
from authserver.storage.dialect import member
from authserver.storage.tables import AuditEvent, BreakGlassReport, Impersonation, OutboxMessage, User

_DAY_MS = 86_400_000
LENGTHS = (60, 300, 900, 1_800, 3_600)
"""Where lengths are divided, in seconds."""


class Span(NamedTuple):
    """A time, in milliseconds; its end is not included."""

    from_ms: int
    until_ms: int


class AgentFigures(NamedTuple):
    """An actor: how many, and for how many seconds those were active."""

    user_id: str
    name: str
    started: int
    seconds: int


class OwedReport(NamedTuple):
    """A report that is owed; the instant in seconds."""

    impersonation_id: str
    actor_id: str
    name: str
    due_at: int


def by_day(session: DbSession, span: Span) -> dict[tuple[int, str], int]:
    """Count impersonations by the day since the epoch on which they were asked for, and the state they are in."""
    day = (Impersonation.created_ms // _DAY_MS).label("day")
    query = select(day, Impersonation.state, func.count()).where(*_asked_in(span)).group_by("day", Impersonation.state)
    return {(int(number), state): count for number, state, count in session.execute(query)}


def refused_by_day(session: DbSession, span: Span) -> dict[int, int]:
    """Count refused calls by the day since the epoch."""
    day = (AuditEvent.at_ms // _DAY_MS).label("day")
    query = select(day, func.count()).where(*_refused_in(span)).group_by("day")
    return {int(number): count for number, count in session.execute(query)}


def by_agent(session: DbSession, span: Span, *, now: int, limit: int) -> list[AgentFigures]:
    """Count impersonations by actor, those with the most first."""
    count, seconds = func.count(), func.sum(_active_seconds(now))
    query = (
        select(Impersonation.actor_id, User.name, count, seconds)
        .join(User, User.id == Impersonation.actor_id)
        .where(*_asked_in(span))
        .group_by(Impersonation.actor_id, User.name)
        .order_by(count.desc(), Impersonation.actor_id)
        .limit(limit)
    )
    rows = session.execute(query)
    return [AgentFigures(user_id, name, how_many, int(total or 0)) for user_id, name, how_many, total in rows]


def by_reason(session: DbSession, span: Span, *, limit: int) -> list[tuple[str, int]]:
    """Count impersonations by reason code, the most frequent first."""
    return _counted(session, Impersonation.reason_code, _asked_in(span), limit)


def by_outcome(session: DbSession, span: Span) -> list[tuple[str, int]]:
    """Count impersonations by the state they are in, the most frequent first."""
    return _counted(session, Impersonation.state, _asked_in(span), len(State))


def lengths(session: DbSession, span: Span, *, now: int) -> list[int]:
    """Count the impersonations that were active and are over, by how long: below each of LENGTHS, and the rest."""
    seconds = _active_seconds(now)
    bucket = case(*[(seconds < limit, number) for number, limit in enumerate(LENGTHS)], else_=len(LENGTHS)).label(
        "bucket"
    )
    over = (Impersonation.activated_at.is_not(None), Impersonation.ended_at.is_not(None))
    query = select(bucket, func.count()).where(*_asked_in(span), *over).group_by("bucket")
    found = {int(number): count for number, count in session.execute(query)}
    return [found.get(number, 0) for number in range(len(LENGTHS) + 1)]


def refusals(session: DbSession, span: Span, *, by: str, limit: int) -> list[tuple[str, int]]:
    """Count refused calls by a member of their events (`reason`, `error`), the most frequent first."""
    return _counted(session, member(session, AuditEvent.payload, by), _refused_in(span), limit)


def owed_reports(session: DbSession, *, limit: int) -> list[OwedReport]:
    """Return the reports that are owed, the first due first."""
    row = BreakGlassReport
    query = (
        select(row.impersonation_id, row.actor_id, User.name, row.due_at)
        .join(User, User.id == row.actor_id)
        .where(row.filed_at.is_(None))
        .order_by(row.due_at, row.impersonation_id)
        .limit(limit)
    )
    return [OwedReport(*found) for found in session.execute(query)]


def owed_notices(session: DbSession, *, now: int, limit: int) -> list[tuple[str, int]]:
    """Return the impersonations whose notice was withheld and is not sent yet, and when it is due."""
    withheld = select(AuditEvent.impersonation_id).where(AuditEvent.name == "notice:withheld")
    unsent = exists().where(
        OutboxMessage.impersonation_id == Impersonation.id,
        OutboxMessage.user_id == Impersonation.subject_id,
        OutboxMessage.sent_at.is_(None),
        OutboxMessage.failed_at.is_(None),
    )
    until = Impersonation.notice_withheld_until
    query = (
        select(Impersonation.id, until)
        .where(Impersonation.id.in_(withheld), until.is_not(None), or_(until > now, unsent))
        .order_by(until, Impersonation.id)
        .limit(limit)
    )
    return [(identifier, due_at or 0) for identifier, due_at in session.execute(query)]


def _asked_in(span: Span) -> tuple[ColumnElement[bool], ...]:
    return Impersonation.created_ms >= span.from_ms, Impersonation.created_ms < span.until_ms


def _refused_in(span: Span) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.name == "request:refused", AuditEvent.at_ms >= span.from_ms, AuditEvent.at_ms < span.until_ms


def _active_seconds(now: int) -> ColumnElement[int]:
    """Return for how long one was active: until its end, its clock, or now, whichever came first."""
    clock = func.coalesce(Impersonation.expires_at, now)
    until = func.coalesce(Impersonation.ended_at, case((clock < now, clock), else_=now))
    seconds = until - Impersonation.activated_at
    return cast(case((seconds > 0, seconds), else_=0), Integer)


def _counted(
    session: DbSession,
    what: ColumnElement[str] | InstrumentedAttribute[str],
    where: tuple[ColumnElement[bool], ...],
    limit: int,
) -> list[tuple[str, int]]:
    count = func.count()
    named = select(what.label("what"), count).where(*where).group_by("what")
    query = named.order_by(count.desc(), "what").limit(limit)
    return [(str(value), how_many) for value, how_many in session.execute(query)]
