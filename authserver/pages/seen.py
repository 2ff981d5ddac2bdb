"""Impersonations as their customer sees them: who, why, what they may do, how it came about and how it ended."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from authserver.pages.parts import PageParts
from authserver.protocol.names import State
from authserver.storage import DbSession, actions, listings, people
from authserver.storage.impersonations import Record
from authserver.storage.tables import Consent

LATELY = 3
_OPEN = 50
_STAFF = "Somebody from our staff"
_ENDS = {
    "consent_denied": "You said no",
    "number_mismatch": "Stopped: that was not the right number",
    "consent_code_tries": "Stopped: the code was wrong too often",
}
_ALLOWED = {
    "number_match": "You picked the number that they read out to you.",
    "code": "You read out the code that we sent you.",
    "support_code": "You gave them your support code.",
    "standing": "You had allowed it without being asked each time.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One impersonation as its customer sees it."""

    record: Record
    actor: str
    asked: bool
    """The customer is being asked, to begin or to go on longer."""
    running: bool
    done: int
    """How many actions were reported."""
    ended: str
    """How it ended, in words; empty while it is open."""
    ended_at: int | None


def now_of(parts: PageParts, session: DbSession, user_id: str) -> Sequence[Seen]:
    """Return what the customer is asked, and what runs."""
    found = _told(parts, session, user_id, over=False, limit=_OPEN)
    return [each for each in found if each.asked or each.running]


def past_of(
    parts: PageParts, session: DbSession, user_id: str, *, limit: int, before: Record | None = None
) -> Sequence[Seen]:
    """Return what is over, the newest first."""
    return _told(parts, session, user_id, over=True, limit=limit, before=before)


def one_of(parts: PageParts, session: DbSession, record: Record) -> Seen:
    """Return one, whose customer looks."""
    return _seen(parts, session, [record])[0]


def version_of(shown: Sequence[Seen]) -> str:
    """Return what changes whenever something changes of what is shown."""
    facts = [(each.record, each.asked, each.running, each.done) for each in shown]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def how_allowed(record: Record, given: Consent | None) -> str:
    """Say by what it was allowed."""
    if record.override is not None:
        return "It was an emergency: our staff did not wait for your yes."
    if given is not None and given.decision == "approve":
        return _ALLOWED.get(given.way, "You said yes.")
    if record.activated_at is None:
        return ""
    return _ALLOWED["standing"] if record.consent_id else "Our rules did not ask for your yes."


def _told(  # noqa: PLR0913 - what a page of them is
    parts: PageParts, session: DbSession, user_id: str, *, over: bool, limit: int, before: Record | None = None
) -> Sequence[Seen]:
    records = listings.told_to_subject(
        session,
        user_id,
        over=over,
        told_by=_ENDS,
        before=before,
        limit=limit,
        now=parts.clock.now(),
        withholding=parts.settings.notification.withholding_reason_codes,
    )
    return _seen(parts, session, records)


def _seen(parts: PageParts, session: DbSession, records: Sequence[Record]) -> Sequence[Seen]:
    now = parts.clock.now()
    names = people.named(session, {record.actor_id for record in records})
    counts = actions.counts(session, {record.id for record in records})
    found = []
    for record in records:
        overdue = record.overdue(now)
        found.append(
            Seen(
                record=record,
                actor=names.get(record.actor_id) or _STAFF,
                asked=not overdue and parts.consents.asked(session, record),
                running=record.state is State.ACTIVE and not overdue,
                done=counts.get(record.id, 0),
                ended="Time ran out" if overdue else _ended(record),
                ended_at=record.expires_at if overdue else record.ended_at,
            )
        )
    return found


def _ended(record: Record) -> str:
    """Say how it ended, as its customer would."""
    if record.ended_at is None:
        return ""
    if record.activated_at is None:
        return _ENDS.get(record.end_reason or "", "It never began")
    if record.ended_by == record.subject_id:
        return "You ended it"
    if record.ended_by == record.actor_id:
        return "They ended it"
    return "Time ran out" if record.ended_by == "system" else "Our staff ended it"
