"""The life of an impersonation: plan, start, decide, end. One state machine, whoever starts it (design section 4)."""

from contextlib import suppress
from dataclasses import replace

from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import Ask, Plan, Started, Verdict
from authserver.impersonation.consent_codes import ConsentCodes
from authserver.impersonation.digest import asked_again, digest
from authserver.impersonation.happenings import activated, ended_event, opened, requested
from authserver.impersonation.insistence import Insistence
from authserver.impersonation.judge import Judge, lacks_consent
from authserver.impersonation.notify.notices import Notices
from authserver.impersonation.policy import Allow, Decision, NeedsApproval, NeedsConsent, NeedsNotice
from authserver.impersonation.redemption import redeem
from authserver.impersonation.states import SOURCES, activate, check_may_be_asked, notice_in
from authserver.impersonation.tickets import Tickets
from authserver.protocol.names import BREAK_GLASS, State
from authserver.protocol.refusals import AccessDenied, Refusal
from authserver.settings import Settings
from authserver.storage import DbSession, governance, impersonations
from authserver.storage.database import UniqueViolation, Work
from authserver.storage.impersonations import Record
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

SYSTEM = "system"
"""Who ends what runs out by itself."""


class Lifecycle:
    """Starts, moves and ends impersonations. It reads and decides first; what it writes is decided again under lock."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        judge: Judge,
        rules: Settings,
        *,
        tickets: Tickets,
        codes: ConsentCodes,
        insistence: Insistence,
        notices: Notices,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Work by `judge` and within `rules`; tell people by `notices`."""
        self._judge = judge
        self._rules = rules
        self._limits = rules.impersonation
        self._tickets = tickets
        self._codes = codes
        self._insistence = insistence
        self._notices = notices
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def plan(self, work: Work, ask: Ask) -> Plan:
        """Decide on an ask without writing; the attempt counts however it ends. Raises the refusal."""
        now = self._clock.now()
        self._judge.count_attempt(work, ask, now=now)
        same = self._same(work.session, ask, now)
        if same is not None:
            return same
        ask, verdict = self._judged(work.session, ask, None, now)
        if ask.code is not None and isinstance(verdict.decision, NeedsConsent):
            raise AccessDenied("support_code.not_enough", policies=verdict.decision.policies)
        fresh = self._fresh_record(ask, verdict, now)
        if ask.consent_way == "code" and lacks_consent(verdict.decision):
            self._codes.check(work.session, fresh.subject_id)
        existing = impersonations.open_of_digest(work.session, fresh.digest)
        if existing is None or existing.overdue(now):
            if _asks_somebody(fresh, ask):
                self._insistence.check(work.session, fresh.actor_id, fresh.subject_id, now=now)
            return Plan(ask=ask, now=now, verdict=verdict, record=fresh, existing=existing)
        return self._plan_existing(work.session, ask, existing, now)

    def plan_again(self, work: Work, ask: Ask, existing: Record) -> Plan:
        """Decide again on an impersonation that was started before: everything is checked anew."""
        return self._plan_existing(work.session, ask, existing, self._clock.now())

    def start(self, work: Work, plan: Plan) -> Started | None:
        """Write a plan and give a new handle; None when what it was decided on has changed meanwhile: plan again."""
        if not self.proceed(work, plan):
            return None
        handle = self._entropy.token()
        handle_hash = self._hasher.hash(SecretKind.HANDLE, handle)
        impersonations.add_handle(work.session, handle_hash, plan.record.id, now=plan.now)
        return Started(record=plan.record, handle=handle)

    def proceed(self, work: Work, plan: Plan) -> bool:
        """Write a plan; False when what it was decided on has changed meanwhile: plan again."""
        work.lock()
        existing = None if plan.existing is None or plan.existing.overdue(plan.now) else plan.existing
        with suppress(Refusal):  # planning again says it, or finds that the same request came first
            verdict = self._judge.judge(work.session, plan.ask, existing, now=plan.now, hold=True)
            if verdict == plan.verdict and self._write(work, plan):
                return True
        work.rollback()
        return False

    def of_handle(self, session: DbSession, handle: str) -> Record | None:
        """Return the impersonation that a handle stands for."""
        return impersonations.of_handle(session, self._hasher.hash(SecretKind.HANDLE, handle))

    def poll(self, work: Work, handle: str) -> bool:
        """Note a poll while nothing is decided; False when it came too fast (RFC 8628 §3.5)."""
        work.lock()
        interval_ms = self._limits.poll_interval * 1000
        handle_hash = self._hasher.hash(SecretKind.HANDLE, handle)
        return impersonations.poll(work.session, handle_hash, now_ms=self._clock.now_ms(), interval_ms=interval_ms)

    def end(self, work: Work, record: Record, *, state: State, by: str, reason: str) -> Record | None:
        """Bring an open impersonation to its end; None when another call was first. Its tokens die with the commit."""
        work.lock()
        ended = impersonations.move(
            work.session,
            record.id,
            sources=SOURCES[state],
            to=state,
            ended_at=self._clock.now(),
            ended_by=by,
            end_reason=reason,
        )
        if ended is not None:
            self._trail.record(work, ended_event(ended))
            self._notices.entered(work, ended)
        return ended

    def end_all(  # noqa: PLR0913 - the filters of what to end
        self,
        work: Work,
        *,
        by: str,
        reason: str,
        person: str | None = None,
        client_id: str | None = None,
        sessions: list[str] | None = None,
    ) -> int:
        """End every open impersonation of a person, a client or some sessions, or simply every one; count them."""
        work.lock()
        found = impersonations.open_of(work.session, person=person, client_id=client_id, sessions=sessions)
        return len(self._end_each(work, found, by=by, reason=reason))

    def end_everything(self, work: Work, *, by: str, reason: str) -> list[Record]:
        """End every open impersonation; return those that this ended."""
        work.lock()
        return self._end_each(work, impersonations.open_of(work.session), by=by, reason=reason)

    def _end_each(self, work: Work, found: list[Record], *, by: str, reason: str) -> list[Record]:
        found.sort(key=lambda record: record.id)  # one order, or two such calls block each other
        ends = [self.end(work, record, state=State.ENDED, by=by, reason=reason) for record in found]
        return [ended for ended in ends if ended is not None]

    def expire(self, work: Work, record: Record) -> Record | None:
        """End what has run out: a pending one expires, an active one ends by its clock."""
        if record.state is State.ACTIVE:
            reason = "clock" if (record.expires_at or 0) <= self._clock.now() else "grace"
            return self.end(work, record, state=State.ENDED, by=SYSTEM, reason=reason)
        return self.end(work, record, state=State.EXPIRED, by=SYSTEM, reason="no_decision")

    def advance(self, work: Work, record: Record, verdict: Verdict) -> Record | None:
        """Move a pending impersonation to where a verdict, now that one more need is met, puts it."""
        now = self._clock.now()
        state, pending_until = self._waiting(verdict.decision, record.consent_way, now)
        if state is record.state:
            return record
        by_code = state is State.AWAITING_CONSENT and record.consent_way == "code"
        if state is State.AWAITING_CONSENT:
            check_may_be_asked(record, now)
        if by_code:
            self._codes.check(work.session, record.subject_id)
        there = activate(record, now) if state is State.ACTIVE else replace(record, pending_until=pending_until)
        moved = impersonations.move(
            work.session,
            record.id,
            sources=SOURCES[state],
            to=state,
            policies=list(verdict.decision.policies),
            consent_id=verdict.consent_id,
            activated_at=there.activated_at,
            expires_at=there.expires_at,
            pending_until=there.pending_until,
            notice=notice_in(state, record.notice),
        )
        if moved is not None:
            if state is State.ACTIVE:
                self._became_active(work, moved)
            if by_code:
                self._codes.issue(work, moved)
            self._notices.entered(work, moved)
        return moved

    def vouched(self, ask: Ask) -> bool:
        """Tell whether the ticket system vouches for the ticket of an ask; it is asked outside any transaction."""
        return self._tickets.vouch_for(ask)

    def patience(self, state: State, consent_way: str) -> int:
        """Return for how many seconds a decision is waited for."""
        if state is State.AWAITING_APPROVAL:
            return self._limits.approval_seconds
        by_message = {"mail": self._rules.consent.mail_seconds, "code": self._rules.consent.code_seconds}
        return by_message.get(consent_way, self._limits.consent_seconds)

    def _judged(self, session: DbSession, ask: Ask, existing: Record | None, now: int) -> tuple[Ask, Verdict]:
        """Judge; where nothing but the ticket system is left to ask, ask it, and judge again when it says no."""
        verdict = self._judge.judge(session, ask, existing, now=now)
        if self._tickets.vouch_for(ask):
            return ask, verdict
        ask = replace(ask, ticket_refused=True)
        return ask, self._judge.judge(session, ask, existing, now=now)

    def _same(self, session: DbSession, ask: Ask, now: int) -> Plan | None:
        """Plan on what the same request opened before, which must not stand in its own way (quota, report owed)."""
        if ask.code is not None:
            return None
        for existing in impersonations.open_between(session, ask.actor.user_id, ask.subject_id):
            if existing.overdue(now) or not asked_again(existing, ask):
                continue
            plan = self._plan_existing(session, ask, existing, now)
            if plan.verdict.scopes == existing.scopes:
                return plan
        return None

    def _plan_existing(self, session: DbSession, ask: Ask, existing: Record, now: int) -> Plan:
        ask, verdict = self._judged(session, ask, existing, now)
        state, pending_until = self._waiting(verdict.decision, existing.consent_way, now)
        if existing.state is State.ACTIVE and state is not State.ACTIVE:
            raise AccessDenied("impersonation.needs_again", policies=verdict.decision.policies)
        record = existing
        if state is not existing.state:
            notice = notice_in(state, existing.notice)
            record = replace(
                existing, state=state, policies=verdict.decision.policies, consent_id=verdict.consent_id, notice=notice
            )
            record = activate(record, now) if state is State.ACTIVE else replace(record, pending_until=pending_until)
        return Plan(ask=ask, now=now, verdict=verdict, record=record, existing=existing)

    def _write(self, work: Work, plan: Plan) -> bool:
        if plan.existing is None:
            return self._add(work, plan)
        held = impersonations.find(work.session, plan.existing.id, hold=True)
        if held != plan.existing:
            return False
        if held.overdue(plan.now):
            self.expire(work, held)
            return self._add(work, plan)
        return self.advance(work, held, plan.verdict) is not None

    def _add(self, work: Work, plan: Plan) -> bool:
        by_code = plan.record.state is State.AWAITING_CONSENT and plan.record.consent_way == "code"
        if by_code:
            self._codes.check(work.session, plan.record.subject_id)
        pair = (plan.record.actor_id, plan.record.subject_id)
        if _asks_somebody(plan.record, plan.ask) and self._insistence.too_soon(work.session, *pair, now=plan.now):
            return False
        try:
            impersonations.add(work.session, plan.record)
        except UniqueViolation:
            return False
        if plan.ask.code is not None and not redeem(
            work, self._trail, plan, plan.ask.code, basis=self._rules.consent.basis
        ):
            return False
        self._trail.record(work, requested(plan, self._judge.policy.digest))
        if by_code:
            self._codes.issue(work, plan.record)
        if plan.active:
            self._became_active(work, plan.record)
        self._notices.entered(work, plan.record)
        return True

    def _became_active(self, work: Work, record: Record) -> None:
        """Do what belongs to the moment from which tokens may be minted."""
        self._trail.record(work, activated(record))
        if record.override is None:
            return
        now = self._clock.now()
        due_at = now + self._rules.break_glass.report_seconds
        governance.owe_report(work.session, record.id, record.actor_id, owed_at=now, due_at=due_at)
        contacts = len(self._rules.notification.security_contacts)
        self._trail.record(work, opened(record, due_at=due_at, contacts=contacts))
        self._notices.enqueue_security_alert(work, record)

    def _fresh_record(self, ask: Ask, verdict: Verdict, now: int) -> Record:
        state, pending_until = self._waiting(verdict.decision, ask.consent_way, now)
        active = state is State.ACTIVE
        record = Record(
            id=self._entropy.identifier("imp"),
            state=state,
            digest="",
            actor_id=ask.actor.user_id,
            actor_session_id=ask.actor.authentication.session_id,
            subject_id=ask.subject_id,
            client_id=ask.client.client_id,
            resources=ask.resources,
            scopes=verdict.scopes,
            asked_scopes=tuple(scope.name for scope in ask.asked),
            mode=ask.mode,
            reason=ask.reason,
            reason_code=ask.reason_code,
            ticket_id=ask.ticket_id,
            lifetime=ask.lifetime,
            client_address=ask.client_address,
            policies=verdict.decision.policies,
            created_ms=self._clock.now_ms(),
            pending_until=pending_until,
            activated_at=now if active else None,
            expires_at=now + ask.lifetime if active else None,
            ended_at=None,
            ended_by=None,
            end_reason=None,
            override=BREAK_GLASS if ask.break_glass else None,
            consent_way=ask.consent_way,
            consent_id=verdict.consent_id if active else None,
            notice=notice_in(state, None),
        )
        return replace(record, digest=digest(record, code_id=None if ask.code is None else ask.code.id))

    def _waiting(self, decision: Decision, consent_way: str, now: int) -> tuple[State, int | None]:
        """Return the state that a decision puts an impersonation in, and until when it may stay pending."""
        match decision:
            case Allow():
                return State.ACTIVE, None
            case NeedsApproval():
                return State.AWAITING_APPROVAL, now + self.patience(State.AWAITING_APPROVAL, consent_way)
            case NeedsConsent():
                return State.AWAITING_CONSENT, now + self.patience(State.AWAITING_CONSENT, consent_way)
            case NeedsNotice():
                gate_seconds = self._notices.gate_seconds
                if gate_seconds is None:
                    raise AccessDenied("notice.no_channel", policies=decision.policies)
                return State.REQUESTED, now + gate_seconds
            case _:
                raise AccessDenied("policy.denied", policies=decision.policies)


def _asks_somebody(record: Record, ask: Ask) -> bool:
    """Tell whether a fresh request has somebody asked; a customer who made a code has asked for it themselves."""
    return record.state is not State.ACTIVE and ask.code is None
