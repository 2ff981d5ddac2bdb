"""The answers of a start that waits for somebody, and polling by way C (design section 3 "Answers", RFC 8628 §3.5)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.oauth.exchanging import change_session, change_user, given, mint, refused, waits
from tests.world import ISSUER, Answer, World, error

DECISIONS = [("customer-ask", "consent", "customer-ask"), ("vip", "approval", "lead")]


def started(world: World, target: str) -> dict[str, Any]:
    answer = world.way_a(target=target)
    assert answer.status_code == 400, answer.text
    return answer.json


def poll(world: World, handle: str) -> str:
    """Poll and return the error."""
    return error(world.way_c(handle))


@pytest.mark.parametrize(("target", "wanted"), [("customer-ask", "consent_required"), ("vip", "approval_required")])
@pytest.mark.parametrize("way", "AB")
def test_start_that_waits_says_what_for_and_how_to_go_on(world: World, way: str, target: str, wanted: str) -> None:
    before = len(world.events("token:issued"))
    answer = world.way_a(target=target) if way == "A" else world.way_b(target=target)
    body = waits(world, answer, wanted)
    assert set(body) == {
        "error",
        "error_description",
        "impersonation",
        "impersonation_id",
        "interval",
        "interaction_uri",
        *(("consent_number",) if wanted == "consent_required" else ()),
    }
    assert body["interval"] == 1
    assert body["interaction_uri"] == f"{ISSUER}/interactions/{body['impersonation_id']}"
    page = world.api("GET", body["interaction_uri"].removeprefix(ISSUER))
    assert page.status_code == 200
    assert "<form" not in page.text
    assert len(world.events("token:issued")) == before
    state = wanted.replace("_required", "")
    assert [event["state"] for event in world.events("impersonation:requested")] == [f"awaiting_{state}"]


def test_poll_before_the_decision_is_pending_and_after_it_the_token(make_world: Callable[..., World]) -> None:
    world = make_world()
    body = started(world, "customer-ask")
    waits(world, world.way_c(body["impersonation"]), "authorization_pending")
    world.clock.pass_(1)
    assert poll(world, body["impersonation"]) == "authorization_pending"
    assert world.decide(body["impersonation_id"], "consent", "customer-ask").status_code == 200
    token = given(world.way_c(body["impersonation"]))
    assert token["sub"] == world.id("customer-ask")
    assert token["act"]["sub"] == world.id("agent")
    assert token["impersonation"]["id"] == body["impersonation_id"]


def test_poll_that_comes_too_fast_is_slow_down(make_world: Callable[..., World]) -> None:
    """RFC 8628 §3.5; the interval is a second."""
    world = make_world()
    handle = started(world, "customer-ask")["impersonation"]
    answers = []
    for wait in (0, 0, 0.5, 0.4, 0.1, 0.999, 0.001):
        world.clock.pass_(wait)
        answers.append(poll(world, handle))
    pending, slow = "authorization_pending", "slow_down"
    assert answers[:3] == [pending, slow, slow]
    assert answers[4] == pending
    waits(world, world.way_c(handle), "slow_down")
    world.clock.pass_(5)
    assert poll(world, handle) == pending


@pytest.mark.parametrize(("target", "what", "who"), DECISIONS)
def test_what_has_been_decided_is_never_slow_down(world: World, target: str, what: str, who: str) -> None:
    body = started(world, target)
    for _ in range(3):
        world.way_c(body["impersonation"])
    assert world.decide(body["impersonation_id"], what, who).status_code == 200
    for _ in range(3):
        assert world.way_c(body["impersonation"]).status_code == 200


@pytest.mark.parametrize(("target", "what", "who"), DECISIONS)
def test_denial_is_access_denied_at_once_and_for_good(world: World, target: str, what: str, who: str) -> None:
    body = started(world, target)
    assert poll(world, body["impersonation"]) == "authorization_pending"
    assert world.decide(body["impersonation_id"], what, who, "deny").status_code == 200
    for _ in range(3):
        refused(world, world.way_c(body["impersonation"]), "access_denied", "impersonation.denied")
        world.clock.pass_(400)


@pytest.mark.parametrize("target", ["customer-ask", "vip"])
def test_silence_is_expired_token(make_world: Callable[..., World], target: str) -> None:
    world = make_world()
    body = started(world, target)
    world.clock.pass_(299)
    assert poll(world, body["impersonation"]) == "authorization_pending"
    world.clock.pass_(1)
    refused(world, world.way_c(body["impersonation"]), "expired_token", "impersonation.overdue")
    refused(world, world.way_c(body["impersonation"]), "expired_token", "impersonation.expired")
    ended = world.events("impersonation:ended", body["impersonation_id"])
    assert [(event["state"], event["ended_by"]) for event in ended] == [("expired", "system")]


@pytest.mark.parametrize("target", ["customer-ask", "vip"])
def test_decision_after_the_silence_comes_too_late(world: World, target: str) -> None:
    body = started(world, target)
    world.clock.pass_(300)
    what, who = ("consent", "customer-ask") if target == "customer-ask" else ("approval", "lead")
    assert world.decide(body["impersonation_id"], what, who).status_code == 409
    assert poll(world, body["impersonation"]) == "expired_token"
    again = started(world, target)
    assert again["impersonation_id"] != body["impersonation_id"]


def test_approval_comes_before_consent(world: World) -> None:
    """By default the customer is not asked for what a lead would refuse (design section 4)."""
    change_user(world, "customer-ask", tier="vip")
    body = started(world, "customer-ask")
    assert body["error"] == "approval_required"
    assert world.decide(body["impersonation_id"], "consent", "customer-ask").status_code == 409
    assert world.decide(body["impersonation_id"], "approval", "lead").json["state"] == "awaiting_consent"
    assert poll(world, body["impersonation"]) == "authorization_pending"
    assert error(world.way_a(target="customer-ask")) == "consent_required"
    assert world.decide(body["impersonation_id"], "consent", "customer-ask").json["state"] == "active"
    assert world.way_c(body["impersonation"]).status_code == 200


def test_nothing_but_the_decision_makes_it_go_on(world: World) -> None:
    body = started(world, "customer-ask")
    for who in ("agent", "lead", "customer", "admin"):
        assert world.decide(body["impersonation_id"], "consent", who).status_code in {403, 404}
    assert poll(world, body["impersonation"]) == "authorization_pending"
    assert world.way_a(target="customer-ask").json["error"] == "consent_required"


@pytest.mark.parametrize(("target", "what", "who"), DECISIONS)
def test_decision_that_is_withdrawn_kills_the_token_and_the_handle(
    world: World, target: str, what: str, who: str
) -> None:
    body = started(world, target)
    world.decide(body["impersonation_id"], what, who)
    token = world.way_c(body["impersonation"]).json["access_token"]
    assert world.introspect(token)["active"]
    assert world.decide(body["impersonation_id"], what, who, "deny").json["state"] == "revoked"
    assert world.introspect(token) == {"active": False}
    refused(world, world.way_c(body["impersonation"]), "access_denied", "impersonation.revoked")


@pytest.mark.parametrize(
    ("values", "fine"),
    [
        ({"acr": "0"}, {"acr": "phr"}),
        ({"acr": ""}, {"acr": "urn:authserver:acr:password"}),
        ({"auth_time": -43_201}, {"auth_time": -43_200}),
    ],
)
@pytest.mark.parametrize("way", "AB")
def test_sign_in_that_is_too_old_or_too_weak_wants_a_step_up(
    world: World, way: str, values: dict[str, Any], fine: dict[str, Any]
) -> None:
    """RFC 9470 §3, at this endpoint."""
    call: Callable[[], Answer] = world.way_a if way == "A" else world.way_b

    def at(columns: dict[str, Any]) -> dict[str, Any]:
        return {n: world.clock.now() + v if n == "auth_time" else v for n, v in columns.items()}

    change_session(world, "agent", **at(values))
    answer = call()
    refused(world, answer, "insufficient_user_authentication", "policy.step_up")
    assert answer.json["acr_values"] == "urn:authserver:acr:password urn:authserver:acr:mfa phr"
    assert answer.json["max_age"] == 43_200
    assert "impersonation" not in answer.json
    change_session(world, "agent", **at(fine))
    assert call().status_code == 200


def test_step_up_is_asked_before_the_target_is_read(world: World) -> None:
    """Nobody learns about a target from a session that is too weak."""
    change_session(world, "agent", acr="0")
    answers = [world.way_a(target=target) for target in ("customer", "vip", "lead", "disabled", "usr_" + "0" * 32)]
    assert {error(answer) for answer in answers} == {"insufficient_user_authentication"}
    assert len({answer.text for answer in answers}) == 1


def test_plain_refusal_beats_every_need(world: World) -> None:
    change_session(world, "agent", acr="0", address="203.0.113.7")
    refused(world, world.way_a(), "access_denied", "policy.denied")


def test_request_from_another_network_is_denied(world: World) -> None:
    foreign: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": world.token("agent"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_subject": world.id("customer"),
        "reason": "a wrong balance",
        "ticket_id": "BANK-1042",
    }
    event = refused(world, world.post("/oauth/token", form, **foreign), "access_denied", "policy.denied")
    assert event["policies"] == ["network.client-address"]
    assert world.post("/oauth/token", form).status_code == 200


def test_refusal_of_a_known_caller_says_in_the_trail_who_what_and_why(world: World) -> None:
    event = refused(world, world.way_b(target="lead"), "access_denied", "policy.denied")
    assert (event["client_id"], event["actor"], event["target"], event["way"]) == (
        "backend",
        world.id("agent"),
        world.id("lead"),
        "B",
    )
    assert event["policies"] == ["target.staff"]
    assert "203.0.113" not in str(event)
    assert set(event["address"]) == {"commitment"}
    body = started(world, "customer-ask")
    refused(world, world.way_c(body["impersonation"], ticket_id="X-1"), "invalid_request", "handle.parameters_differ")
    assert len(world.events("request:refused", body["impersonation_id"])) == 1


def test_actor_whose_evidence_expires_while_waiting_polls_on_with_fresh_evidence(world: World) -> None:
    short = mint(world, expires_at=world.clock.now() + 10)
    body = world.way_a(target="customer-ask", actor_token=short).json
    world.clock.pass_(11)
    refused(world, world.way_c(body["impersonation"], actor_token=short), "invalid_request", "token.expired")
    assert poll(world, body["impersonation"]) == "authorization_pending"
