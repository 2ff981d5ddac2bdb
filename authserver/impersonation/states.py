"""The state machine of an impersonation, in one place (design section 4)."""

from dataclasses import replace

from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.protocol.refusals import AccessDenied
from authserver.storage.impersonations import Record

SOURCES: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.AWAITING_APPROVAL, State.AWAITING_CONSENT}),
    State.AWAITING_APPROVAL: frozenset({State.REQUESTED, State.AWAITING_CONSENT}),
    State.AWAITING_CONSENT: frozenset({State.REQUESTED, State.AWAITING_APPROVAL}),
    State.ACTIVE: PENDING_STATES,
    State.DENIED: PENDING_STATES,
    State.EXPIRED: PENDING_STATES,
    State.ENDED: OPEN_STATES,
    State.REVOKED: frozenset({State.ACTIVE}),
}
"""From which states each state can be reached. What has ended, in whatever way, stays so."""


def activate(record: Record, now: int) -> Record:
    """Return a record as it stands once it is active."""
    return replace(record, activated_at=now, expires_at=now + record.lifetime, pending_until=None)


def check_may_be_asked(record: Record, now: int) -> None:
    """Raise AccessDenied where the subject would have to be asked, and may not hear of it yet: nobody could answer."""
    if (record.notice_withheld_until or 0) > now:
        raise AccessDenied("notice.withheld_from_who_consents")


def notice_in(state: State, before: str | None) -> str | None:
    """Return where the notice that gates an impersonation stands once it is in this state."""
    return "awaited" if state is State.REQUESTED else before if before == "accepted" else None
