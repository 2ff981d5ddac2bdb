"""`/oauth/introspect` (RFC 7662): who is told what of which token, and everybody else exactly nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from authserver.storage import resources
from authserver.storage.tables import Resource
from tests.oauth.exchanging import change_client, change_resource, change_session, change_user, mint, sign
from tests.world import API, PAYMENTS, REASON, World, claims, error

INACTIVE = {"active": False}


def impersonation_token(world: World, **form: Any) -> str:
    answer = world.way_a(**form)
    assert answer.status_code == 200, answer.text
    return str(answer.json["access_token"])


def own_payments(world: World) -> None:
    """Let `other-backend` own the payments API, which may not see reasons."""
    change_resource(world, PAYMENTS, owner_client_id="other-backend")


def test_resource_server_is_told_what_the_token_says(world: World) -> None:
    """RFC 7662 §2.2: the same claims, `active` and `token_type` beside them."""
    token = world.client_token("other-backend")
    answer = world.post("/oauth/introspect", {"token": token}, client="resource-server")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {"active": True, **claims(token), "token_type": "Bearer"}


def test_persons_own_token_says_how_they_authenticated(world: World) -> None:
    told = world.introspect(world.token("customer"))
    assert told == {"active": True, **claims(world.token("customer")), "token_type": "Bearer"}
    assert {"auth_time", "acr", "amr", "sub"} <= told.keys()


def test_impersonation_is_told_with_its_actors_authentication_and_reason(world: World) -> None:
    token = impersonation_token(world)
    said = claims(token)
    authentication = {name: claims(world.token("agent"))[name] for name in ("auth_time", "acr")}
    told = world.introspect(token)
    assert told.pop("impersonation") == {
        **said.pop("impersonation"),
        "actor_auth_time": authentication["auth_time"],
        "actor_acr": authentication["acr"],
        "reason": REASON["reason"],
    }
    assert told == {"active": True, **said, "token_type": "Bearer"}
    assert told["act"] == {"sub": world.id("agent"), "iss": told["iss"]}
    assert not {"auth_time", "acr", "amr"} & told.keys()


def test_delegated_token_is_told_with_its_actor(world: World) -> None:
    token = str(world.way_d().json["access_token"])
    told = world.introspect(token)
    assert told == {"active": True, **claims(token), "token_type": "Bearer"}
    assert told["act"]["sub"] == "backend"


def test_may_act_is_told_as_it_stands(world: World) -> None:
    token = mint(world, "customer", may_act={"sub": "backend", "iss": "https://elsewhere.example"})
    assert world.introspect(token)["may_act"] == {"sub": "backend", "iss": "https://elsewhere.example"}


def test_client_is_told_of_its_own_without_the_reason(world: World) -> None:
    token = impersonation_token(world)
    told = world.introspect(token, "backend")
    assert told["active"]
    assert "reason" not in told["impersonation"]
    assert "reason" in world.introspect(token, "resource-server")["impersonation"]


def test_reason_is_shown_where_the_resource_may_see_it(world: World) -> None:
    own_payments(world)
    both = impersonation_token(world, resource=None, audience=API, scope="accounts:read")
    payments = impersonation_token(world, resource=PAYMENTS, scope="payments:read")
    assert world.introspect(both)["impersonation"]["reason"] == REASON["reason"]
    told = world.introspect(payments, "other-backend")
    assert told["active"]
    assert "reason" not in told["impersonation"]
    assert REASON["reason"] not in json.dumps(told)
    change_resource(world, PAYMENTS, reason_visible=True)
    assert world.introspect(payments, "other-backend")["impersonation"]["reason"] == REASON["reason"]


def test_one_of_several_resources_sees_only_what_it_may(world: World) -> None:
    """A token for two resources: each owner is told, the reason only the one that may see it."""
    own_payments(world)
    answer = world.exchange(
        subject_token=world.token("agent"),
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        requested_subject=world.id("customer"),
        audience=API,
        resource=PAYMENTS,
        **REASON,
    )
    token = str(answer.json["access_token"])
    assert set(claims(token)["aud"]) == {API, PAYMENTS}
    assert "reason" in world.introspect(token, "resource-server")["impersonation"]
    assert "reason" not in world.introspect(token, "other-backend")["impersonation"]


def test_foreign_token_is_exactly_inactive(world: World) -> None:
    """Neither its own nor for a resource of its: nothing, whatever the token is."""
    own_payments(world)
    for token in (
        impersonation_token(world),
        world.token("customer"),
        world.client_token("backend"),
        str(world.way_d().json["access_token"]),
    ):
        assert world.introspect(token)["active"]
        assert world.introspect(token, "other-backend") == INACTIVE


def test_ownership_counts_as_it_is_now(world: World) -> None:
    token = world.client_token("backend")
    assert world.introspect(token)["active"]
    change_resource(world, API, owner_client_id=None)
    assert world.introspect(token) == INACTIVE
    with world.work() as work:
        work.lock()
        uri = "https://another.example"
        row = Resource(uri=uri, name="Another", owner_client_id="resource-server", extra_claims=[])
        row.subject_identifier = "id"
        resources.put(work.session, row)
    assert world.introspect(token) == INACTIVE


def test_id_token_is_no_access_token(world: World) -> None:
    assert world.introspect(world.id_token("customer"), "backend") == INACTIVE
    answer = world.way_a(requested_token_type="urn:ietf:params:oauth:token-type:id_token")
    assert answer.status_code == 200, answer.text
    assert world.introspect(answer.json["access_token"], "backend") == INACTIVE


def test_garbage_is_exactly_inactive(world: World) -> None:
    good = world.token("customer")
    head, payload, signature = good.split(".")
    other = world.token("agent").split(".")
    for token in (
        "garbage",
        "..",
        "a.b.c",
        "é.é.é",
        "e30.e30.e30",
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
        good[:-1],
        good[:-20],
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{other[1]}.{signature}",
        f"{good}.{signature}",
        f" {good}",
        f"{good}\n",
        "a" * 60_000,
        world.way_a(target="customer-ask").json["impersonation"],  # a handle
        world.id("customer"),
    ):
        for client in ("backend", "resource-server"):
            assert world.introspect(token, client) == INACTIVE, token[:80]


def test_genuine_but_unregistered_token_is_inactive(world: World) -> None:
    assert world.introspect(sign(world, "customer").token) == INACTIVE


def _end(world: World, token: str) -> None:
    assert world.end(claims(token)["impersonation"]["id"]).status_code == 200


def _end_the_session(world: World, _: str) -> None:
    change_session(world, "agent", ended_at=world.clock.now())


@pytest.mark.parametrize(
    "happens",
    [
        _end,
        _end_the_session,
        lambda world, _: change_user(world, "customer", enabled=False),
        lambda world, _: change_client(world, "backend", enabled=False),
        lambda world, _: world.clock.pass_(3600),
        lambda world, token: world.post("/oauth/revoke", {"token": token}),
    ],
)
def test_impersonation_that_ended_makes_its_token_inactive_at_once(
    world: World, happens: Callable[[World, str], object]
) -> None:
    token = impersonation_token(world)
    assert world.introspect(token)["active"]
    happens(world, token)
    assert world.introspect(token) == INACTIVE


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", ""])
def test_hint_changes_nothing(world: World, hint: str) -> None:
    """RFC 7662 §2.1: a hint that does not fit must not hide the token."""
    form = {"token": world.token("customer"), "token_type_hint": hint}
    assert world.post("/oauth/introspect", form).json["active"]


def test_token_is_required(world: World) -> None:
    for form in ({}, {"token": ""}):
        answer = world.post("/oauth/introspect", form)
        assert (error(answer), answer.status_code) == ("invalid_request", 400)


def test_nobody_is_told_without_authentication(world: World) -> None:
    """RFC 7662 §2.1: a bearer token of a person or a client is none."""
    form = {"token": world.token("customer")}
    for headers in ({}, {"Authorization": f"Bearer {world.client_token()}"}):
        answer = world.post("/oauth/introspect", form, client=None, headers=headers)
        assert (error(answer), answer.status_code) == ("invalid_client", 401)
    assert world.post("/oauth/introspect", form, client="resource-server").json["active"]
