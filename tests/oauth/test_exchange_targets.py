"""Which targets are out of reach, and that nobody can tell why (design section 3 "Answers")."""

from collections.abc import Callable
from typing import Any

import pytest

from authserver.storage import attempts
from tests.oauth.exchanging import ID, change_user, given, mint, refused
from tests.world import ISSUER, Answer, World, error

UNKNOWN = "usr_" + "f" * 32


def call(world: World, way: str) -> Callable[..., Answer]:
    return world.way_a if way == "A" else world.way_b


@pytest.mark.parametrize("way", "AB")
def test_every_target_out_of_reach_gets_the_identical_answer(world: World, way: str) -> None:
    """CVE-2026-109374, CVE-2026-17526: staff, leads and admins are not impersonated; none can be told from another."""
    change_user(world, "vip", roles=["customer", "support"])
    change_user(world, "customer-ask", conflicts=[world.id("agent")])
    targets = [
        "agent",
        "agent2",
        "lead",
        "auditor",
        "admin",
        "disabled",
        "vip",
        "customer-ask",
        UNKNOWN,
        "backend",
        "x",
    ]
    answers = [call(world, way)(target=target) for target in targets]
    for answer in answers:
        assert (answer.status_code, error(answer)) == (400, "access_denied")
        assert answer.text == answers[0].text
        assert set(answer.headers.keys()) == set(answers[0].headers.keys())
    reasons = [event["reason"] for event in world.events("request:refused")]
    assert reasons == ["policy.denied"] * 8 + ["target.unknown"] * 3
    policies = [event["policies"] for event in world.events("request:refused")]
    assert ["target.disabled"] in policies
    assert ["target.conflict"] in policies
    assert not world.events("impersonation:requested")
    assert call(world, way)(target="customer").status_code == 200


def test_lead_and_break_glass_reach_no_further(world: World) -> None:
    for target in ("agent", "lead", "admin", "disabled"):
        assert error(world.way_a(actor="lead", target=target)) == "access_denied"
        assert error(world.way_a(actor="lead", target=target, mode="full", override="break_glass")) == "access_denied"


def test_target_out_of_reach_is_not_told_by_scope_or_profile(world: World) -> None:
    """What would be `invalid_scope` for a customer stays `access_denied` for everybody else."""
    refused(world, world.way_a(scope="contacts:write"), "invalid_scope", "scope.nothing_left")
    texts = {world.way_a(target=t, scope="contacts:write").text for t in ("lead", "disabled", UNKNOWN)}
    assert len(texts) == 1
    assert "access_denied" in texts.pop()


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"actor_token": "garbage"}, "invalid_request"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"reason": None}, "invalid_request"),
        ({"mode": "full"}, "access_denied"),
    ],
)
def test_client_and_actor_are_decided_before_the_target_is_read(
    world: World, form: dict[str, Any], wanted: str
) -> None:
    answers = [world.way_a(target=target, **form) for target in ("customer", "lead", "disabled", UNKNOWN)]
    assert {error(answer) for answer in answers} == {wanted}
    assert len({answer.text for answer in answers}) == 1


def attempt(world: World, count: int, name: str = "agent") -> None:
    """Let somebody have tried so many targets just now."""
    now = world.clock.now()
    with world.work() as work:
        work.lock()
        for number in range(count):
            hashed = world.wired.judge.target_hash(f"usr_{number:032}")
            attempts.note(work.session, world.id(name), hashed, now=now)


def test_nobody_tries_more_distinct_targets_than_the_quota_allows(make_world: Callable[..., World]) -> None:
    world = make_world()
    attempt(world, 199)
    assert world.way_a().status_code == 200
    assert world.way_a().status_code == 200
    event = refused(world, world.way_a(target="customer-ask"), "access_denied", "policy.denied")
    assert event["policies"] == ["quota.distinct-customers"]
    assert world.way_a(actor="agent2", target="customer-ask").json["error"] == "consent_required"


@pytest.mark.parametrize("way", "AB")
def test_targets_that_do_not_exist_or_are_refused_count_too(world: World, way: str) -> None:
    attempt(world, 196)
    for target in (UNKNOWN, "lead", "disabled", "no id at all", "disabled"):
        refusal = call(world, way)(target=target)
        assert error(refusal) == "access_denied"
    policies = [event["policies"] for event in world.events("request:refused")]
    assert ["quota.distinct-customers"] not in policies
    event = refused(world, call(world, way)(), "access_denied", "policy.denied")
    assert event["policies"] == ["quota.distinct-customers"]


def test_quota_counts_the_last_hour_alone(world: World) -> None:
    attempt(world, 200)
    assert error(world.way_a()) == "access_denied"
    world.clock.pass_(3599)
    assert error(world.way_a()) == "access_denied"
    with world.work() as work:
        kept = attempts.count(work.session, world.id("agent"), but="", since=world.clock.now() - 3600)
    assert kept == 201
    world.clock.pass_(1)
    assert world.way_a(actor_token=mint(world)).status_code == 200


def test_renewing_by_way_c_counts_no_new_target_and_quota_still_lets_it_pass(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    attempt(world, 199)
    assert world.way_c(handle).status_code == 200


def test_actor_comes_from_the_credential_and_never_from_the_body(world: World) -> None:
    """Reports elsewhere: nothing in the form names the actor."""
    answer = world.way_a(act='{"sub":"usr_1"}', actor_id=world.id("lead"), client_name="x")
    assert given(answer)["act"] == {"sub": world.id("agent"), "iss": ISSUER}


def test_customer_never_becomes_an_actor_of_another(world: World) -> None:
    for answer in (
        world.way_a(actor="customer", target="vip"),
        world.way_b(actor="customer", target="vip"),
        world.way_a(actor="customer", target="vip", actor_token=world.id_token("customer"), actor_token_type=ID),
    ):
        refused(world, answer, "access_denied", "actor.not_entitled")
