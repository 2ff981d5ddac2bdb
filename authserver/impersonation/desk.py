"""What an agent may do, told before they ask: nothing is started, and the policy's own words say why not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from authserver.audit.chain import Trail
from authserver.audit.events.readings import CustomerPreviewed
from authserver.clock import Clock
from authserver.impersonation.asks import Ask
from authserver.impersonation.judge import Judge
from authserver.impersonation.policy import (
    Allow,
    Decision,
    Deny,
    Facts,
    NeedsApproval,
    NeedsConsent,
    NeedsNotice,
    NeedsStepUp,
)
from authserver.impersonation.policy_files import APPROVAL, CONSENT, NOTICE, STEP_UP
from authserver.protocol.names import Mode, is_user_id
from authserver.protocol.refusals import AccessDenied, InsufficientUserAuthentication
from authserver.settings import Impersonation as Limits
from authserver.storage import DbSession, customers, people
from authserver.storage.database import Work
from authserver.storage.tables import User

_BATCH, _BATCHES = 32, 8
_FEWEST_CHARS = 2
_NAMES: dict[type, str] = {
    Allow: "allow",
    Deny: "deny",
    NeedsStepUp: STEP_UP,
    NeedsApproval: APPROVAL,
    NeedsConsent: CONSENT,
    NeedsNotice: NOTICE,
}
_NOTHING_LEFT = "Nothing of what is asked for can be opened so."


class MayNotOpen(AccessDenied):
    """The actor may open nobody as things stand; `says` tells them why, the same for every customer."""

    words = "You cannot open any customer now."

    def __init__(self, reason: str, *, policies: tuple[str, ...], says: tuple[str, ...]) -> None:
        """Deny by `policies`, whose words are `says`."""
        super().__init__(reason, policies=policies)
        self.extra = {"says": list(says)}


class CannotBeOpened(AccessDenied):
    """A customer who is unknown, disabled, privileged or out of reach: all are answered alike."""

    words = "This customer cannot be opened."


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What somebody may ask for, and what an ask has to have, in good circumstances."""

    modes: tuple[Mode, ...]
    reason_required: bool
    reason_code_required: bool
    ticket_required: bool
    break_glass: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What asking in one mode would come to; `needs` are what is lacking, in the order in which it is asked."""

    mode: Mode
    outcome: str
    needs: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    acr_values: str | None = None
    max_age: int | None = None


class Desk:
    """Asks the policy what an agent may do. A reason, its code and a ticket that are not named are supposed good."""

    def __init__(self, judge: Judge, limits: Limits, trail: Trail, clock: Clock) -> None:
        """Ask `judge`, on the facts of this moment."""
        self._judge = judge
        self._limits = limits
        self._trail = trail
        self._clock = clock

    def abilities(self, session: DbSession, ask: Ask) -> Abilities:
        """Tell what the actor may ask for; what refuses it however they ask is left to the preview."""
        facts = self._of_actor(session, ask)
        refused = {mode: self._refusals(replace(facts, mode=mode)) for mode in Mode}
        always = frozenset[str].intersection(*refused.values())
        modes = tuple(mode for mode in Mode if refused[mode] <= always)
        asked = replace(facts, mode=modes[0] if modes else Mode.READ_ONLY)
        usual = self._refusals(asked)
        return Abilities(
            modes=modes,
            reason_required=not self._refusals(replace(asked, reason="")) <= usual,
            reason_code_required=not self._refusals(replace(asked, reason_code="", reason_code_known=False)) <= usual,
            ticket_required=not self._refusals(replace(asked, ticket_id="", ticket_valid=False)) <= usual,
            break_glass=bool(modes) and self._refusals(replace(asked, break_glass=True)) <= usual,
        )

    def search(self, session: DbSession, ask: Ask, text: str, *, limit: int) -> list[User]:
        """Return customers whom the actor could open: nobody else is found. Raises the refusal of who may open none."""
        facts = self._of_actor(session, ask)
        possible = self._possible(facts)
        if all(isinstance(decision, NeedsStepUp) for decision in possible.values()):
            needed = next(decision for decision in possible.values() if isinstance(decision, NeedsStepUp))
            extra = {"acr_values": needed.acr_values, "max_age": needed.max_age}
            raise InsufficientUserAuthentication("policy.step_up", extra=extra)
        found: list[User] = []
        for user in _candidates(session, text):
            if not self._barred(facts, possible, user):
                found.append(user)
            if len(found) == limit:
                break
        return found

    def preview(self, work: Work, ask: Ask, modes: Iterable[Mode]) -> tuple[User, list[Outcome]]:
        """Return a customer, and what asking to act as them would come to. The attempt counts as an exchange's does.

        Raises the refusal, one for all who cannot be opened.
        """
        session = work.session
        self._judge.count_attempt(work, ask, now=self._clock.now())
        facts = self._of_actor(session, ask)
        possible = self._possible(facts)
        customer = people.find(session, ask.subject_id) if is_user_id(ask.subject_id) else None
        if customer is None:
            raise CannotBeOpened("target.unknown")
        if self._barred(facts, possible, customer):
            raise CannotBeOpened("policy.denied", policies=self._policies(session, ask, customer))
        outcomes = [self._outcome(session, replace(ask, mode=mode), customer) for mode in modes]
        event = CustomerPreviewed(
            actor=ask.actor.user_id,
            subject=customer.id,
            client_id=ask.client.client_id,
            outcomes={each.mode: each.outcome for each in outcomes},
        )
        self._trail.record(work, event)
        return customer, outcomes

    def _outcome(self, session: DbSession, ask: Ask, customer: User) -> Outcome:
        facts = self._about(session, ask, customer)
        decision, mode = self._judge.policy.decide(facts), Mode(ask.mode)
        says = self._judge.policy.says(decision)
        needs = () if isinstance(decision, Allow | Deny) else (_NAMES[type(decision)], *decision.also)
        if not isinstance(decision, Deny) and not facts.scopes:
            return Outcome(mode=mode, outcome="deny", says=(_NOTHING_LEFT,))
        outcome = Outcome(mode=mode, outcome=_NAMES[type(decision)], needs=needs, says=says)
        if isinstance(decision, NeedsStepUp):
            outcome = replace(outcome, acr_values=decision.acr_values, max_age=decision.max_age)
        return outcome

    def _policies(self, session: DbSession, ask: Ask, customer: User) -> tuple[str, ...]:
        """Return what refuses a customer, for the trail alone."""
        return self._judge.policy.decide(self._about(session, ask, customer)).policies

    def _about(self, session: DbSession, ask: Ask, customer: User) -> Facts:
        actor = self._actor(session, ask)
        return self._well_asked(ask, self._judge.suppose(session, ask, actor, customer, now=self._clock.now()))

    def _of_actor(self, session: DbSession, ask: Ask) -> Facts:
        """Return the facts about who asks, for an ask that is as it should be."""
        facts = self._judge.before_target(session, ask, self._actor(session, ask), now=self._clock.now())
        return self._well_asked(replace(ask, reason_code="", ticket_id=""), facts)

    @staticmethod
    def _actor(session: DbSession, ask: Ask) -> User:
        actor = people.find(session, ask.actor.user_id)
        if actor is None:
            raise AccessDenied("actor.unknown")
        return actor

    def _well_asked(self, ask: Ask, facts: Facts) -> Facts:
        facts = replace(facts, reason="supposed")
        if not ask.reason_code and self._limits.reason_codes:
            facts = replace(facts, reason_code=self._limits.reason_codes[0], reason_code_known=True)
        if not ask.ticket_id:
            facts = replace(facts, ticket_id="supposed", ticket_valid=True)
        return facts

    def _barred(self, facts: Facts, modes: Iterable[Mode], customer: User) -> bool:
        """Tell whether a customer is out of the actor's reach in all of these modes."""
        return all(self._judge.bars(replace(facts, mode=mode), customer) for mode in modes)

    def _refusals(self, facts: Facts) -> frozenset[str]:
        """Return what refuses an ask, empty when nothing does or something is merely lacking."""
        decision = self._judge.policy.decide(facts)
        return frozenset(decision.policies) if isinstance(decision, Deny) else frozenset()

    def _possible(self, facts: Facts) -> dict[Mode, Decision]:
        """Return the modes that the actor may ask for; where there is none, refuse before any customer is read."""
        decisions = {mode: self._judge.policy.decide(replace(facts, mode=mode)) for mode in Mode}
        denials = [decision for decision in decisions.values() if isinstance(decision, Deny)]
        if len(denials) == len(decisions):
            least = min(denials, key=lambda denial: len(denial.policies))
            says = self._judge.policy.says(least)
            raise MayNotOpen("policy.denied", policies=least.policies, says=says)
        return {mode: decision for mode, decision in decisions.items() if not isinstance(decision, Deny)}


def _candidates(session: DbSession, text: str) -> Iterator[User]:
    """Give the enabled customers whom a text may mean, the likeliest first."""
    words = text.split()
    exact = customers.named_exactly(session, text)
    yield from exact
    if max(map(len, words), default=0) < _FEWEST_CHARS:
        return
    known = {user.id for user in exact}
    for number in range(_BATCHES):
        batch = customers.like(session, words, offset=number * _BATCH, limit=_BATCH)
        yield from (user for user in batch if user.id not in known)
        if len(batch) < _BATCH:
            return
