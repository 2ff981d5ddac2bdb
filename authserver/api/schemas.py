"""The API's shapes, in and out. Instants are RFC 3339 in UTC; durations are seconds."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from authserver.api.schemas_names import NamedResourceOut
from authserver.protocol.names import Mode, State

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")]
Uri = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]+$")]

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Detail = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-(2**53) + 1, le=2**53 - 1)]
    | Annotated[str, StringConstraints(strict=True, max_length=1024, pattern=r"^[^\x00]*$")]
    | None
)
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"


Instant = Annotated[
    str,
    StringConstraints(max_length=40, pattern=r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)$"),
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class In(_In):
    """What comes in, for shapes in other modules: an unknown member is refused."""


class Out(_Out):
    """What goes out, for shapes in other modules."""


class Problem(_Out):
    """Problem details (RFC 9457 §3); `error` is the OAuth error code."""

    type: str
    title: str
    status: int
    detail: str
    error: str | None = None


def problems(*statuses: int) -> Any:  # noqa: ANN401 - flask-openapi's own union of shapes
    """Document refusals by their status; each is a Problem."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


class IdPath(_In):
    """An impersonation, or a handoff, by id."""

    id: str = Field(description="The identifier.")


class StartBody(_In):
    """What is asked for. Without `client_id` the caller's own client will exchange; without `scope` all is asked."""

    subject: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
    client_id: Id | None = None
    resource: list[Uri] = Field(default_factory=list, max_length=16)
    scope: Text | None = None
    reason: Text = ""
    reason_code: Short = ""
    ticket_id: Short = ""
    mode: Mode = Mode.READ_ONLY
    expires_in: int | None = Field(default=None, ge=1, le=10**9)
    consent_way: Literal["account", "mail", "code"] | None = None
    override: Literal["break_glass"] | None = None


class ApprovalBody(_In):
    """A second person's decision; `expires_in` may only shorten what was asked for.

    `digest` is that of what was shown: if something else waits by now, nothing is decided.
    `withhold_notice_until` (an instant, or seconds from now) has the customer not told before, for a legal reason.
    """

    decision: Literal["approve", "deny"]
    expires_in: int | None = Field(default=None, ge=1, le=10**9)
    remark: Text = ""
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    withhold_notice_until: Annotated[int, Field(ge=1, le=10**9)] | Instant | None = None


class ConsentBody(_In):
    """The customer's decision; `number` is the one that the agent read out to them."""

    decision: Literal["approve", "deny"]
    number: int | None = Field(default=None, ge=0, le=99)
    words_hash: Short | None = None
    """The `words_hash` of what was shown: with it a yes to anything else is 409."""


class ConsentCodeBody(_In):
    """The code that the customer was sent, as they read it out."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class ExtendBody(_In):
    """For how many seconds from now it should live."""

    expires_in: int = Field(ge=1, le=10**9)


class DeviceBody(_In):
    """What became of a device; `handoff` tells which, so that what is said late of an old one does no harm."""

    state: Literal["ended"]
    handoff: Id | None = None


class ReportBody(_In):
    """What was done with broken glass, and why it had to be."""

    report: Annotated[str, StringConstraints(min_length=1, max_length=10000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class StandingConsentBody(_In):
    """How many seconds a standing consent lasts; `words_version` is what the app has shown."""

    expires_in: int = Field(ge=1, le=10**9)
    words_version: Short | None = None


class PageQuery(_In):
    """A page of a listing: `cursor` is `next_cursor` of the page before."""

    cursor: Short | None = None
    limit: int = Field(default=50, ge=1, le=200)


class PersonOut(_Out):
    """A person as others see them; the user name is for staff alone, and a customer's masked where it is an address."""

    id: str
    name: str
    username: str | None = None


class DecisionOut(_Out):
    """A decision that was made."""

    decision: str
    by: str
    at: str
    withdrawn_at: str | None
    way: str | None = None
    """How a consent was given."""
    expires_in: int | None = None
    """To how many seconds an approver shortened it."""
    remark: str | None = None


class WordsOut(_Out):
    """Words that the customer has to be shown before they consent."""

    words: list[str]
    words_version: str
    words_language: str
    words_hash: str


class ConsentRequestOut(WordsOut):
    """What the customer is asked: the words to show, and the numbers to pick the agent's from, where there are any."""

    numbers: list[int]


class ExtensionOut(_Out):
    """An extension that waits for its decision; `expires_in` is the whole life asked for, in seconds."""

    digest: str
    expires_in: int
    pending_until: str


class ReportOut(_Out):
    """The report of a break-glass: when it is due, and when it was filed."""

    due_at: str
    filed_at: str | None


class ConsentOut(_Out):
    """A consent of the customer's own."""

    id: str
    kind: str
    impersonation: str | None
    decision: str
    way: str
    basis: str
    words_version: str
    words_language: str
    words_hash: str
    words: list[str]
    given_at: str
    expires_at: str | None
    withdrawn_at: str | None


class ConsentsOut(_Out):
    """The customer's consents, newest first, and what a standing one would say."""

    items: list[ConsentOut]
    standing_words: WordsOut


class ImpersonationOut(_Out):
    """An impersonation. `handle` is there only in the answer to its start."""

    id: str
    state: State
    digest: str
    """Of what was asked: every decision binds it, and a lead's may send it back."""
    actor: PersonOut
    subject: PersonOut
    client_id: str
    resource: list[str]
    scope: str
    resources: list[NamedResourceOut]
    """The same resources and scopes, by their names for people."""
    mode: Mode
    reason: str
    reason_code: str
    ticket_id: str
    expires_in: int
    created_at: str
    pending_until: str | None
    activated_at: str | None
    expires_at: str | None
    ended_at: str | None
    ended_by: str | None
    end_reason: str | None
    approval: DecisionOut | None
    consent: DecisionOut | None
    consent_way: str
    consent_number: int | None = None
    """The number that the actor reads out; nobody else is shown it."""
    consent_request: ConsentRequestOut | None = None
    """What the subject is asked; nobody else is shown it."""
    override: str | None
    grace_until: str | None
    extension: ExtensionOut | None
    report: ReportOut | None


class StartedOut(ImpersonationOut):
    """An impersonation just started; `handle` is the only copy, for the exchanging client."""

    handle: str


class ImpersonationsOut(_Out):
    """A page of impersonations, newest first."""

    items: list[ImpersonationOut]
    next_cursor: str | None


class ActionIn(_In):
    """One performed action; `id` is the reporter's own, and counts once. `details` are flat, and small."""

    id: Id
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.:-]{1,64}$")]
    at: Annotated[str, StringConstraints(max_length=40, pattern=_INSTANT)]
    details: dict[Key, Detail] = Field(default_factory=dict, max_length=32)


class ActionsBody(_In):
    """A batch of performed actions. A client without a secret proves itself by an assertion (RFC 7523 §2.2)."""

    actions: list[ActionIn] = Field(min_length=1, max_length=100)
    client_id: Id | None = None
    client_assertion_type: Uri | None = None
    client_assertion: Annotated[str, StringConstraints(max_length=16384)] | None = None


class ReportedOut(_Out):
    """How many of a batch were new, and how many known already."""

    accepted: int
    known: int


class ActionOut(_Out):
    """A performed action; `reported_by` is the client, or the actor where their token reported it."""

    id: str
    kind: str
    at: str
    details: dict[str, Any]
    reported_by: str
    received_at: str


class ActionsOut(_Out):
    """A page of performed actions, in the order in which they were received."""

    items: list[ActionOut]
    next_cursor: str | None


class EventOut(_Out):
    """An audit event; a personal value that was erased is null."""

    model_config = ConfigDict(extra="allow")

    chain_id: str
    seq: int
    name: str


class EventsOut(_Out):
    """A page of audit events, newest first; `names` are those of its people now, by id."""

    items: list[EventOut]
    names: dict[str, str]
    next_cursor: str | None
