"""Gathers the facts from the database and puts them to the policy: client and actor first, then the target."""

import re
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from authserver.impersonation.approval_proofs import ApprovalProofs
from authserver.impersonation.asks import Ask, Verdict
from authserver.impersonation.policy import (
    Allow,
    ClientFacts,
    Decision,
    Deny,
    Facts,
    NeedsApproval,
    NeedsConsent,
    NeedsNotice,
    NeedsStepUp,
    Person,
    PolicySet,
)
from authserver.impersonation.policy_facts import Approval, Consent, Notice
from authserver.impersonation.policy_files import CONSENT
from authserver.protocol.names import Mode, Population, Role, State
from authserver.protocol.refusals import (
    AccessDenied,
    InsufficientUserAuthentication,
    InvalidEvidence,
    InvalidRequest,
    InvalidScope,
)
from authserver.protocol.scopes import Ceiling, cut
from authserver.settings import Impersonation as Limits
from authserver.storage import (
    DbSession,
    attempts,
    clients,
    governance,
    impersonations,
    people,
    resources,
    support_codes,
)
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import User
from authserver.tokens.secret_hashes import SecretHasher, SecretKind


class Judge:
    """Asks the policy about an ask, on facts that it reads anew each time."""

    def __init__(
        self, policy: PolicySet, limits: Limits, hasher: SecretHasher, proofs: ApprovalProofs, *, time_zone: str = "UTC"
    ) -> None:
        """Judge by `policy`, and approvals by `proofs`; hours and days of the week are those of `time_zone`."""
        self.policy = policy
        self.loaded_at = 0
        """When the policy was taken up, in seconds."""
        self._zone = ZoneInfo(time_zone)
        self._limits = limits
        self._hasher = hasher
        self._proofs = proofs
        self._ticket = re.compile(limits.ticket_pattern)

    def take_up(self, policy: PolicySet, *, now: int) -> None:
        """Judge by another policy from here on."""
        self.policy, self.loaded_at = policy, now

    def target_hash(self, subject_id: str) -> str:
        """Return what an attempted target is counted as; it may be anything a client sent."""
        return self._hasher.hash(SecretKind.TARGET, subject_id)

    def judge(self, session: DbSession, ask: Ask, existing: Record | None, *, now: int, hold: bool = False) -> Verdict:
        """Return yes or what is lacking; raise the refusal for no. `hold` locks what is decided on until the commit."""
        if hold:
            people.hold(session, ask.actor.user_id, ask.subject_id)
            if ask.code is not None:
                people.find_session(session, ask.code.session_id, hold=True)
        facts = self._facts_before_target(session, ask, existing, now=now, hold=hold)
        _refuse(self.policy.decide(facts))
        target = people.find(session, ask.subject_id)
        if target is None:
            raise AccessDenied("target.unknown")
        consent, consent_id = self._consent(session, ask, existing, now=now, hold=hold)
        scopes = self._scopes(session, ask, target)
        approval = self._approval(session, existing)
        facts = replace(facts, target=person(target), scopes=frozenset(scopes), consent=consent, approval=approval)
        decision = self.policy.decide(replace(facts, notice=_notice(existing, now)))
        _refuse(decision)
        if not scopes:
            raise InvalidScope("scope.nothing_left")
        return Verdict(decision=decision, scopes=scopes, consent_id=consent_id)

    def count_attempt(self, work: Work, ask: Ask, *, now: int) -> None:
        """Have an attempt counted with the commit, however it ends."""
        actor_id, target_hash = ask.actor.user_id, self.target_hash(ask.subject_id)
        work.before_commit(lambda: attempts.note(work.session, actor_id, target_hash, now=now))

    def before_target(self, session: DbSession, ask: Ask, actor: User, *, now: int) -> Facts:
        """Return the facts on which is decided whether a person may ask at all."""
        return self._facts(session, ask, actor, ask.client, None, now=now)

    def suppose(self, session: DbSession, ask: Ask, actor: User, target: User, *, now: int) -> Facts:
        """Return the facts that a start would be decided on, whether or not there is a session behind it."""
        facts = self._facts(session, ask, actor, ask.client, None, now=now)
        consent, _ = self._consent(session, ask, None, now=now, hold=False)
        scopes = frozenset(self._scopes(session, ask, target))
        return replace(facts, target=person(target), scopes=scopes, consent=consent)

    def bars(self, facts: Facts, target: User) -> bool:
        """Tell whether a target is out of the reach of the actor of these facts, whoever else says yes."""
        return self.policy.bars(replace(facts, target=person(target)))

    def conceivable(self, customer: User, mode: str) -> bool:
        """Tell whether any agent or lead might be allowed this mode for a customer, all else being well.

        It is not, when for each of them something refuses it that does not refuse `read_only`.
        """
        return any(
            self._refusals(customer, role, mode) <= self._refusals(customer, role, Mode.READ_ONLY)
            for role in (Role.SUPPORT, Role.LEAD)
        )

    def _refusals(self, customer: User, role: Role, mode: str) -> frozenset[str]:
        """Return what refuses a mode to somebody of this role in good circumstances; empty when nothing does."""
        decision = self.policy.decide(supposed(person(customer), role, mode))
        return frozenset(decision.policies) if isinstance(decision, Deny) else frozenset()

    def _facts_before_target(
        self, session: DbSession, ask: Ask, existing: Record | None, *, now: int, hold: bool
    ) -> Facts:
        actor = people.find(session, ask.actor.user_id)
        _check_session(session, ask, now=now, hold=hold)
        client = clients.find(session, ask.client.client_id, hold=hold)
        if client is None or actor is None:
            raise AccessDenied("actor.unknown")
        return self._facts(session, ask, actor, client, existing, now=now)

    def _facts(  # noqa: PLR0913 - everything that is asked about
        self, session: DbSession, ask: Ask, actor: User, client: RegisteredClient, existing: Record | None, *, now: int
    ) -> Facts:
        authentication = ask.actor.authentication
        tried = attempts.count(
            session,
            actor.id,
            but=self.target_hash(ask.subject_id),
            since=now - self._limits.quota_window_seconds,
        )
        moment = datetime.fromtimestamp(now, self._zone)
        return Facts(
            actor=person(actor),
            client=ClientFacts(id=client.client_id, enabled=client.enabled),
            target=None,
            mode=ask.mode,
            reason=ask.reason,
            reason_code=ask.reason_code,
            reason_code_known=ask.reason_code in self._limits.reason_codes,
            ticket_id=ask.ticket_id,
            ticket_valid=not ask.ticket_refused and self._ticket.fullmatch(ask.ticket_id) is not None,
            client_address=ask.client_address,
            session_address=authentication.address,
            hour=moment.hour,
            weekday=moment.isoweekday(),
            acr=authentication.acr,
            auth_age=self._auth_age(authentication.auth_time, None if ask.anew else existing, now),
            distinct_customers=tried + 1,
            active_impersonations=attempts.active(
                session, actor.id, but="" if existing is None else existing.id, now=now
            ),
            lifetime=ask.lifetime,
            resources=frozenset(ask.resources),
            scopes=frozenset(scope.name for scope in ask.asked),
            consent="none",
            approval="none",
            break_glass=ask.break_glass,
            report_owed=ask.break_glass
            and governance.report_owed(session, actor.id, but="" if existing is None else existing.id),
        )

    def _auth_age(self, auth_time: int, existing: Record | None, now: int) -> int:
        """Return how old the sign-in was when this was asked for: nobody is asked twice in one call.

        A proof of the last minutes counts as made just now, however little time a policy leaves.
        """
        asked_at = now if existing is None else existing.created_ms // 1000
        age = max(0, asked_at - auth_time)
        return 0 if age <= self._limits.fresh_proof_seconds else age

    def _scopes(self, session: DbSession, ask: Ask, target: User) -> tuple[str, ...]:
        ceiling = Ceiling(
            client=ask.client.scopes,
            target=resources.scopes_of_roles(session, target.roles),
            read_only=ask.mode == Mode.READ_ONLY,
        )
        return cut(ask.asked, ceiling)

    def _consent(
        self, session: DbSession, ask: Ask, existing: Record | None, *, now: int, hold: bool
    ) -> tuple[Consent, str | None]:
        if ask.code is not None:
            if not support_codes.living(session, ask.code.id, now=now):
                raise InvalidEvidence("support_code.dead")
            return "support_code", ask.code.consent_id
        if existing is not None:
            given = impersonations.consent_of(session, existing.id)
            if given and given.decision == "approve" and _covers(given.digest, existing) and not given.withdrawn_at:
                return "support_code" if given.kind == "support_code" else "given", given.id
        standing = impersonations.standing_consent(session, ask.subject_id, now=now, hold=hold)
        return ("none", None) if standing is None else ("standing", standing.id)

    def _approval(self, session: DbSession, existing: Record | None) -> Approval:
        row = None if existing is None else impersonations.approval_of(session, existing.id)
        if existing is None or row is None or row.withdrawn_at is not None:
            return "none"
        approver = people.find(session, row.approver_id)
        if approver is None or not approver.enabled or Role.LEAD not in approver.roles:
            return "none"
        covered = row.decision == "approve" and _covers(row.digest, existing)
        return "given" if covered and self._proofs.stand(session, row) else "none"


def _covers(digest: str | None, record: Record) -> bool:
    """Tell whether what was decided on a digest holds for a record.

    It does for the one it is bound to, and for the same with a shorter life: who agreed to an extension that is still
    undecided, or came to nothing, agreed to what there is.
    """
    longer = record.extension_lifetime is not None and record.extension_lifetime >= record.lifetime
    return digest is not None and (digest == record.digest or (longer and digest == record.extension_digest))


def person(row: User) -> Person:
    """Return a person as the policy knows them."""
    return Person(
        id=row.id,
        roles=frozenset(row.roles),
        groups=frozenset(row.groups),
        tier=row.tier,
        country=row.country,
        population=row.population,
        enabled=row.enabled,
        conflicts=frozenset(row.conflicts),
    )


def supposed(target: Person, role: Role, mode: str) -> Facts:
    """Return the facts of somebody of this role who acts for a customer as well as it can be done."""
    acting = frozenset({role})
    return Facts(
        actor=Person(
            id="", roles=acting, groups=frozenset(), tier="", country=target.country,
            population=Population.STAFF, enabled=True, conflicts=frozenset(),
        ),
        client=ClientFacts(id="", enabled=True), target=target, mode=mode, reason="supposed", reason_code="",
        reason_code_known=False, ticket_id="supposed", ticket_valid=True, client_address="127.0.0.1",
        session_address="127.0.0.1", hour=12, weekday=1, acr="phr", auth_age=0, distinct_customers=1,
        active_impersonations=0, lifetime=1, resources=frozenset(), scopes=frozenset(), consent="support_code",
        approval="given", break_glass=False, report_owed=False,
    )  # fmt: skip


def _check_session(session: DbSession, ask: Ask, *, now: int, hold: bool) -> None:
    row = people.find_session(session, ask.actor.authentication.session_id, hold=hold)
    if row is None or row.ended_at is not None or now >= row.expires_at:
        raise AccessDenied("session.ended")


def _notice(existing: Record | None, now: int) -> Notice:
    """Tell where the notice stands that may have to come first."""
    if existing is None:
        return "none"
    withheld_until = existing.notice_withheld_until
    if withheld_until is not None and (existing.state is State.ACTIVE or now < withheld_until):
        return "withheld"
    return "accepted" if existing.notice == "accepted" else "none"


def _refuse(decision: Decision) -> None:
    """Raise the refusal that a decision is; a yes, and what can still be met by others, passes."""
    match decision:
        case Deny(refusal="invalid_request", policies=policies):
            raise InvalidRequest(
                f"policy:{','.join(policies)}", "The reason, its code or the ticket is not as required."
            )
        case Deny(policies=policies):
            raise AccessDenied("policy.denied", policies=policies)
        case NeedsStepUp(acr_values=acr_values, max_age=max_age):
            raise InsufficientUserAuthentication("policy.step_up", extra={"acr_values": acr_values, "max_age": max_age})
        case _:
            pass


def allowed(verdict: Verdict) -> bool:
    """Tell whether nothing is lacking any more."""
    return isinstance(verdict.decision, Allow)


def lacks_consent(decision: Decision) -> bool:
    """Tell whether the customer will have to be asked, be it first or after an approval."""
    return isinstance(decision, NeedsConsent) or (
        isinstance(decision, NeedsApproval | NeedsNotice) and CONSENT in decision.also
    )
