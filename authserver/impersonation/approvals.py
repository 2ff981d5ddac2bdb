"""A second person's decision, bound to the digest and signed by the server (design section 4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from authserver.audit.approvals import statement
from authserver.audit.chain import Trail
from authserver.audit.events import ApprovalDecided
from authserver.audit.heads import HeadSigner
from authserver.clock import Clock
from authserver.impersonation.decisions import Choice, Decider, Decisions
from authserver.impersonation.extension import Extension
from authserver.protocol.names import OPEN_STATES, State
from authserver.protocol.refusals import Conflict, Forbidden, InvalidRequest
from authserver.storage import DbSession, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What an approver says: yes or no, perhaps for fewer seconds than were asked for, and why."""

    choice: Choice
    lifetime: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """A decision with the server's signature over it."""

    event: ApprovalDecided
    kid: str
    signature: str


class Approvals:
    """Records what approvers decide. A `deny` of what is active withdraws, and so revokes."""

    def __init__(
        self,
        decisions: Decisions,
        extension: Extension,
        signer: Callable[[DbSession], HeadSigner],
        trail: Trail,
        clock: Clock,
    ) -> None:
        """Decide through `decisions`; `signer` gives the audit key."""
        self._decisions = decisions
        self._extension = extension
        self._signer = signer
        self._trail = trail
        self._clock = clock

    def decide(self, work: Work, record: Record, decider: Decider, ruling: Ruling) -> Record:
        """Record a second person's decision; never the actor's or the subject's own."""
        if decider.user_id in {record.actor_id, record.subject_id}:
            raise Forbidden("approval.not_a_second_person")
        if ruling.lifetime is not None and ruling.choice == "deny":
            raise InvalidRequest("approval.denied_and_shortened", "expires_in goes with an approval.")
        wanted = self._decisions.extending(record) or record
        if ruling.lifetime is not None and ruling.lifetime > wanted.lifetime:
            raise InvalidRequest("approval.longer", "expires_in may only be shorter than what was asked for.")
        known = impersonations.approval_of(work.session, record.id)
        extending = wanted is not record and (known is None or known.digest != wanted.digest)
        again = known is not None and not extending
        decision = "withdraw" if again and ruling.choice == "deny" else ruling.choice
        signed = self._sign(work, wanted if extending else record, decider, replace(ruling), decision)
        held = self._decisions.hold(work, record)
        if extending:
            return self._decide_extension(work, held, decider, ruling, signed)
        known = impersonations.approval_of(work.session, held.id)
        if known is not None:
            return self._decide_again(work, held, known, decider, signed)
        if held.state is not State.AWAITING_APPROVAL or held.digest != record.digest or decision == "withdraw":
            raise Conflict("approval.not_awaited")
        return self._decide_first(work, held, decider, ruling, signed)

    def _decide_first(self, work: Work, held: Record, decider: Decider, ruling: Ruling, signed: _Signed) -> Record:
        impersonations.add_approval(work.session, _row(held, decider, ruling, signed))
        self._trail.record(work, signed.event)
        if ruling.choice == "deny":
            return self._decisions.end(work, held, decider.user_id, State.DENIED, "approval_denied")
        if ruling.lifetime is not None and ruling.lifetime < held.lifetime:
            held = impersonations.change(work.session, held.id, lifetime=ruling.lifetime) or held
        return self._decisions.go_on(work, held, decider.user_id)

    def _decide_again(self, work: Work, held: Record, known: Approval, decider: Decider, signed: _Signed) -> Record:
        """Take the same decision once more as said already, and a `deny` after an `approve` as a withdrawal."""
        withdrawal = signed.event.decision == "withdraw"
        own, stands = known.approver_id == decider.user_id, known.withdrawn_at is None
        if own and stands and known.decision == ("deny" if withdrawal else "approve"):
            return held
        if not (withdrawal and own and stands and known.decision == "approve" and held.state in OPEN_STATES):
            raise Conflict("decision.made")
        known.withdrawn_at = signed.event.decided_at
        self._trail.record(work, signed.event)
        return self._decisions.withdraw(work, held, decider.user_id, "approval_withdrawn")

    def _decide_extension(self, work: Work, held: Record, decider: Decider, ruling: Ruling, signed: _Signed) -> Record:
        wanted = self._decisions.extending(held)
        if wanted is None or wanted.digest != signed.event.digest:
            raise Conflict("extension.not_awaited")
        self._trail.record(work, signed.event)
        if ruling.choice == "deny":
            return self._extension.drop(work, held)
        if ruling.lifetime is not None:
            wanted = replace(wanted, lifetime=max(held.lifetime, ruling.lifetime))
        impersonations.put_approval(work.session, _row(wanted, decider, ruling, signed))
        return self._extension.go_on(work, held, wanted)

    def _sign(self, work: Work, record: Record, decider: Decider, ruling: Ruling, decision: str) -> _Signed:
        """Sign before anything is locked: the digest is compared again afterwards."""
        event = ApprovalDecided(
            impersonation_id=record.id,
            approver=decider.user_id,
            session_id=decider.session_id,
            decision=decision,
            digest=record.digest,
            decided_at=self._clock.now(),
            lifetime=ruling.lifetime,
            remark=ruling.remark,
        )
        said = {name: getattr(event, name) for name in ("approver", "session_id", "decision", "digest", "decided_at")}
        kid, signature = self._signer(work.session).sign(
            statement({**said, "impersonation_id": record.id, "lifetime": ruling.lifetime})
        )
        return _Signed(event=replace(event, kid=kid, signature=signature), kid=kid, signature=signature)


def _row(record: Record, decider: Decider, ruling: Ruling, signed: _Signed) -> Approval:
    return Approval(
        impersonation_id=record.id,
        digest=record.digest,
        decision=ruling.choice,
        approver_id=decider.user_id,
        session_id=decider.session_id,
        decided_at=signed.event.decided_at,
        withdrawn_at=None,
        lifetime=ruling.lifetime,
        remark=ruling.remark,
        kid=signed.kid,
        signature=signed.signature,
    )
