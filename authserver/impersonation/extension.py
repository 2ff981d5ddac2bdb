"""A longer life for what is active: everything is asked again, under a total cap (design section 4)."""

from dataclasses import replace

from authserver.audit.chain import Trail
from authserver.audit.events.impersonations import ExtensionAsked, ImpersonationExtended
from authserver.clock import Clock
from authserver.impersonation.asks import ActingPerson, Ask, Verdict, ask_again
from authserver.impersonation.consent_codes import ConsentCodes
from authserver.impersonation.decisions import Decider, Decisions, extended
from authserver.impersonation.digest import digest
from authserver.impersonation.insistence import Insistence
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.notify.notices import Notices
from authserver.impersonation.policy import Allow, NeedsApproval, NeedsConsent
from authserver.impersonation.states import check_may_be_asked
from authserver.protocol.names import State
from authserver.protocol.refusals import AccessDenied, Conflict, Refusal
from authserver.settings import Impersonation as Limits
from authserver.storage import DbSession, clients, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record


class Extension:
    """Extends impersonations. While a decision is awaited, the impersonation goes on within its present life."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        decisions: Decisions,
        judge: Judge,
        lifecycle: Lifecycle,
        limits: Limits,
        *,
        codes: ConsentCodes,
        insistence: Insistence,
        notices: Notices,
        trail: Trail,
        clock: Clock,
    ) -> None:
        """Work by `judge` and within `limits`."""
        self._decisions = decisions
        self._judge = judge
        self._lifecycle = lifecycle
        self._limits = limits
        self._codes = codes
        self._insistence = insistence
        self._notices = notices
        self._trail = trail
        self._clock = clock

    def ask(self, work: Work, record: Record, actor: ActingPerson, *, expires_in: int, client_address: str) -> Record:
        """Ask to live for `expires_in` seconds from now; longer than the limits is shortened to them.

        What waits already goes on waiting; anything else is not asked beside it, for somebody may be reading it now.
        """
        vouched = self._lifecycle.vouched(self._ask(work.session, record, actor, client_address))
        decider = Decider(user_id=actor.user_id, session_id=actor.authentication.session_id)
        held = self._decisions.hold(work, record, decider)
        if held.state is not State.ACTIVE or held.activated_at is None:
            raise Conflict("extension.not_active")
        now = self._clock.now()
        lifetime = now - held.activated_at + min(expires_in, self._limits.expires_in)
        lifetime = min(lifetime, self._limits.total_seconds)
        if lifetime <= held.lifetime:
            raise Conflict("extension.nothing_more")
        wanted = extended(held, lifetime, "")
        wanted = replace(wanted, digest=digest(wanted))
        ask = self._ask(work.session, wanted, actor, client_address)
        ask = replace(ask, anew=True, ticket_refused=not vouched)
        verdict = self._judge.judge(work.session, ask, wanted, now=now, hold=True)
        pending = self._decisions.extending(held)
        if pending is not None and not isinstance(verdict.decision, Allow):
            if pending.digest != wanted.digest:
                raise Conflict("extension.another_waits")
            return held
        self._check(work.session, wanted, verdict)
        if not isinstance(verdict.decision, Allow):
            self._insistence.check_extension(work.session, held, now=now)
        return self._move(work, self.drop(work, held), wanted, verdict, asked=True)

    def go_on(self, work: Work, held: Record, wanted: Record) -> Record:
        """Ask the policy again after a yes: grant, wait for what is still lacking, or drop it."""
        try:
            verdict = self._decisions.verdict(work.session, wanted, hold=True)
            self._check(work.session, wanted, verdict)
        except Refusal:
            return self.drop(work, held)
        return self._move(work, held, wanted, verdict)

    def drop(self, work: Work, held: Record) -> Record:
        """Forget an extension; the impersonation lives on as long as it was to live.

        Whoever said yes to the longer life said yes to the shorter one: their decision is bound to it again.
        """
        if held.extension_digest is None:
            return held
        impersonations.bind_again(work.session, held.id, before=held.extension_digest, digest=held.digest)
        nothing = {"extension_lifetime": None, "extension_digest": None, "extension_until": None}
        return impersonations.change(work.session, held.id, **nothing) or held

    def _ask(self, session: DbSession, record: Record, actor: ActingPerson, client_address: str) -> Ask:
        client = clients.find(session, record.client_id)
        if client is None:
            raise AccessDenied("actor.unknown")
        return ask_again(session, record, actor, client, way="extend", client_address=client_address)

    def _check(self, session: DbSession, wanted: Record, verdict: Verdict) -> None:
        """Raise the refusal of what cannot be, before anything is written."""
        other = impersonations.open_of_digest(session, wanted.digest)
        if other is not None and other.id != wanted.id:
            raise Conflict("extension.same_as_another")
        if not isinstance(verdict.decision, Allow | NeedsApproval | NeedsConsent):
            raise AccessDenied("extension.not_possible", policies=verdict.decision.policies)
        if isinstance(verdict.decision, NeedsConsent):
            check_may_be_asked(wanted, self._clock.now())
        if isinstance(verdict.decision, NeedsConsent) and wanted.consent_way == "code":
            self._codes.check(session, wanted.subject_id)

    def _move(self, work: Work, held: Record, wanted: Record, verdict: Verdict, *, asked: bool = False) -> Record:
        if isinstance(verdict.decision, Allow):
            return self._grant(work, wanted, verdict)
        by_customer = isinstance(verdict.decision, NeedsConsent)
        state = State.AWAITING_CONSENT if by_customer else State.AWAITING_APPROVAL
        seconds = self._lifecycle.patience(state, held.consent_way)
        changed = impersonations.change(
            work.session,
            wanted.id,
            extension_lifetime=wanted.lifetime,
            extension_digest=wanted.digest,
            extension_until=self._clock.now() + seconds,
        )
        waiting = _still_open(changed)
        if asked:
            self._trail.record(work, _asked(wanted, state))
        self._notices.extending(work, waiting, state)
        if by_customer and wanted.consent_way == "code":
            self._codes.issue(work, wanted)
        return waiting

    def _grant(self, work: Work, wanted: Record, verdict: Verdict) -> Record:
        expires_at = (wanted.activated_at or 0) + wanted.lifetime
        changed = impersonations.change(
            work.session,
            wanted.id,
            lifetime=wanted.lifetime,
            digest=wanted.digest,
            expires_at=expires_at,
            consent_id=verdict.consent_id,
            extension_lifetime=None,
            extension_digest=None,
            extension_until=None,
        )
        event = ImpersonationExtended(
            impersonation_id=wanted.id,
            actor=wanted.actor_id,
            subject=wanted.subject_id,
            lifetime=wanted.lifetime,
            expires_at=expires_at,
            digest=wanted.digest,
            policies=verdict.decision.policies,
        )
        self._trail.record(work, event)
        return _still_open(changed)


def _asked(wanted: Record, state: State) -> ExtensionAsked:
    return ExtensionAsked(
        impersonation_id=wanted.id,
        actor=wanted.actor_id,
        subject=wanted.subject_id,
        lifetime=wanted.lifetime,
        digest=wanted.digest,
        state=state,
    )


def _still_open(changed: Record | None) -> Record:
    if changed is None:
        raise Conflict("impersonation.moved")
    return changed
