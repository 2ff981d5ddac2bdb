"""The decision: every shipped policy with the case that it lets through, and what holds whatever the policy says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

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
    explain,
)

SHIPPED = Path(__file__).parents[2] / "config" / "policy"
POLICY = PolicySet.load(SHIPPED)
PERMIT = '@id("yes") permit (principal, action, resource);\n'


def person(user_id: str, **changes: Any) -> Person:
    nobody = Person(
        id=user_id,
        roles=frozenset(),
        groups=frozenset(),
        tier="",
        country="CH",
        population="customers",
        enabled=True,
        conflicts=frozenset(),
    )
    return replace(nobody, **changes)


AGENT = person("agent", roles=frozenset({"support"}), population="staff")
LEAD = person("lead", roles=frozenset({"lead"}), population="staff")
CUSTOMER = person("customer")
VIP = person("vip", tier="vip")
BASE = Facts(
    actor=AGENT,
    client=ClientFacts(id="backend", enabled=True),
    target=CUSTOMER,
    mode="read_only",
    reason="the customer called",
    reason_code="customer_initiated_support",
    reason_code_known=True,
    ticket_id="SUP-1",
    ticket_valid=True,
    client_address="127.0.0.1",
    session_address="::1",
    hour=3,
    weekday=7,
    acr="urn:authserver:acr:password",
    auth_age=60,
    distinct_customers=1,
    active_impersonations=0,
    lifetime=900,
    resources=frozenset({"https://api.example.com"}),
    scopes=frozenset({"accounts:read"}),
    consent="standing",
    approval="none",
    break_glass=False,
    report_owed=False,
)


def facts(**changes: Any) -> Facts:
    return replace(BASE, **changes)


def agent(**changes: Any) -> dict[str, Any]:
    return {"actor": replace(AGENT, **changes)}


def customer(**changes: Any) -> dict[str, Any]:
    return {"target": replace(CUSTOMER, **changes)}


TOLD_FIRST = customer(groups=frozenset({"notify-first"}))
COUNTRY = agent(groups=frozenset({"own-country-only"}))

# What a plain forbid refuses, and beside it the nearest thing that it lets through.
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("break-glass.off", {"break_glass": True}, {"break_glass": False}),
    ("hours.of-the-day", {"hour": 24}, {"hour": 23}),
    ("hours.of-the-week", {"weekday": 0}, {"weekday": 1}),
    ("network.client-address", {"client_address": "10.0.0.1"}, {"client_address": "127.255.0.1"}),
    ("network.session-address", {"session_address": "::2"}, {"session_address": "::ffff:127.0.0.1"}),
    ("quota.active-impersonations", {"active_impersonations": 1000}, {"active_impersonations": 999}),
    ("quota.distinct-customers", {"distinct_customers": 201}, {"distinct_customers": 200}),
    ("reason.required", {"reason": " \n"}, {"reason": "x"}),
    ("reason.code-known", {"reason_code_known": False}, {"reason_code": "", "reason_code_known": False}),
    ("reason.ticket-required", {"ticket_id": "", "ticket_valid": False}, {"ticket_id": "A-1"}),
    ("reason.ticket-valid", {"ticket_id": "none", "ticket_valid": False}, {"ticket_id": "A-1"}),
    ("target.conflict", agent(conflicts=frozenset({"customer"})), agent(conflicts=frozenset({"agent"}))),
    ("target.conflict", customer(conflicts=frozenset({"agent"})), customer(conflicts=frozenset({"customer"}))),
    ("target.disabled", customer(enabled=False), customer(enabled=True)),
    ("target.own-country-only", {**COUNTRY, **customer(country="DE")}, {**COUNTRY, **customer(country="CH")}),
    ("target.own-country-only", {**COUNTRY, **customer(country="DE")}, customer(country="DE")),
    ("target.self", {"target": AGENT}, {}),
    *(("target.staff", customer(roles=frozenset({role})), {}) for role in ("support", "lead", "admin", "auditor")),
    ("target.staff", customer(population="staff"), {}),
    ("who.disabled-actor", agent(enabled=False), agent(enabled=True)),
    ("who.disabled-client", {"client": ClientFacts(id="backend", enabled=False)}, {}),
    ("who.full-mode-is-for-leads", {"mode": "full"}, {"mode": "full", "actor": LEAD}),
    ("who.staff-only", agent(population="customers"), agent(population="staff")),
]

ACR_VALUES = "urn:authserver:acr:password urn:authserver:acr:mfa phr"


def stepped_up(policy: str) -> NeedsStepUp:
    return NeedsStepUp(policies=(policy,), acr_values=ACR_VALUES, max_age=43200)


# What a needs-forbid asks for, and beside it what satisfies it.
ASKED: list[tuple[Decision, dict[str, Any], dict[str, Any]]] = [
    (NeedsConsent(policies=("needs.consent",)), {"consent": "none"}, {"consent": "given"}),
    (NeedsApproval(policies=("needs.vip-approval",)), {"target": VIP}, {"target": VIP, "approval": "given"}),
    (NeedsNotice(policies=("needs.notice",)), TOLD_FIRST, {**TOLD_FIRST, "notice": "accepted"}),
    (NeedsNotice(policies=("needs.notice",)), TOLD_FIRST, {**TOLD_FIRST, "notice": "withheld"}),
    (stepped_up("authentication.age"), {"auth_age": 43201}, {"auth_age": 43200}),
    (stepped_up("authentication.strength"), {"acr": ""}, {"acr": "phr"}),
    (stepped_up("authentication.strength"), {"acr": "0"}, {"acr": "urn:authserver:acr:mfa"}),
]

PERMITTED: list[tuple[str, dict[str, Any]]] = [
    ("who.agents-read-only", {}),
    ("who.leads", {"actor": LEAD}),
    ("who.leads", {"actor": LEAD, "mode": "full"}),
]


@pytest.mark.parametrize(("policy", "refused", "allowed"), REFUSED)
def test_shipped_policy_refuses_its_case_and_lets_the_nearest_one_through(
    policy: str, refused: dict[str, Any], allowed: dict[str, Any]
) -> None:
    answer = POLICY.decide(facts(**refused))
    assert isinstance(answer, Deny)
    assert policy in answer.policies
    assert len(answer.why) == len(answer.policies)
    assert answer.refusal == ("invalid_request" if policy.startswith("reason.") else "access_denied")
    assert isinstance(POLICY.decide(facts(**allowed)), Allow)


@pytest.mark.parametrize(("wanted", "lacking", "enough"), ASKED)
def test_shipped_policy_asks_for_what_is_lacking(
    wanted: Decision, lacking: dict[str, Any], enough: dict[str, Any]
) -> None:
    answer = POLICY.decide(facts(**lacking))
    assert not isinstance(answer, Allow | Deny)
    assert replace(answer, why=()) == wanted
    assert len(answer.why) == 1
    assert isinstance(POLICY.decide(facts(**enough)), Allow)


@pytest.mark.parametrize(("policy", "changes"), PERMITTED)
def test_shipped_permit_decides(policy: str, changes: dict[str, Any]) -> None:
    assert POLICY.decide(facts(**changes)) == Allow(policies=("target.customers", policy)[::-1])


def test_every_shipped_policy_is_in_a_table() -> None:
    tried = {row[0] for row in REFUSED} | {row[0] for row in PERMITTED} | {"target.customers"}
    tried |= {policy for row in ASKED for policy in row[0].policies}
    assert tried == {rule.id for rule in POLICY.rules}


@pytest.mark.parametrize("changes", [agent(roles=frozenset()), agent(roles=frozenset({"admin"})), {"mode": "else"}])
def test_nothing_permits_means_no(changes: dict[str, Any]) -> None:
    assert POLICY.decide(facts(**changes)) == Deny(policies=("policy.nothing-permits",), why=("nothing permits it",))


def test_target_of_an_unknown_population_is_refused() -> None:
    assert isinstance(POLICY.decide(facts(**customer(population="partners"))), Deny)


def test_without_a_target_only_asking_is_decided() -> None:
    assert POLICY.decide(facts(target=None, consent="none")) == Allow(policies=("who.agents-read-only",))
    assert isinstance(POLICY.decide(facts(target=None, reason="")), Deny)


def test_what_the_actor_lacks_is_said_without_reading_the_target() -> None:
    lacking = facts(reason="")
    assert POLICY.decide(lacking) == POLICY.decide(replace(lacking, target=LEAD))


def test_refusal_is_the_persons_when_the_request_is_lacking_as_well() -> None:
    answer = POLICY.decide(facts(reason="", client_address="10.0.0.1"))
    assert isinstance(answer, Deny)
    assert answer.refusal == "access_denied"
    assert answer.policies == ("network.client-address", "reason.required")


@pytest.mark.parametrize("refused", [{"client_address": "10.0.0.1"}, agent(roles=frozenset()), customer(enabled=False)])
def test_no_need_is_named_where_the_answer_is_no_anyway(refused: dict[str, Any]) -> None:
    assert isinstance(POLICY.decide(facts(consent="none", acr="", **refused)), Deny)


def test_step_up_comes_before_approval_and_that_before_consent_and_that_before_notice() -> None:
    answer = POLICY.decide(facts(acr="", target=VIP, consent="none"))
    assert isinstance(answer, NeedsStepUp)
    assert answer.also == ("needs_approval", "needs_consent")
    answer = POLICY.decide(facts(target=VIP, consent="none"))
    assert isinstance(answer, NeedsApproval)
    assert answer.also == ("needs_consent",)
    answer = POLICY.decide(facts(consent="none", **TOLD_FIRST))
    assert isinstance(answer, NeedsConsent)
    assert answer.also == ("needs_notice",)
    assert "After that it needs a notice to the customer." in explain(answer)


@pytest.mark.parametrize(
    "broken",
    [
        {"client_address": ""},
        {"client_address": "127.0.0.0/8"},
        {"session_address": "localhost"},
        {"session_address": "fe80::1%lo"},
        {"lifetime": 2**63},
        {"mode": "\ud800"},
        {"target": person("\ud800")},
        {"target": person("agent")},
    ],
)
def test_facts_that_cannot_be_evaluated_are_refused(broken: dict[str, Any]) -> None:
    answer = POLICY.decide(facts(**broken))
    assert isinstance(answer, Deny)
    assert answer.policies == ("policy.error",)


@pytest.mark.parametrize(
    "hostile", ['x" || true || "', 'User::"agent"', "}; permit(principal,action,resource);", "\0\n\\"]
)
def test_text_of_a_request_stays_text(hostile: str) -> None:
    changed = facts(target=person(hostile, tier=hostile, country=hostile), reason=hostile, scopes=frozenset({hostile}))
    assert isinstance(POLICY.decide(changed), Allow)
    assert isinstance(POLICY.decide(replace(changed, mode=hostile)), Deny)
    assert isinstance(POLICY.decide(replace(changed, **agent(roles=frozenset({hostile})))), Deny)


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], PolicySet]:
    def load(text: str) -> PolicySet:
        (tmp_path / "schema.cedarschema").write_text((SHIPPED / "schema.cedarschema").read_text())
        (tmp_path / "own.cedar").write_text(text)
        return PolicySet.load(tmp_path)

    return load


def test_policy_that_fails_to_evaluate_is_a_refusal_even_where_another_permits(
    policy: Callable[[str], PolicySet],
) -> None:
    overflow = '@id("sum") forbid (principal, action, resource) when { context.lifetime + 9223372036854775807 == 0 };'
    answer = policy(PERMIT + overflow).decide(BASE)
    assert answer == Deny(policies=("policy.error",), why=("the policy sum could not be evaluated",))


def needs(policy_id: str, outcome: str, unless: str, notes: str = "") -> str:
    return (
        f'@id("{policy_id}") @outcome("{outcome}") {notes}\n'
        f"forbid (principal, action, resource) unless {{ {unless} }};\n"
    )


CONSENT = needs("consent", "needs_consent", 'context.consent == "given"')
LATE_APPROVAL = needs("approval", "needs_approval", 'context.consent == "none" || context.approval == "given"')


def test_need_without_a_permit_is_a_refusal(policy: Callable[[str], PolicySet]) -> None:
    only_admins = '@id("yes") permit (principal, action, resource) when { principal.roles.contains("admin") };\n'
    answer = policy(only_admins + CONSENT).decide(BASE)
    assert isinstance(answer, Deny)
    assert answer.policies == ("policy.nothing-permits",)


def test_need_that_shows_only_once_another_is_met_is_found(policy: Callable[[str], PolicySet]) -> None:
    answer = policy(PERMIT + CONSENT + LATE_APPROVAL).decide(facts(consent="none"))
    assert answer == NeedsApproval(policies=("approval",), also=("needs_consent",))


def test_refusal_that_shows_only_once_a_need_is_met_is_a_refusal(policy: Callable[[str], PolicySet]) -> None:
    never = '@id("never") forbid (principal, action, resource) when { context.consent == "given" };'
    assert policy(PERMIT + CONSENT + never).decide(facts(consent="none")) == Deny(policies=("never",))


def test_need_that_nothing_can_meet_is_a_refusal(policy: Callable[[str], PolicySet]) -> None:
    endless = needs("endless", "needs_consent", 'context.consent == "else"')
    assert policy(PERMIT + endless).decide(BASE) == Deny(policies=("endless",))


def test_policy_data_can_put_consent_first(policy: Callable[[str], PolicySet]) -> None:
    first = CONSENT.replace("@id", '@order("5") @id')
    approval = needs("approval", "needs_approval", 'context.approval == "given"')
    answer = policy(PERMIT + approval + first).decide(facts(consent="none"))
    assert answer == NeedsConsent(policies=("consent",), also=("needs_approval",))


def step_up(policy_id: str, acr_values: str, max_age: int, unless: str) -> str:
    return needs(policy_id, "needs_step_up", unless, f'@acr_values("{acr_values}") @max_age("{max_age}")')


def test_two_step_ups_ask_for_one_sign_in_that_meets_both(policy: Callable[[str], PolicySet]) -> None:
    fresh = step_up("fresh", "pwd mfa phr", 300, "context.authAge <= 300")
    strong = step_up("strong", "phr mfa", 900, '["mfa", "phr"].contains(context.acr)')
    answer = policy(PERMIT + fresh + strong).decide(facts(acr="pwd", auth_age=301))
    assert answer == NeedsStepUp(policies=("fresh", "strong"), acr_values="mfa phr", max_age=300)
    answer = policy(PERMIT + fresh + strong).decide(facts(acr="phr", auth_age=301))
    assert answer == NeedsStepUp(policies=("fresh",), acr_values="pwd mfa phr", max_age=300)


def test_step_ups_that_no_sign_in_meets_are_a_refusal(policy: Callable[[str], PolicySet]) -> None:
    one = step_up("one", "a", 300, 'context.acr == "a"')
    other = step_up("other", "b", 300, 'context.acr == "b"')
    assert policy(PERMIT + one + other).decide(facts(acr="c")) == Deny(policies=("one", "other"))


def test_explanation_says_what_why_and_by_which_policy() -> None:
    assert explain(POLICY.decide(facts(target=VIP, consent="none"))) == [
        "A second person must approve it first.",
        "Because a VIP needs the approval of a second person.",
        "After that it needs the customer's consent.",
        "Decided by needs.vip-approval.",
    ]
    assert explain(POLICY.decide(BASE))[0] == "It is allowed."
    assert explain(POLICY.decide(facts(reason="")))[0] == "It is refused (invalid_request)."
    assert "300 s" in explain(NeedsStepUp(policies=("x",), acr_values="phr", max_age=300))[0]
    assert explain(POLICY.decide(facts(consent="none")))[0] == "The customer must consent first."
