"""From rows to the API's shapes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from authserver.api.names import Registered
from authserver.api.schemas import (
    ConsentRequestOut,
    DecisionOut,
    ExtensionOut,
    ImpersonationOut,
    PersonOut,
    ReportOut,
)
from authserver.impersonation.words import Words
from authserver.protocol.names import Mode, State
from authserver.protocol.scopes import join_scope
from authserver.storage import DbSession, governance, listings, people
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval, BreakGlassReport, Consent

_MASK = "…"
_NOBODY = ("", "")


def instant(seconds: float | None) -> str | None:
    """Write an instant in RFC 3339, in UTC."""
    return None if seconds is None else moment(seconds)


def moment(seconds: float) -> str:
    """Write an instant that there is."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def consent_request(words: Words, choices: tuple[int, ...]) -> ConsentRequestOut:
    """Show the customer what they are asked."""
    return ConsentRequestOut(
        words=list(words.sentences),
        words_version=words.version,
        words_language=words.language,
        words_hash=words.hash,
        numbers=list(choices),
    )


def impersonations(
    session: DbSession, records: Sequence[Record], *, shows_usernames: Callable[[Record], bool]
) -> list[ImpersonationOut]:
    """Show impersonations with the decisions on them; user names where they may be shown."""
    ids = [record.id for record in records]
    known = people.identified(session, {person for each in records for person in (each.actor_id, each.subject_id)})
    approvals, consents = listings.approvals_of(session, ids), listings.consents_of(session, ids)
    reports = governance.reports_of(session, [each.id for each in records if each.override is not None])
    registered = Registered.of(session, {uri for each in records for uri in each.resources})
    shown = []
    for record in records:
        usernames = shows_usernames(record)
        actor = _person(record.actor_id, *known.get(record.actor_id, _NOBODY), shown=usernames)
        name, username = known.get(record.subject_id, _NOBODY)
        subject = _person(record.subject_id, name, masked(username) or username, shown=usernames)
        decided = _Decided(approvals.get(record.id), consents.get(record.id), reports.get(record.id))
        shown.append(_impersonation(record, actor, subject, decided, registered))
    return shown


def masked(address: str) -> str:
    """Return an e-mail address with all but its first letter hidden; empty for what is none."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}{_MASK}@{domain}" if at else ""


@dataclass(frozen=True, slots=True)
class _Decided:
    """What people said of one impersonation."""

    approval: Approval | None
    consent: Consent | None
    report: BreakGlassReport | None


def _person(user_id: str, name: str, username: str, *, shown: bool) -> PersonOut:
    return PersonOut(id=user_id, name=name, username=username if shown else None)


def _impersonation(
    record: Record, actor: PersonOut, subject: PersonOut, decided: _Decided, registered: Registered
) -> ImpersonationOut:
    return ImpersonationOut(
        id=record.id,
        state=record.state,
        digest=record.digest,
        actor=actor,
        subject=subject,
        client_id=record.client_id,
        resource=list(record.resources),
        scope=join_scope(record.scopes),
        resources=registered.named(record.resources, record.scopes),
        mode=Mode(record.mode),
        reason=record.reason,
        reason_code=record.reason_code,
        ticket_id=record.ticket_id,
        expires_in=record.lifetime,
        created_at=moment(record.created_ms / 1000),
        pending_until=instant(record.pending_until),
        activated_at=instant(record.activated_at),
        expires_at=instant(record.expires_at),
        ended_at=instant(record.ended_at),
        ended_by=record.ended_by,
        end_reason=record.end_reason,
        approval=None if decided.approval is None else _approval(decided.approval),
        consent=None if decided.consent is None else _consent(decided.consent),
        override=record.override,
        consent_way=record.consent_way,
        grace_until=instant(record.grace_until),
        extension=_extension(record),
        report=None if decided.report is None else _report(decided.report),
    )


def _extension(record: Record) -> ExtensionOut | None:
    if record.state is not State.ACTIVE or record.extension_until is None:
        return None
    return ExtensionOut(
        digest=record.extension_digest or "",
        expires_in=record.extension_lifetime or 0,
        pending_until=moment(record.extension_until),
    )


def _report(row: BreakGlassReport) -> ReportOut:
    return ReportOut(due_at=moment(row.due_at), filed_at=instant(row.filed_at))


def _approval(row: Approval) -> DecisionOut:
    return DecisionOut(
        decision=row.decision,
        by=row.approver_id,
        at=moment(row.decided_at),
        withdrawn_at=instant(row.withdrawn_at),
        expires_in=row.lifetime,
        remark=row.remark,
    )


def _consent(row: Consent) -> DecisionOut:
    return DecisionOut(
        decision=row.decision,
        by=row.subject_id,
        at=moment(row.given_at),
        withdrawn_at=instant(row.withdrawn_at),
        way=row.way or None,
    )
