"""`/api/v1/policy`: the policy in force, and what it decides on a case of one's own."""

from collections.abc import Iterable
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas_configuration import OnDiskOut, PolicyFileOut, PolicyOut, RuleOut, TriedOut, TryBody
from authserver.api.shapes import moment
from authserver.impersonation.policy import Decision, PolicyError, PolicySet, Rule, explain
from authserver.impersonation.policy_cases import OUTCOMES, facts_of, outcome
from authserver.protocol.refusals import InvalidRequest
from authserver.settings import Policy

Answer = tuple[dict[str, Any], int]
SAYS = "says"
"""The annotation with which a policy speaks to people."""


def add_policy(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/policy", responses={200: PolicyOut})
    def read_policy() -> Answer:
        """Read the policy in force: its files and policies, its hash, and whether the folder holds another by now."""
        present = _allowed()
        judge = present.parts.configuration.judge
        policy = judge.policy
        shown = PolicyOut(
            digest=policy.digest,
            loaded_at=moment(judge.loaded_at),
            on_disk=on_disk(present.parts.settings.policy, policy),
            files=[_file(name, text, policy.rules) for name, text in policy.files.items()],
            policies=[_rule(rule) for rule in policy.rules],
        )
        return shown.model_dump(mode="json"), 200

    @blueprint.post("/policy/try", responses={200: TriedOut})
    def try_policy(body: TryBody) -> Answer:
        """Decide a case; it is about nobody, nothing is written, and no attempt counts."""
        present = _allowed()
        if body.expect is not None and body.expect not in OUTCOMES:
            raise InvalidRequest("policy.expect", f"expect is one of {', '.join(OUTCOMES)}.")
        policy = present.parts.configuration.judge.policy
        try:
            decision = policy.decide(facts_of(body.tables()))
        except ValueError as error:
            raise InvalidRequest("policy.case", "This is no case.") from error
        return _tried(body, policy, decision).model_dump(mode="json"), 200


def on_disk(settings: Policy, policy: PolicySet) -> OnDiskOut:
    """Compare the folder, as it is now, with what is in force."""
    try:
        there = PolicySet.load(settings.folder)
    except PolicyError as error:
        return OnDiskOut(state="broken", problem=f"{error.file.name}:{error.line}: {error.reason}")
    return OnDiskOut(state="same" if there.digest == policy.digest else "changed", problem=None)


def _file(name: str, text: str, rules: Iterable[Rule]) -> PolicyFileOut:
    return PolicyFileOut(name=name, text=text, policies=[rule.id for rule in rules if rule.file.name == name])


def _rule(rule: Rule) -> RuleOut:
    return RuleOut(
        id=rule.id,
        effect=rule.effect,
        outcome=rule.outcome or None,
        annotations=dict(rule.annotations),
        comment=rule.comment,
        file=rule.file.name,
        line=rule.line,
        text=rule.text,
    )


def _tried(body: TryBody, policy: PolicySet, decision: Decision) -> TriedOut:
    decided = outcome(decision)
    met = decided == body.expect and set(body.policies) <= set(decision.policies)
    return TriedOut(
        outcome=decided,
        policies=list(decision.policies),
        says=_said(rule for rule in policy.rules if rule.id in decision.policies),
        why=list(getattr(decision, "why", ())),
        also=list(getattr(decision, "also", ())),
        acr_values=getattr(decision, "acr_values", None),
        max_age=getattr(decision, "max_age", None),
        in_words=explain(decision),
        met=None if body.expect is None else met,
        policy_set=policy.digest,
    )


def _said(rules: Iterable[Rule]) -> list[str]:
    """Return what the policies that decided say to people, where they say anything."""
    words = (dict(rule.annotations).get(SAYS, "") for rule in rules)
    return [each for each in words if each]


def _allowed() -> Call:
    present = call()
    present.caller.demand(present.trace.endpoint)
    return present
