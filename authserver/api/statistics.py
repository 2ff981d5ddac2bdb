"""`/api/v1/statistics`: figures for those who answer for what is done."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.instants import read_ms
from authserver.api.schemas_evidence import (
    AgentOut,
    ByOut,
    DayOut,
    LengthOut,
    OutcomeCountOut,
    OwedNoticeOut,
    OwedOut,
    OwedReportOut,
    ReasonOut,
    RefusalOut,
    StatisticsOut,
    StatisticsQuery,
)
from authserver.api.shapes import moment
from authserver.audit.events.readings import TrailRead
from authserver.protocol.access import may_call
from authserver.protocol.names import State
from authserver.protocol.refusals import InvalidRequest
from authserver.storage import DbSession, statistics
from authserver.storage.statistics import LENGTHS, Span

_DAY_MS = 86_400_000
_USUAL_DAYS = 30
_MOST_DAYS = 366
_MOST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUCKETS = ("under 1 min", "1 to 5 min", "5 to 15 min", "15 to 30 min", "30 to 60 min", "over 60 min")
_WRONG = "until is not after since, or more than 366 days later."


def add_statistics(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/statistics", responses={200: StatisticsOut})
    def read_statistics(query: StatisticsQuery) -> tuple[dict[str, Any], int]:
        """Count impersonations by day, agent, reason, outcome and length, refusals, and what is owed."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        span = _span(query, present.parts.clock.now_ms())
        shown = _figures(present, span)
        asked = {"since": shown.since, "until": shown.until}
        present.parts.trail.record(
            present.work, TrailRead(reader=present.caller.user_id, how="statistics", query=asked)
        )
        return shown.model_dump(mode="json"), 200


def _span(query: StatisticsQuery, now_ms: int) -> Span:
    until_ms = read_ms(query.until)
    until_ms = now_ms + 1 if until_ms is None else until_ms
    from_ms = read_ms(query.since)
    from_ms = until_ms - _USUAL_DAYS * _DAY_MS if from_ms is None else from_ms
    if not max(0, until_ms - _MOST_DAYS * _DAY_MS) <= from_ms < until_ms:
        raise InvalidRequest("statistics.span", _WRONG)
    return Span(from_ms, until_ms)


def _figures(present: Call, span: Span) -> StatisticsOut:
    session, now = present.work.session, present.parts.clock.now()
    by = "reason" if may_call("api.list_audit_events", present.caller.caller) else "error"
    agents = statistics.by_agent(session, span, now=now, limit=_MOST)
    return StatisticsOut(
        since=moment(span.from_ms / 1000),
        until=moment(span.until_ms / 1000),
        by_day=_days(session, span),
        by_agent=[AgentOut(id=row.user_id, name=row.name, count=row.started, seconds=row.seconds) for row in agents],
        by_reason=[ReasonOut(code=code, count=n) for code, n in statistics.by_reason(session, span, limit=_MOST)],
        by_outcome=[OutcomeCountOut(outcome=state, count=n) for state, n in statistics.by_outcome(session, span)],
        lengths=_lengths(statistics.lengths(session, span, now=now)),
        refusals=[RefusalOut(reason=why, count=n) for why, n in statistics.refusals(session, span, by=by, limit=_MOST)],
        owed=_owed(session, now),
    )


def _days(session: DbSession, span: Span) -> list[DayOut]:
    asked, refused = statistics.by_day(session, span), statistics.refused_by_day(session, span)
    return [
        DayOut(
            day=f"{_EPOCH + timedelta(days=day):%Y-%m-%d}",
            count=sum(count for (of_day, _), count in asked.items() if of_day == day),
            ended=asked.get((day, State.ENDED), 0),
            denied=asked.get((day, State.DENIED), 0),
            refused=refused.get(day, 0),
        )
        for day in range(span.from_ms // _DAY_MS, (span.until_ms - 1) // _DAY_MS + 1)
    ]


def _lengths(counts: list[int]) -> list[LengthOut]:
    limits = pairwise((0, *LENGTHS, None))
    return [
        LengthOut(bucket=bucket, count=count, from_seconds=first or 0, to_seconds=last)
        for bucket, count, (first, last) in zip(_BUCKETS, counts, limits, strict=True)
    ]


def _owed(session: DbSession, now: int) -> OwedOut:
    reports = [
        OwedReportOut(
            impersonation=row.impersonation_id,
            actor=ByOut(id=row.actor_id, name=row.name),
            due_at=moment(row.due_at),
            overdue=row.due_at <= now,
        )
        for row in statistics.owed_reports(session, limit=_MOST)
    ]
    notices = [
        OwedNoticeOut(impersonation=identifier, due_at=moment(due_at))
        for identifier, due_at in statistics.owed_notices(session, now=now, limit=_MOST)
    ]
    return OwedOut(reports=reports, notices=notices)
