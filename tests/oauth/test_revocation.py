"""`/oauth/revoke` (RFC 7009): one's own token dies at once; for anything else the same 200, and nothing happens."""

import pytest

from tests.conftest import MakeWorld
from tests.oauth.exchanging import AT, change_client
from tests.world import World, claims, error

INACTIVE = {"active": False}


def revoke(world: World, token: str, client: str = "backend", hint: str | None = None) -> None:
    """Revoke, and check that the answer tells nothing (§2.2)."""
    answer = world.post("/oauth/revoke", {"token": token, "token_type_hint": hint}, client=client)
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["Cache-Control"] == "no-store"


def test_revoked_token_is_dead_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    token, other = world.client_token(), world.client_token()
    assert world.introspect(token)["active"]
    revoke(world, token)
    assert world.introspect(token) == INACTIVE
    assert world.introspect(token, "backend") == INACTIVE
    assert world.introspect(other)["active"]


def test_revocation_stands_in_the_trail_once(world: World) -> None:
    token = world.client_token()
    for _ in range(3):
        revoke(world, token)
    events = world.events("token:revoked")
    assert [(event["jti"], event["client_id"]) for event in events] == [(claims(token)["jti"], "backend")]


def test_revoked_token_is_no_evidence_and_opens_nothing(world: World) -> None:
    assert world.way_a().status_code == 200
    assert world.api("GET", "/api/v1/impersonations", "agent").status_code == 200
    revoke(world, world.token("agent"))
    assert error(world.way_a()) == "invalid_request"
    assert error(world.way_b()) == "invalid_request"
    assert world.api("GET", "/api/v1/impersonations", "agent").status_code == 401


def test_revoked_id_token_is_no_evidence(world: World) -> None:
    form = {"actor_token": world.id_token("agent"), "actor_token_type": "urn:ietf:params:oauth:token-type:id_token"}
    assert world.way_a(**form).status_code == 200
    revoke(world, world.id_token("agent"))
    assert error(world.way_a(**form)) == "invalid_request"
    assert world.way_a().status_code == 200  # the access token of the same session is another one


def test_revoking_an_impersonations_token_ends_that_token_alone(world: World) -> None:
    """The impersonation goes on: its handle mints again, and its end is somebody's decision, not this endpoint's."""
    started = world.way_a().json
    revoke(world, started["access_token"])
    assert world.introspect(started["access_token"]) == INACTIVE
    again = world.way_c(started["impersonation"])
    assert again.status_code == 200
    assert world.introspect(again.json["access_token"])["active"]
    assert world.events("token:revoked", started["impersonation_id"])


def test_what_was_exchanged_for_a_token_outlives_it(world: World) -> None:
    """RFC 8693 §2.1: revoking an input does not change the output; the impersonation's end does."""
    started = world.way_a().json
    revoke(world, world.token("agent"))
    assert world.introspect(started["access_token"])["active"]


def test_another_clients_token_is_neither_revoked_nor_described(world: World) -> None:
    """RFC 7009 §2.1; its owner of a resource may read it, and still not revoke it."""
    token = world.client_token("backend")
    revoke(world, token, "other-backend")
    revoke(world, token, "resource-server")
    assert world.introspect(token)["active"]
    assert not world.events("token:revoked")
    revoke(world, token, "backend")
    assert world.introspect(token) == INACTIVE


def test_allow_listed_client_may_present_and_not_revoke(world: World) -> None:
    change_client(world, "other-backend", accepts_tokens_of=["backend"])
    revoke(world, world.token("customer"), "other-backend")
    assert world.introspect(world.token("customer"))["active"]


def test_unknown_token_is_no_error(world: World) -> None:
    """RFC 7009 §2.2."""
    good = world.client_token()
    head, payload, signature = good.split(".")
    handle = world.way_a().json["impersonation"]
    for token in ("unknown", "..", "é", good[:-8], f"{head}.{payload}.", f"{payload}.{head}.{signature}", "a" * 60_000):
        revoke(world, token)
    revoke(world, handle)
    assert world.introspect(good)["active"]
    assert world.way_c(handle).status_code == 200


def test_expired_token_is_no_error(world: World) -> None:
    token = world.client_token()
    world.clock.pass_(3600)
    revoke(world, token)
    assert not world.events("token:revoked")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", AT, "nonsense", ""])
def test_hint_changes_nothing(world: World, hint: str) -> None:
    """RFC 7009 §2.1: with a wrong hint the search goes on."""
    token = world.client_token()
    revoke(world, token, hint=hint)
    assert world.introspect(token) == INACTIVE


def test_token_is_required(world: World) -> None:
    for form in ({}, {"token": ""}, {"token_type_hint": "access_token"}):
        answer = world.post("/oauth/revoke", form)
        assert (error(answer), answer.status_code) == ("invalid_request", 400)


def test_nobody_revokes_without_authentication(world: World) -> None:
    token = world.client_token()
    for headers in ({}, {"Authorization": f"Bearer {token}"}, world.basic("backend", "guess")):
        answer = world.post("/oauth/revoke", {"token": token}, client=None, headers=headers)
        assert (error(answer), answer.status_code) == ("invalid_client", 401)
    assert world.introspect(token)["active"]
