"""The decision: facts in, one of six answers out, and the policies that decided.

The policy is Cedar text (`config/policy/`). Two actions are decided in this order: `request`, whether this person may
ask at all through this client, and `impersonate`, whether they may act for that target. What Cedar cannot say, that
something is still lacking for a yes, is an `@outcome` on a forbid.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cedarpy

from authserver.impersonation.policy_answers import (
    Allow,
    Decision,
    Deny,
    NeedsApproval,
    NeedsConsent,
    NeedsNotice,
    NeedsStepUp,
    explain,
)
from authserver.impersonation.policy_facts import (
    CedarQuestion,
    ClientFacts,
    Facts,
    Person,
    ask_impersonate,
    ask_request,
)
from authserver.impersonation.policy_files import (
    APPROVAL,
    CONSENT,
    NOTICE,
    SCHEMA_FILE,
    STEP_UP,
    PolicyError,
    PolicyText,
    Rule,
    read_folder,
)

__all__ = [
    "Allow",
    "ClientFacts",
    "Decision",
    "Deny",
    "Facts",
    "NeedsApproval",
    "NeedsConsent",
    "NeedsNotice",
    "NeedsStepUp",
    "Person",
    "PolicyError",
    "PolicySet",
    "Rule",
    "explain",
]

_REMEMBERED = 1024
NOT_EVALUATED = "policy.error"
NOTHING_PERMITS = "policy.nothing-permits"
UNSAID = "The policy does not allow this."
"""What is told of a refusal that has no words of its own, or none that may be told."""

_POLICY_IN_ERROR = re.compile(r"while evaluating policy `([^`]+)`")


class PolicySet:
    """A parsed and checked policy; immutable, to be shared by threads."""

    def __init__(self, text: PolicyText) -> None:
        """Take what `read_folder` read."""
        self._text = text
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._decide)

    @classmethod
    def load(cls, folder: Path) -> "PolicySet":
        """Read, parse and check a folder; raises PolicyError, which names file, line and reason."""
        text = read_folder(folder)
        _check_schema_fits(folder / SCHEMA_FILE, text.schema)
        return cls(text)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the schema and all policy texts with their file names."""
        return self._text.digest

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every policy in the order of the files."""
        return tuple(self._text.rules.values())

    @property
    def files(self) -> Mapping[str, str]:
        """The text of every file by its name, as it was read."""
        return self._text.files

    def decide(self, facts: Facts) -> Decision:
        """Decide, or remember: a decision is a pure function of the facts (and is asked for twice, under lock too)."""
        return self._remembered(facts)

    def bars(self, facts: Facts) -> bool:
        """Tell whether the target is out of this actor's reach, whoever approves, consents or is told first."""
        met = replace(facts, approval="given", consent="support_code", notice="accepted")
        try:
            return isinstance(self._ask(_question("impersonate", met)), Deny)
        except (ValueError, TypeError, OverflowError):
            return True

    def says(self, decision: Decision) -> tuple[str, ...]:
        """Return what the actor is told of a decision in the policy's plain words; nothing of what a target is."""
        if isinstance(decision, Allow):
            return ()
        rules = (self._text.rules.get(name) for name in decision.policies)
        said = tuple(dict.fromkeys(rule.says for rule in rules if rule is not None and rule.says))
        return said or ((UNSAID,) if isinstance(decision, Deny) else ())

    def _decide(self, facts: Facts) -> Decision:
        """Decide; without a target only whether the actor may ask at all.

        A forbid that names a need hides whether anything permits. So the facts are judged again as if every need found
        so far were met, until that gives a plain yes or no, or a need that stays whatever is supposed (which is a no).
        """
        unmet: tuple[Rule, ...] = ()
        supposed: Facts | None = facts
        while supposed is not None:
            verdict = self._judge(supposed)
            if isinstance(verdict, Deny):
                return verdict
            if isinstance(verdict, Allow):
                return _needs(unmet) if unmet else verdict
            fresh = tuple(rule for rule in verdict if rule not in unmet)
            unmet += fresh
            supposed = _as_if_met(facts, unmet) if fresh else None
        return _deny(unmet)

    def _judge(self, facts: Facts) -> Allow | Deny | tuple[Rule, ...]:
        """Decide both actions on the facts as they are; gives the needs when nothing but they stand in the way."""
        deciding: dict[str, Rule] = {}
        for action in ("request", "impersonate"):
            try:
                verdict = self._ask(_question(action, facts))
            except (ValueError, TypeError, OverflowError) as error:
                return _not_evaluated(f"the facts cannot be evaluated ({type(error).__name__})")
            if isinstance(verdict, Deny):
                return verdict
            deciding |= {rule.id: rule for rule in verdict}
        needs = tuple(rule for rule in deciding.values() if rule.outcome)
        return needs or Allow(policies=tuple(deciding))

    def _ask(self, question: CedarQuestion | None) -> Deny | tuple[Rule, ...]:
        """Ask Cedar once; gives the permits, or the needs, that decided."""
        if question is None:
            return ()
        text = self._text
        answer = cedarpy.is_authorized(question.request, text.policies, question.entities, text.schema)
        errors = answer.diagnostics.errors
        if errors or answer.decision is cedarpy.Decision.NoDecision:
            return _not_evaluated(*_errors_in_words(errors))
        deciding = {str(reason) for reason in answer.diagnostics.reasons}
        rules = tuple(rule for name, rule in text.rules.items() if name in deciding)
        if len(rules) != len(deciding):
            return _not_evaluated("an unknown policy decided")
        if not rules:
            return Deny(policies=(NOTHING_PERMITS,), why=("nothing permits it",))
        if answer.allowed != all(rule.effect == "permit" for rule in rules):
            return _not_evaluated("the answer and its reasons disagree")
        plain = tuple(rule for rule in rules if rule.effect == "forbid" and not rule.outcome)
        return _deny(plain) if plain else rules


def _question(action: str, facts: Facts) -> CedarQuestion | None:
    if action == "request":
        return ask_request(facts)
    return ask_impersonate(facts, facts.target) if facts.target else None


def _not_evaluated(*why: str) -> Deny:
    """Refuse when anything could not be evaluated: Cedar passes over a policy that fails, even a forbid."""
    return Deny(policies=(NOT_EVALUATED,), why=why)


def _errors_in_words(errors: list[str]) -> tuple[str, ...]:
    """Name the policies that failed; Cedar's own text may quote the facts and is left out."""
    failed = (_POLICY_IN_ERROR.search(error) for error in errors)
    words = {f"the policy {found[1]} could not be evaluated" for found in failed if found}
    return tuple(sorted(words)) or ("the facts do not fit the schema",)


def _deny(rules: tuple[Rule, ...]) -> Deny:
    lacking = all(rule.refusal == "invalid_request" for rule in rules)
    return Deny(
        policies=tuple(rule.id for rule in rules),
        refusal="invalid_request" if lacking else "access_denied",
        why=_whys(rules),
    )


def _needs(unmet: tuple[Rule, ...]) -> NeedsConsent | NeedsApproval | NeedsNotice | NeedsStepUp:
    """Ask for what the policy data put first; the rest is named in `also`, in its order."""
    in_order = sorted(unmet, key=lambda rule: rule.order)
    outcomes = tuple(dict.fromkeys(rule.outcome for rule in in_order))
    first = tuple(rule for rule in in_order if rule.outcome == outcomes[0])
    policies, why, also = tuple(rule.id for rule in first), _whys(first), outcomes[1:]
    if outcomes[0] == STEP_UP:
        acr_values, max_age = _step_up(first)
        return NeedsStepUp(policies=policies, acr_values=" ".join(acr_values), max_age=max_age, why=why, also=also)
    if outcomes[0] == APPROVAL:
        return NeedsApproval(policies=policies, why=why, also=also)
    if outcomes[0] == NOTICE:
        return NeedsNotice(policies=policies, why=why, also=also)
    return NeedsConsent(policies=policies, why=why, also=also)


def _as_if_met(facts: Facts, unmet: tuple[Rule, ...]) -> Facts | None:
    """Suppose that every need were met; None when no sign-in could meet all of them."""
    outcomes = {rule.outcome for rule in unmet}
    supposed = replace(
        facts,
        approval="given" if APPROVAL in outcomes else facts.approval,
        consent="given" if CONSENT in outcomes else facts.consent,
        notice="accepted" if NOTICE in outcomes else facts.notice,
    )
    if STEP_UP not in outcomes:
        return supposed
    acr_values, _ = _step_up(tuple(rule for rule in unmet if rule.outcome == STEP_UP))
    if not acr_values:
        return None
    return replace(supposed, auth_age=0, acr=facts.acr if facts.acr in acr_values else acr_values[0])


def _step_up(rules: tuple[Rule, ...]) -> tuple[tuple[str, ...], int]:
    """Give the acr values that all of these accept, best liked first, and the shortest age in seconds."""
    common = set.intersection(*(set(rule.acr_values) for rule in rules))
    return tuple(value for value in rules[0].acr_values if value in common), min(r.max_age for r in rules)


def _whys(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    return tuple(rule.why for rule in rules if rule.why)


def _check_schema_fits(file: Path, schema: cedarpy.Schema) -> None:
    """Refuse a schema that does not describe the facts: with it every decision would be an error."""
    nobody = Person(
        id="", roles=frozenset(), groups=frozenset(), tier="", country="", population="", enabled=False,
        conflicts=frozenset(),
    )  # fmt: skip
    facts = Facts(
        actor=nobody, client=ClientFacts(id="", enabled=False), target=nobody, mode="", reason="", reason_code="",
        reason_code_known=False, ticket_id="", ticket_valid=False, client_address="::1", session_address="::1",
        hour=0, weekday=1, acr="", auth_age=0, distinct_customers=0, active_impersonations=0, lifetime=0,
        resources=frozenset(), scopes=frozenset(), consent="none", approval="none", break_glass=False,
        report_owed=False,
    )  # fmt: skip
    for question in (ask_request(facts), ask_impersonate(facts, nobody)):
        errors = cedarpy.is_authorized(question.request, "", question.entities, schema).diagnostics.errors
        if errors:
            raise PolicyError(file, 1, f"does not describe the facts: {errors[0]}")
