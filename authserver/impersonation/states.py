"""The state machine of an impersonation, in one place (design section 4)."""

from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State

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
