"""From rows to the API's shapes."""

from datetime import UTC, datetime

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
from authserver.storage import DbSession, governance, impersonations, people
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval, BreakGlassReport, Consent


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


def impersonation(session: DbSession, record: Record) -> ImpersonationOut:
    """Show one impersonation with the decisions on it."""
    names = people.named(session, {record.actor_id, record.subject_id})
    approval = impersonations.approval_of(session, record.id)
    consent = impersonations.consent_of(session, record.id)
    report = None if record.override is None else governance.report_of(session, record.id)
    return ImpersonationOut(
        id=record.id,
        state=record.state,
        actor=PersonOut(id=record.actor_id, name=names.get(record.actor_id, "")),
        subject=PersonOut(id=record.subject_id, name=names.get(record.subject_id, "")),
        client_id=record.client_id,
        resource=list(record.resources),
        scope=join_scope(record.scopes),
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
        approval=None if approval is None else _approval(approval),
        consent=None if consent is None else _consent(consent),
        override=record.override,
        consent_way=record.consent_way,
        grace_until=instant(record.grace_until),
        extension=_extension(record),
        report=None if report is None else _report(report),
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
