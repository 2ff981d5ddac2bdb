"""The shapes of the evidence: the trail, its proof, the timeline of one impersonation, and figures."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from authserver.api.schemas import Id, In, Instant, Out, PageQuery

_Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z_:-]+$")]


class EventsFilter(In):
    """Which events: by their name or how it begins (`impersonation:`), what and whom they are about, and when.

    `person` took any part in them; `refusals` are those of callers, strangers and failed sign-ins; `q` stands in them,
    letter by letter. Personal values are not searched.
    """

    name: _Name | None = None
    impersonation_id: Id | None = None
    person: Id | None = None
    client_id: Id | None = None
    since: Instant | None = None
    until: Instant | None = None
    outcome: Literal["refusals"] | None = None
    q: Annotated[str, StringConstraints(min_length=3, max_length=64, pattern=r"^[^\x00]*$")] | None = None


class EventsQuery(EventsFilter, PageQuery):
    """A page of events, newest first. One may hold less than `limit`, or nothing, and another still follow."""


class ExportQuery(EventsFilter):
    """Which events, in which form; the oldest first."""

    format: Literal["jsonl", "csv"] = "jsonl"


class HeadOut(Out):
    """The newest signed statement of where the chain stood."""

    seq: int
    digest: str
    at: str
    kid: str


class ProofOut(Out):
    """What a verification went over, and what does not fit, in plain words."""

    intact: bool
    events: int
    heads: int
    anchors: int
    from_seq: int
    to_seq: int
    problems: list[str]
    took_ms: int
    head: HeadOut | None


class ByOut(Out):
    """Who did something; the name is as it is now, empty for whoever is no person here."""

    id: str
    name: str


class HappeningOut(Out):
    """One thing that happened; `seq` is its place in the trail, null for a performed action."""

    at: str
    kind: str
    title: str
    by: ByOut | None
    details: dict[str, Any]
    seq: int | None


class TimelineOut(Out):
    """A page of what happened, the oldest first."""

    items: list[HappeningOut]
    next_cursor: str | None


class StatisticsQuery(In):
    """From when, until when; 30 days until now by default, 366 days at most. Days are those of UTC."""

    since: Instant | None = None
    until: Instant | None = None


class DayOut(Out):
    """A day: how many were asked for, what became of those, and how many calls were refused."""

    day: str
    count: int
    ended: int
    denied: int
    refused: int


class AgentOut(Out):
    """An actor: how many they asked for, and for how long those were active."""

    id: str
    name: str
    count: int
    seconds: int


class ReasonOut(Out):
    """How many were asked for with a reason code."""

    code: str
    count: int


class OutcomeCountOut(Out):
    """How many came to a state."""

    outcome: str
    count: int


class LengthOut(Out):
    """How many were active for so long; seconds from (included) and to (not included)."""

    bucket: str
    count: int
    from_seconds: int
    to_seconds: int | None


class RefusalOut(Out):
    """How often it was refused for a reason; to leads the public error, for the reason may tell of a customer."""

    reason: str
    count: int


class OwedReportOut(Out):
    """A report of a break-glass that is owed."""

    impersonation: str
    actor: ByOut
    due_at: str
    overdue: bool


class OwedNoticeOut(Out):
    """A notice that was withheld and is owed to its subject."""

    impersonation: str
    due_at: str


class OwedOut(Out):
    """What is owed now, whenever it began; the first due first, so many at most."""

    reports: list[OwedReportOut]
    notices: list[OwedNoticeOut]


class StatisticsOut(Out):
    """Figures of the impersonations that were asked for within a time."""

    since: str
    until: str
    by_day: list[DayOut] = Field(description="Every day of the time, also one without any.")
    by_agent: list[AgentOut]
    by_reason: list[ReasonOut]
    by_outcome: list[OutcomeCountOut]
    lengths: list[LengthOut]
    refusals: list[RefusalOut]
    owed: OwedOut
