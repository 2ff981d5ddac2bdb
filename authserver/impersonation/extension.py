"""A longer life for what is active: everything is asked again, under a total cap (design section 4)."""

from dataclasses import replace

from authserver.audit.chain import Trail
from authserver.audit.events import ImpersonationExtended
from authserver.clock import Clock
from authserver.impersonation.asks import ActingPerson, ask_again
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.digest import digest
from authserver.impersonation.judge import Judge
from authserver.impersonation.policy import Allow, Decision, NeedsApproval
from authserver.protocol.names import State
from authserver.protocol.refusals import AccessDenied, Conflict, Refusal
from authserver.settings import Impersonation as Limits
from authserver.storage import clients, impersonations
from authserver.storage.database import UniqueViolation, Work
from authserver.storage.impersonations import Record


class Extension:
    """Extends impersonations. While a decision is awaited, the impersonation goes on within its present life."""

    def __init__(self, decisions: Decisions, judge: Judge, limits: Limits, trail: Trail, clock: Clock) -> None:
        """Work by `judge` and within `limits`."""
        self._decisions = decisions
        self._judge = judge
        self._limits = limits
        self._trail = trail
        self._clock = clock

    def ask(self, work: Work, record: Record, actor: ActingPerson, *, expires_in: int, client_address: str) -> Record:
        """Ask to live for `expires_in` seconds from now; longer than the cap is shortened to it."""
        held = self._decisions.hold(work, record)
        now = self._clock.now()
        if held.state is not State.ACTIVE or held.activated_at is None:
            raise Conflict("extension.not_active")
        lifetime = min(now - held.activated_at + expires_in, self._limits.total_seconds)
        if lifetime <= held.lifetime:
            raise AccessDenied("extension.nothing_left" if lifetime == self._limits.total_seconds else "extension.none")
        wanted = replace(held, lifetime=lifetime)
        wanted = replace(wanted, digest=digest(wanted))
        client = clients.find(work.session, held.client_id)
        if client is None:
            raise AccessDenied("actor.unknown")
        ask = ask_again(work.session, wanted, actor, client, way="extend", client_address=client_address)
        verdict = self._judge.judge(work.session, replace(ask, anew=True), wanted, now=now, hold=True)
        if isinstance(verdict.decision, Allow):
            return self._grant(work, wanted, verdict.decision.policies, verdict.consent_id)
        return self._wait(work, wanted, verdict.decision)

    def go_on(self, work: Work, held: Record, wanted: Record) -> Record:
        """Ask the policy again after a yes: grant, wait for what is still lacking, or drop it."""
        try:
            verdict = self._decisions.verdict(work, wanted)
        except Refusal:
            return self.drop(work, held)
        if isinstance(verdict.decision, Allow):
            return self._grant(work, wanted, verdict.decision.policies, verdict.consent_id)
        return self._wait(work, wanted, verdict.decision)

    def drop(self, work: Work, held: Record) -> Record:
        """Forget an extension; the impersonation lives on as long as it was to live."""
        nothing = {"extension_lifetime": None, "extension_digest": None, "extension_until": None}
        return impersonations.change(work.session, held.id, **nothing) or held

    def _wait(self, work: Work, wanted: Record, decision: Decision) -> Record:
        by_approval = isinstance(decision, NeedsApproval)
        seconds = self._limits.approval_seconds if by_approval else self._limits.consent_seconds
        changed = impersonations.change(
            work.session,
            wanted.id,
            extension_lifetime=wanted.lifetime,
            extension_digest=wanted.digest,
            extension_until=self._clock.now() + seconds,
        )
        return self._still_open(changed)

    def _grant(self, work: Work, wanted: Record, policies: tuple[str, ...], consent_id: str | None) -> Record:
        expires_at = (wanted.activated_at or 0) + wanted.lifetime
        try:
            changed = impersonations.change(
                work.session,
                wanted.id,
                lifetime=wanted.lifetime,
                digest=wanted.digest,
                expires_at=expires_at,
                consent_id=consent_id,
                extension_lifetime=None,
                extension_digest=None,
                extension_until=None,
            )
        except UniqueViolation as error:
            raise Conflict("extension.same_as_another") from error
        event = ImpersonationExtended(
            impersonation_id=wanted.id,
            actor=wanted.actor_id,
            subject=wanted.subject_id,
            lifetime=wanted.lifetime,
            expires_at=expires_at,
            digest=wanted.digest,
            policies=policies,
        )
        self._trail.record(work, event)
        return self._still_open(changed)

    def _still_open(self, changed: Record | None) -> Record:
        if changed is None:
            raise Conflict("impersonation.moved")
        return changed
