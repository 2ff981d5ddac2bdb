"""What no facts at all can bring about with the shipped policy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from authserver.impersonation.policy import Allow, ClientFacts, Deny, Facts, Person, PolicySet

POLICY = PolicySet.load(Path(__file__).parents[2] / "config" / "policy")
SOUND = ["127.0.0.1", "::1"]
WORDS = st.sampled_from(["support", "lead", "admin", "auditor", "customer"]) | st.text(max_size=5)


def known(user_id: str, population: str, *roles: str) -> Person:
    return Person(
        id=user_id,
        roles=frozenset(roles),
        groups=frozenset(),
        tier="",
        country="",
        population=population,
        enabled=True,
        conflicts=frozenset(),
    )


ADDRESSES = (
    (st.ip_addresses(v=4) | st.ip_addresses(v=6, network="2000::/3"))
    .map(str)
    .filter(lambda address: not address.startswith("127."))
)
PEOPLE = st.builds(
    Person,
    id=st.sampled_from(["agent", "customer"]) | st.text(max_size=8),
    roles=st.frozensets(WORDS, max_size=3),
    groups=st.frozensets(WORDS, max_size=2),
    tier=st.sampled_from(["", "vip"]),
    country=st.sampled_from(["", "CH", "DE"]),
    population=st.sampled_from(["staff", "customers"]),
    enabled=st.booleans(),
    conflicts=st.frozensets(WORDS, max_size=2),
)
ALLOWED = Facts(
    actor=known("agent", "staff", "support"),
    client=ClientFacts(id="backend", enabled=True),
    target=known("customer", "customers"),
    mode="read_only",
    reason="why",
    reason_code="",
    reason_code_known=False,
    ticket_id="A-1",
    ticket_valid=True,
    client_address="127.0.0.1",
    session_address="::1",
    hour=3,
    weekday=7,
    acr="phr",
    auth_age=60,
    distinct_customers=1,
    active_impersonations=0,
    lifetime=900,
    resources=frozenset(),
    scopes=frozenset(),
    consent="standing",
    approval="none",
    break_glass=False,
    report_owed=False,
)
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "actor": st.sampled_from([known("lead", "staff", "lead"), known("agent", "staff")]) | PEOPLE,
    "client": st.builds(ClientFacts, id=st.just("backend") | st.text(max_size=5), enabled=st.booleans()),
    "target": st.none() | PEOPLE,
    "mode": st.sampled_from(["read_only", "full"]),
    "reason": st.text(max_size=5),
    "reason_code": st.text(max_size=5),
    "reason_code_known": st.booleans(),
    "ticket_id": st.text(max_size=5),
    "ticket_valid": st.booleans(),
    "client_address": ADDRESSES | st.text(max_size=3),
    "session_address": ADDRESSES | st.text(max_size=3),
    "hour": st.integers(0, 23),
    "weekday": st.integers(1, 7),
    "acr": st.text(max_size=3),
    "auth_age": st.integers(0, 100000),
    "distinct_customers": st.integers(0, 300),
    "active_impersonations": st.integers(0, 3),
    "lifetime": st.integers(1, 3600),
    "resources": st.frozensets(st.text(max_size=5), max_size=2),
    "scopes": st.frozensets(st.text(max_size=5), max_size=2),
    "consent": st.sampled_from(["none", "standing", "given"]),
    "approval": st.sampled_from(["none", "given"]),
    "break_glass": st.booleans(),
    "report_owed": st.booleans(),
    "notice": st.sampled_from(["none", "accepted", "withheld"]),
}
CHANGE = st.sampled_from(sorted(CHANGES)).flatmap(lambda name: st.tuples(st.just(name), CHANGES[name]))
ANYTHING = st.lists(CHANGE, max_size=6).map(lambda changes: replace(ALLOWED, **dict(changes)))


def forbidden(asked: Facts) -> bool:
    return (
        (asked.target is not None and forbidden_target(asked.actor, asked.target))
        or asked.actor.population != "staff"
        or not (asked.actor.enabled and asked.client.enabled)
        or not {asked.client_address, asked.session_address} <= set(SOUND)
        or asked.break_glass
        or (asked.mode == "full" and "lead" not in asked.actor.roles)
    )


def forbidden_target(actor: Person, target: Person) -> bool:
    return (
        target.population == "staff"
        or bool(target.roles & {"support", "lead", "admin", "auditor"})
        or target.id == actor.id
        or not target.enabled
    )


@given(ANYTHING)
def test_what_is_forbidden_is_denied_whatever_else_holds(asked: Facts) -> None:
    assume(forbidden(asked))
    assert isinstance(POLICY.decide(asked), Deny)


@given(PEOPLE)
def test_forbidden_target_is_denied_to_an_agent_who_lacks_nothing(target: Person) -> None:
    assume(forbidden_target(ALLOWED.actor, target))
    assert isinstance(POLICY.decide(replace(ALLOWED, target=target)), Deny)


@given(ANYTHING)
def test_decision_is_the_same_each_time_and_allowed_only_with_consent(asked: Facts) -> None:
    answer = POLICY.decide(asked)
    assert answer == POLICY.decide(asked)
    if isinstance(answer, Allow) and asked.target is not None:
        assert asked.consent != "none"
        assert asked.approval == "given" or asked.target.tier != "vip"
