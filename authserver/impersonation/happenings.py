"""What is recorded of an impersonation's life: from its record to the events of the trail."""

from authserver.audit.events.event import Event
from authserver.audit.events.governance import BreakGlassOpened
from authserver.audit.events.impersonations import ImpersonationActivated, ImpersonationEnded, ImpersonationRequested
from authserver.impersonation.asks import Plan
from authserver.storage.impersonations import Record


def requested(plan: Plan, policy_set: str) -> Event:
    """Tell of a request that was taken up; `policy_set` is the digest of the policy that decided."""
    record, ask = plan.record, plan.ask
    return ImpersonationRequested(
        impersonation_id=record.id,
        way=ask.way,
        actor=record.actor_id,
        subject=record.subject_id,
        client_id=record.client_id,
        resources=record.resources,
        scopes=record.scopes,
        mode=record.mode,
        reason=record.reason,
        reason_code=record.reason_code,
        ticket_id=record.ticket_id,
        lifetime=record.lifetime,
        digest=record.digest,
        state=record.state,
        policies=record.policies,
        policy_set=policy_set,
        consent_id=plan.verdict.consent_id,
        client_address=record.client_address,
        session_address=ask.actor.authentication.address,
        override=record.override,
        consent_way=record.consent_way,
    )


def activated(record: Record) -> Event:
    """Tell that tokens may be minted from here on."""
    return ImpersonationActivated(
        impersonation_id=record.id,
        actor=record.actor_id,
        subject=record.subject_id,
        digest=record.digest,
        expires_at=record.expires_at or 0,
        policies=record.policies,
    )


def ended_event(record: Record) -> Event:
    """Tell of an end."""
    return ImpersonationEnded(
        impersonation_id=record.id,
        actor=record.actor_id,
        subject=record.subject_id,
        state=record.state,
        end_reason=record.end_reason or "",
        ended_by=record.ended_by or "",
    )


def opened(record: Record, *, due_at: int, contacts: int) -> Event:
    """Tell that the glass was broken, and when the report is due."""
    return BreakGlassOpened(
        impersonation_id=record.id,
        actor=record.actor_id,
        subject=record.subject_id,
        due_at=due_at,
        contacts=contacts,
    )
