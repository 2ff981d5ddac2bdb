"""A second person's decision, bound to the digest and signed by the server (design section 4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from authserver.audit.approvals import statement
from authserver.audit.chain import Trail
from authserver.audit.events.governance import ApprovalDecided
from authserver.audit.heads import HeadSigner
from authserver.clock import Clock
from authserver.impersonation.decisions import Choice, Decider, Decisions
from authserver.impersonation.extension import Extension
from authserver.protocol.names import OPEN_STATES, Role, State
from authserver.protocol.refusals import Busy, Conflict, Forbidden, InvalidRequest
from authserver.storage import DbSession, impersonations, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval

_TRIES = 4
_SAID = ("approver", "session_id", "decision", "digest", "decided_at", "lifetime", "covers")


class Withhold(Protocol):
    """Has the notices of an impersonation withheld until an instant; raises the refusal before it writes anything."""

    def __call__(self, work: Work, record: Record, *, by: str, until: int) -> Record:
        """Return the impersonation as it stands then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What an approver says: yes or no, perhaps for fewer seconds than were asked for, and why.

    `withhold_notice_until` is an instant until which the customer is not told.
    """

    choice: Choice
    lifetime: int | None = None
    remark: str = ""
    withhold_notice_until: int | None = None
    digest: str | None = None
    """The digest of what the approver was shown, where they say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    """What a ruling comes to, as things stand: a decision on one digest, or the same once more."""

    decision: Literal["approve", "deny", "withdraw", "same"]
    digest: str = ""
    covers: str | None = None
    """The digest of what lives already, where it is about an extension."""


class Approvals:
    """Records what approvers decide. A `deny` of what is active withdraws, and so revokes."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        decisions: Decisions,
        extension: Extension,
        signer: Callable[[DbSession], HeadSigner],
        trail: Trail,
        clock: Clock,
        *,
        withhold: Withhold,
    ) -> None:
        """Decide through `decisions`; `signer` gives the audit key."""
        self._decisions = decisions
        self._extension = extension
        self._signer = signer
        self._trail = trail
        self._clock = clock
        self.withhold = withhold

    def decide(self, work: Work, record: Record, decider: Decider, ruling: Ruling) -> Record:
        """Record a second person's decision; never the actor's or the subject's own."""
        if decider.user_id in {record.actor_id, record.subject_id}:
            raise Forbidden("approval.not_a_second_person")
        if ruling.choice == "deny" and (ruling.lifetime is not None or ruling.withhold_notice_until is not None):
            raise InvalidRequest("approval.denied_with_conditions", "Conditions go with an approval.")
        seen = record
        for _ in range(_TRIES):
            meaning = self._meaning(work.session, seen, decider, ruling, hold=False)
            event = None if meaning.decision == "same" else self._sign(work, seen, decider, ruling, meaning)
            held = self._decisions.hold(work, seen, decider)
            if meaning == self._meaning(work.session, held, decider, ruling, hold=True):
                return held if event is None else self._write(work, held, decider, ruling, event)
            work.rollback()  # somebody decided meanwhile: what was signed is not what it would come to now
            seen = impersonations.find(work.session, record.id) or record
        raise Busy("approval.contended")

    def _meaning(self, session: DbSession, record: Record, decider: Decider, ruling: Ruling, *, hold: bool) -> _Meaning:
        wanted = self._decisions.waiting(session, record, State.AWAITING_APPROVAL, hold=hold)
        if ruling.digest not in {None, (wanted or record).digest}:
            raise Conflict("approval.shown_something_else")
        if wanted is not None:
            _check_lifetime(record, wanted, ruling)
            covers = record.digest if record.state is State.ACTIVE else None
            return _Meaning(decision=ruling.choice, digest=wanted.digest, covers=covers)
        known = impersonations.approval_of(session, record.id)
        if known is None:
            raise Conflict("approval.not_awaited")
        own, stands = known.approver_id == decider.user_id, known.withdrawn_at is None
        withdraws = ruling.choice == "deny" and known.decision == "approve"
        if own and withdraws and stands and record.state in OPEN_STATES:
            return _Meaning(decision="withdraw", digest=known.digest)
        repeats = known.decision == ruling.choice and stands and ruling.lifetime in {None, known.lifetime}
        if own and (repeats or (withdraws and not stands)):
            return _Meaning(decision="same")
        raise Conflict("decision.made")

    def _sign(self, work: Work, record: Record, decider: Decider, ruling: Ruling, meaning: _Meaning) -> ApprovalDecided:
        """Sign before anything is locked: what it came to is compared again afterwards."""
        event = ApprovalDecided(
            impersonation_id=record.id,
            approver=decider.user_id,
            session_id=decider.session_id,
            decision=meaning.decision,
            digest=meaning.digest,
            decided_at=self._clock.now(),
            lifetime=ruling.lifetime,
            remark=ruling.remark,
            covers=meaning.covers,
        )
        said = {name: getattr(event, name) for name in _SAID}
        kid, signature = self._signer(work.session).sign(statement({**said, "impersonation_id": record.id}))
        return replace(event, kid=kid, signature=signature)

    def _write(self, work: Work, held: Record, decider: Decider, ruling: Ruling, event: ApprovalDecided) -> Record:
        """Write what was signed; whoever is a lead no more approves nothing."""
        approver = people.find(work.session, decider.user_id)
        if approver is None or Role.LEAD not in approver.roles:
            raise Forbidden("approval.not_a_lead")
        if ruling.withhold_notice_until is not None:
            held = self.withhold(work, held, by=decider.user_id, until=ruling.withhold_notice_until)
        self._trail.record(work, event)
        if event.decision == "withdraw":
            return self._withdraw(work, held, event)
        wanted = self._decisions.extending(held)
        if wanted is not None:
            return self._decide_extension(work, held, wanted, ruling, event)
        impersonations.put_approval(work.session, _row(held, event))
        if ruling.choice == "deny":
            return self._decisions.end(work, held, decider.user_id, State.DENIED, "approval_denied")
        if ruling.lifetime is not None and ruling.lifetime < held.lifetime:
            held = impersonations.change(work.session, held.id, lifetime=ruling.lifetime) or held
        return self._decisions.go_on(work, held, decider.user_id)

    def _withdraw(self, work: Work, held: Record, event: ApprovalDecided) -> Record:
        known = impersonations.approval_of(work.session, held.id)
        if known is not None:
            known.withdrawn_at = event.decided_at
        return self._decisions.withdraw(work, held, event.approver, "approval_withdrawn")

    def _decide_extension(
        self, work: Work, held: Record, wanted: Record, ruling: Ruling, event: ApprovalDecided
    ) -> Record:
        """Decide on a longer life; a no leaves what is active as it is."""
        if ruling.choice == "deny":
            return self._extension.drop(work, held)
        impersonations.put_approval(work.session, _row(wanted, event))
        return self._extension.go_on(work, held, replace(wanted, lifetime=ruling.lifetime or wanted.lifetime))


def _check_lifetime(record: Record, wanted: Record, ruling: Ruling) -> None:
    """Raise InvalidRequest for a lifetime beyond what was asked, or one that extends nothing."""
    if ruling.lifetime is None:
        return
    if ruling.lifetime > wanted.lifetime:
        raise InvalidRequest("approval.longer", "expires_in may only be shorter than what was asked for.")
    if record.state is State.ACTIVE and ruling.lifetime <= record.lifetime:
        raise InvalidRequest("approval.no_extension", "expires_in is not longer than it lives anyway.")


def _row(record: Record, event: ApprovalDecided) -> Approval:
    return Approval(
        impersonation_id=record.id,
        digest=record.digest,
        decision=event.decision,
        approver_id=event.approver,
        session_id=event.session_id,
        decided_at=event.decided_at,
        withdrawn_at=None,
        lifetime=event.lifetime,
        remark=event.remark,
        kid=event.kid,
        signature=event.signature,
    )
