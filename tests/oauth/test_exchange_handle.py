"""The handle of an impersonation, way C, and asking again (design section 3 "The handle")."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.oauth.exchanging import (
    ID,
    change_client,
    change_session,
    change_user,
    everything_stored,
    given,
    let_other_backend_exchange,
    mint,
    refused,
)
from tests.world import API, PAYMENTS, REASON, World, error

BAD = "invalid_request"


def test_handle_has_256_bits_and_is_not_the_id(world: World) -> None:
    handles = set()
    for answer in (world.way_a(), world.way_a(), world.way_b(), world.way_a(target="customer-ask")):
        handle = answer.json["impersonation"]
        assert len(base64.urlsafe_b64decode(handle + "=")) == 32
        assert answer.json["impersonation_id"] not in handle
        handles.add(handle)
    assert len(handles) == 4


def test_id_is_no_handle_and_an_unknown_handle_is_invalid_request(world: World) -> None:
    started = world.way_a().json
    unknown = "handle.unknown_or_not_the_clients"
    assert world.way_c(started["impersonation"]).status_code == 200
    for handle in (
        started["impersonation_id"],
        started["impersonation"][:-1],
        started["impersonation"] + "A",
        started["impersonation"].swapcase(),
        "A" * 43,
        "é" * 43,
        world.token("agent"),
    ):
        refused(world, world.way_c(handle), BAD, unknown)


def test_handles_and_tokens_are_stored_nowhere_in_the_clear(make_world: Callable[..., World]) -> None:
    """Design section 3: one-time values and handles are stored hashed; the trail holds no token."""
    world = make_world()
    bodies = [world.way_a().json, world.way_b(target="vip").json, world.way_a(requested_token_type=ID).json]
    refused(world, world.way_c("A" * 43), BAD, "handle.unknown_or_not_the_clients")
    refused(world, world.way_c(bodies[0]["impersonation"], actor="agent2"), "access_denied", "handle.of_another_actor")
    stored = everything_stored(world)
    assert bodies[0]["impersonation_id"] in stored
    for body in bodies:
        assert body["impersonation"] not in stored
        if "access_token" in body:
            assert body["access_token"].split(".")[2] not in stored
    assert world.token("agent").split(".")[2] not in stored
    assert "A" * 43 not in stored


def test_every_use_of_the_handle_gives_a_new_jti_of_the_same_impersonation(world: World) -> None:
    body = world.way_a().json
    tokens = [given(world.way_c(body["impersonation"])) for _ in range(3)]
    assert len({token["jti"] for token in tokens}) == 3
    assert {token["impersonation"]["id"] for token in tokens} == {body["impersonation_id"]}
    assert world.way_c(body["impersonation"]).json["impersonation_id"] == body["impersonation_id"]
    assert world.introspect(body["access_token"])["active"]


def test_handle_is_bound_to_its_client(world: World) -> None:
    let_other_backend_exchange(world, accepts_tokens_of=["backend"])
    handle = world.way_a().json["impersonation"]
    unknown = world.way_c("A" * 43, client="other-backend")
    foreign = world.way_c(handle, client="other-backend")
    refused(world, foreign, BAD, "handle.unknown_or_not_the_clients")
    assert foreign.json == unknown.json
    own = world.start(client_id="other-backend").json["handle"]
    assert world.way_c(own, client="other-backend").status_code == 200
    refused(world, world.way_c(own), BAD, "handle.unknown_or_not_the_clients")


@pytest.mark.parametrize("actor", ["agent2", "lead"])
def test_handle_is_bound_to_its_actor(world: World, actor: str) -> None:
    for target in ("customer", "customer-ask"):
        handle = world.way_a(target=target).json["impersonation"]
        event = refused(world, world.way_c(handle, actor=actor), "access_denied", "handle.of_another_actor")
        assert event["actor"] == world.id(actor)
    handle = world.way_a().json["impersonation"]
    refused(world, world.way_c(handle, actor="customer"), "access_denied", "actor.not_entitled")


SAME: list[dict[str, Any]] = [
    {"mode": "read_only"},
    {"resource": API},
    {"audience": API},
    {"scope": "accounts:read"},
    {"scope": "cards:write accounts:read contacts:write"},
    dict(REASON),
    {"requested_expires_in": "60"},
]
DIFFERENT: list[dict[str, Any]] = [
    {"mode": "full"},
    {"resource": PAYMENTS},
    {"resource": API, "audience": PAYMENTS},
    {"resource": "relative"},
    {"scope": "cards:write"},
    {"scope": "accounts:read cards:write"},
    {"scope": "accounts:read payments:read"},
    {"scope": "unknown"},
    {"reason": "another"},
    {"reason_code": "legal_request"},
    {"ticket_id": "BANK-1"},
    {"override": "break_glass"},
]


@pytest.mark.parametrize("form", SAME)
def test_parameters_that_are_equal_or_absent_are_fine_in_way_c(world: World, form: dict[str, Any]) -> None:
    handle = world.way_a().json["impersonation"]
    assert given(world.way_c(handle, **form))["scope"] == "accounts:read"


@pytest.mark.parametrize("form", DIFFERENT)
def test_parameter_that_differs_from_what_was_granted_is_invalid_request(world: World, form: dict[str, Any]) -> None:
    for target in ("customer", "customer-ask"):
        handle = world.way_a(target=target).json["impersonation"]
        refused(world, world.way_c(handle, **form), BAD, "handle.parameters_differ")


def test_asking_again_gives_the_same_impersonation_with_a_new_handle(world: World) -> None:
    """Sends nothing new: there is one request, one activation."""
    bodies = [world.way_a().json, world.way_a().json, world.way_b().json]
    assert len({body["impersonation_id"] for body in bodies}) == 1
    assert len({body["impersonation"] for body in bodies}) == 3
    assert len(world.events("impersonation:requested")) == len(world.events("impersonation:activated")) == 1
    for body in bodies:
        assert world.way_c(body["impersonation"]).status_code == 200


@pytest.mark.parametrize(("target", "answer"), [("customer-ask", "consent_required"), ("vip", "approval_required")])
def test_asking_again_for_what_is_open_gives_its_answer_with_a_new_handle(
    world: World, target: str, answer: str
) -> None:
    answers = [world.way_a(target=target), world.way_b(target=target), world.way_a(target=target)]
    assert {error(each) for each in answers} == {answer}
    assert len({each.json["impersonation_id"] for each in answers}) == 1
    assert len({each.json["impersonation"] for each in answers}) == 3
    assert len(world.events("impersonation:requested")) == 1
    for each in answers:
        assert error(world.way_c(each.json["impersonation"])) == "authorization_pending"


def test_exchange_joins_what_the_api_started_and_its_handle_works(world: World) -> None:
    started = world.start()
    assert started.status_code == 201
    assert world.way_a().json["impersonation_id"] == started.json["id"]
    assert given(world.way_c(started.json["handle"]))["impersonation"]["id"] == started.json["id"]
    assert len(world.events("impersonation:requested")) == 1


@pytest.mark.parametrize(
    "form",
    [
        {"resource": PAYMENTS},
        {"reason": "another"},
        {"reason_code": "legal_request"},
        {"ticket_id": "BANK-7"},
        {"actor": "agent2"},
        {"target": "vip"},
    ],
)
def test_asking_for_anything_else_is_another_impersonation(world: World, form: dict[str, Any]) -> None:
    first, other = world.way_a().json, world.way_a(**form).json
    assert first["impersonation_id"] != other["impersonation_id"]
    assert len(world.events("impersonation:requested")) == 2


def test_handle_of_what_has_ended_gives_nothing(make_world: Callable[..., World]) -> None:
    world = make_world()
    body = world.way_a().json
    later = world.way_a().json["impersonation"]
    assert world.end(body["impersonation_id"]).status_code == 200
    for handle in (body["impersonation"], later):
        refused(world, world.way_c(handle), "access_denied", "impersonation.ended")
    again = world.way_a().json
    assert again["impersonation_id"] != body["impersonation_id"]
    assert world.way_c(again["impersonation"]).status_code == 200
    refused(world, world.way_c(later), "access_denied", "impersonation.ended")


def test_way_c_checks_again_that_everybody_in_it_is_still_fit(world: World) -> None:
    """CVE-2026-93999, CVE-2026-1609, CVE-2026-1486."""
    handle = world.way_a().json["impersonation"]
    assert world.way_c(handle).status_code == 200
    change_user(world, "customer", enabled=False)
    refused(world, world.way_c(handle), "access_denied", "policy.denied")
    change_user(world, "customer", enabled=True, roles=["customer", "admin"])
    refused(world, world.way_c(handle), "access_denied", "policy.denied")
    change_user(world, "customer", roles=["customer"], conflicts=[world.id("agent")])
    refused(world, world.way_c(handle), "access_denied", "policy.denied")
    change_user(world, "customer", conflicts=[])
    change_user(world, "agent", roles=["customer"])
    refused(world, world.way_c(handle), "access_denied", "actor.not_entitled")
    change_user(world, "agent", roles=["support"], population="customers")
    refused(world, world.way_c(handle), "access_denied", "policy.denied")
    change_user(world, "agent", population="staff")
    assert world.way_c(handle).status_code == 200


def test_way_c_cuts_again_what_target_and_client_lost_meanwhile(world: World) -> None:
    handle = world.way_a(actor="lead", mode="full").json["impersonation"]
    assert given(world.way_c(handle, actor="lead"))["scope"] == "accounts:read cards:write"
    change_client(world, "backend", scopes=["accounts:read"])
    assert given(world.way_c(handle, actor="lead"))["scope"] == "accounts:read"
    change_user(world, "customer", roles=[])
    refused(world, world.way_c(handle, actor="lead"), "invalid_scope", "scope.nothing_left")


def test_scopes_that_the_client_gains_later_do_not_widen_an_impersonation(world: World) -> None:
    change_client(world, "backend", scopes=["accounts:read"])
    handle = world.way_a(actor="lead", mode="full").json["impersonation"]
    change_client(world, "backend", scopes=["accounts:read", "cards:write"])
    assert given(world.way_c(handle, actor="lead"))["scope"] == "accounts:read"


def test_way_c_asks_again_for_a_fresh_sign_in(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    change_session(world, "agent", auth_time=world.clock.now() - 43_201)
    answer = world.way_c(handle)
    refused(world, answer, "insufficient_user_authentication", "policy.step_up")
    change_session(world, "agent", auth_time=world.clock.now() - 43_200)
    assert world.way_c(handle).status_code == 200


def test_way_c_takes_any_evidence_of_the_same_person(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    form = {"actor_token": world.id_token("agent"), "actor_token_type": ID}
    assert world.way_c(handle, **form).status_code == 200
    assert world.way_c(handle, actor_token=mint(world)).status_code == 200
    assert world.way_c(handle, requested_token_type=ID).json["token_type"] == "N_A"
