"""What people decide: a lead's approval, a customer's consent, each bound to the digest (design section 4)."""

from dataclasses import dataclass
from typing import Literal

from authserver.audit.chain import Trail
from authserver.audit.events import ApprovalDecided, ConsentDecided
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.again import ask_as_started, hold
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.protocol.names import OPEN_STATES, State
from authserver.protocol.refusals import Conflict, Forbidden, Refusal
from authserver.storage import impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval, Consent

Choice = Literal["approve", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides: a person in a session of their own."""

    user_id: str
    session_id: str


class Decisions:
    """Records decisions and moves the impersonation on. A `deny` of what is active withdraws, and so revokes."""

    def __init__(self, judge: Judge, lifecycle: Lifecycle, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Decide through `lifecycle`."""
        self._judge = judge
        self._lifecycle = lifecycle
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def approve(self, work: Work, record: Record, decider: Decider, choice: Choice) -> Record:
        """Record a second person's decision; never the actor's or the subject's own."""
        if decider.user_id in {record.actor_id, record.subject_id}:
            raise Forbidden("approval.not_a_second_person")
        held = self._hold(work, record)
        known = impersonations.approval_of(work.session, held.id)
        if known is not None:
            return self._decide_again(work, held, known, decider, choice, repeated=known.approver_id == decider.user_id)
        if held.state is not State.AWAITING_APPROVAL:
            raise Conflict("approval.not_awaited")
        row = Approval(
            impersonation_id=held.id,
            digest=held.digest,
            decision=choice,
            approver_id=decider.user_id,
            session_id=decider.session_id,
            decided_at=self._clock.now(),
        )
        impersonations.add_approval(work.session, row)
        self._trail.record(work, _approval_event(held, decider, choice, row.decided_at))
        return self._go_on(work, held, decider, choice)

    def consent(self, work: Work, record: Record, decider: Decider, choice: Choice) -> Record:
        """Record the customer's decision; nobody else can give it."""
        if decider.user_id != record.subject_id:
            raise Forbidden("consent.not_the_subject")
        held = self._hold(work, record)
        known = impersonations.consent_of(work.session, held.id)
        if known is not None:
            return self._decide_again(work, held, known, decider, choice, repeated=True)
        if held.state is not State.AWAITING_CONSENT:
            raise Conflict("consent.not_awaited")
        row = Consent(
            id=self._entropy.identifier("con"),
            kind="request",
            subject_id=decider.user_id,
            impersonation_id=held.id,
            digest=held.digest,
            decision=choice,
            session_id=decider.session_id,
            given_at=self._clock.now(),
        )
        impersonations.add_consent(work.session, row)
        self._trail.record(work, _consent_event(held, decider, choice))
        return self._go_on(work, held, decider, choice)

    def _hold(self, work: Work, record: Record) -> Record:
        """Lock everyone in it, in the one order, and read it anew; what has run out is expired and no longer open."""
        held = hold(work, record, now=self._clock.now())
        if held is None:
            raise Conflict("impersonation.gone")
        if held.overdue(self._clock.now()):
            self._lifecycle.expire(work, held)
            raise Conflict("impersonation.overdue")
        return held

    def _decide_again(  # noqa: PLR0913 - a decision and the one before it
        self,
        work: Work,
        held: Record,
        known: Approval | Consent,
        decider: Decider,
        choice: Choice,
        *,
        repeated: bool,
    ) -> Record:
        """Take the same decision once more as said already, and a `deny` after an `approve` as a withdrawal."""
        if repeated and known.decision == choice and known.withdrawn_at is None:
            return held
        if (
            not repeated
            or known.decision != "approve"
            or known.withdrawn_at is not None
            or held.state not in OPEN_STATES
        ):
            raise Conflict("decision.made")
        known.withdrawn_at = self._clock.now()
        if isinstance(known, Approval):
            event: ApprovalDecided | ConsentDecided = _approval_event(held, decider, "withdraw", known.withdrawn_at)
            reason = "approval_withdrawn"
        else:
            event = _consent_event(held, decider, "withdraw")
            reason = "consent_withdrawn"
        self._trail.record(work, event)
        state = State.REVOKED if held.state is State.ACTIVE else State.DENIED
        return self._end(work, held, decider, state, reason)

    def _go_on(self, work: Work, held: Record, decider: Decider, choice: Choice) -> Record:
        """Let the policy say what follows; it is asked again, for much may have changed since the start."""
        kind = "approval" if held.state is State.AWAITING_APPROVAL else "consent"
        if choice == "deny":
            return self._end(work, held, decider, State.DENIED, f"{kind}_denied")
        try:
            now = self._clock.now()
            verdict = self._judge.judge(work.session, ask_as_started(work, held, now=now), held, now=now, hold=True)
        except Refusal as refusal:
            return self._end(work, held, decider, State.DENIED, refusal.reason)
        moved = self._lifecycle.advance(work, held, verdict.decision)
        if moved is None:
            raise Conflict("impersonation.moved")
        return moved

    def _end(self, work: Work, held: Record, decider: Decider, state: State, reason: str) -> Record:
        ended = self._lifecycle.end(work, held, state=state, by=decider.user_id, reason=reason)
        if ended is None:
            raise Conflict("impersonation.moved")
        return ended


def _approval_event(held: Record, decider: Decider, decision: str, decided_at: int) -> ApprovalDecided:
    return ApprovalDecided(
        impersonation_id=held.id,
        approver=decider.user_id,
        session_id=decider.session_id,
        decision=decision,
        digest=held.digest,
        decided_at=decided_at,
    )


def _consent_event(held: Record, decider: Decider, decision: str) -> ConsentDecided:
    return ConsentDecided(
        impersonation_id=held.id,
        subject=decider.user_id,
        session_id=decider.session_id,
        decision=decision,
        digest=held.digest,
    )
