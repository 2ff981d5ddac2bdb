"""The approvals that count are rows; each must be what its signed event says (design section 4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from authserver.audit.chain import CHAIN
from authserver.audit.events.governance import ApprovalDecided
from authserver.audit.events.impersonations import ImpersonationExtended, ImpersonationRequested
from authserver.audit.walk import Findings, read_payload
from authserver.storage import DbSession, governance
from authserver.storage.governance import ApprovalRow
from authserver.storage.trail import EventRow

_BATCH = 100
_NAMES = (ApprovalDecided.name, ImpersonationRequested.name, ImpersonationExtended.name)
_SAME = {
    "approver": "approver_id",
    "session_id": "session_id",
    "decision": "decision",
    "decided_at": "decided_at",
    "lifetime": "lifetime",
}
"""The members of an event, and the columns of a row, that say the same."""
_Told = tuple[int, str, Mapping[str, Any]]
"""An event: its place, its name, its payload."""


def compare(session: DbSession, findings: Findings) -> None:
    """Hold every approval against the trail, a batch at a time; `session` has nothing unsaved."""
    after = ""
    while True:
        session.rollback()
        rows = governance.approval_rows(session, after=after, limit=_BATCH)
        if not rows:
            break
        told = governance.told_of(session, CHAIN, [row.impersonation_id for row in rows], _NAMES)
        doubtful = [row for row in rows if _doubt(row, told[row.impersonation_id])]
        for row in doubtful:
            _look_again(session, findings, row.impersonation_id)
        after = rows[-1].impersonation_id
    _removed(session, findings)


def _removed(session: DbSession, findings: Findings) -> None:
    """Name each signed yes whose row is gone while what it allowed still has one: no server ever removes it alone."""
    after = 0
    while True:
        session.rollback()
        events = governance.decided_without_row(session, CHAIN, ApprovalDecided.name, after=after, limit=_BATCH)
        if not events:
            return
        for event in events:
            payload = read_payload(event.payload)
            if isinstance(payload, dict) and payload.get("decision") == "approve":
                words = f"the approval of {event.impersonation_id}, signed in event {event.seq}, was removed"
                findings.add(event.seq, words)
        after = events[-1].seq


def _look_again(session: DbSession, findings: Findings, impersonation_id: str) -> None:
    """Name what does not fit, unless it was decided on between two reads."""
    session.rollback()
    told = governance.told_of(session, CHAIN, [impersonation_id], _NAMES)[impersonation_id]
    for row in governance.approval_rows(session, only=impersonation_id):
        words = _doubt(row, told)
        if words:
            findings.add(told[-1].seq if told else 0, f"the approval of {impersonation_id} {words}")


def _doubt(row: ApprovalRow, events: Sequence[EventRow]) -> str | None:
    """Say why a row is not what was signed, or None."""
    told = [
        (event.seq, event.name, payload) for event in events if isinstance(payload := read_payload(event.payload), dict)
    ]
    decided = [entry for entry in told if entry[1] == ApprovalDecided.name]
    own = [entry for entry in decided if _signed_alike(row, entry[2])]
    if not own:
        return "has no signed event"
    seq, _, payload = own[-1]
    if any(payload.get(member, getattr(row, column)) != getattr(row, column) for member, column in _SAME.items()):
        return f"says something else than its signed event {seq}"
    if row.digest != payload.get("digest") and row.digest not in _digests_before(told, seq):
        return f"is on another digest than its signed event {seq}"
    return _withdrawal(row, [entry for entry in decided if entry[0] > seq and entry[2].get("decision") == "withdraw"])


def _signed_alike(row: ApprovalRow, payload: Mapping[str, Any]) -> bool:
    """Tell whether an event has the row's signature; of before there were any, the same approver and decision."""
    if row.kid is None and row.signature is None:
        unsigned = payload.get("kid") is None and payload.get("signature") is None
        return unsigned and (payload.get("approver"), payload.get("decision")) == (row.approver_id, row.decision)
    return (payload.get("kid"), payload.get("signature")) == (row.kid, row.signature)


def _digests_before(told: Sequence[_Told], seq: int) -> set[object]:
    """Return what was already asked for before a decision.

    Who said yes to a longer life that did not come about said yes to the one that there was: the row goes back to it.
    """
    return {payload.get("digest") for place, name, payload in told if place < seq and name != ApprovalDecided.name}


def _withdrawal(row: ApprovalRow, withdrawn: Sequence[_Told]) -> str | None:
    if row.withdrawn_at is None:
        return f"was withdrawn by event {withdrawn[-1][0]}, and counts again" if withdrawn else None
    if not any(payload.get("decided_at", row.withdrawn_at) == row.withdrawn_at for _, _, payload in withdrawn):
        return "is withdrawn without a signed event"
    return None
