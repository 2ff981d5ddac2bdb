"""Renewal by an impersonation's own token: fresh ones, while it lasts, after checking everything again."""

from typing import Any

import pytest

from authserver.storage import people
from tests.appetize.handing_off import BOTH, SECTIONS, configured, hand_off, new_code, redeem, renew
from tests.conftest import MakeWorld
from tests.world import API, ISSUER, PAYMENTS, World, claims


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**SECTIONS)


def passed(world: World, **start: Any) -> str:
    """Return the token that a device finds among its launch parameters."""
    return str(configured(world, hand_off(world, "demo-bank", **start))["params"]["impersonatedUserToken"])


def test_token_gives_a_fresh_one_and_still_lives(world: World) -> None:
    token = passed(world)
    world.clock.pass_(100)
    answer = renew(world, token)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    fresh = answer.json["access_token"]
    before, after = claims(token), claims(fresh)
    assert before["jti"] != after["jti"]
    assert {name: before[name] for name in ("sub", "aud", "act", "scope", "impersonation", "exp")} == {
        name: after[name] for name in ("sub", "aud", "act", "scope", "impersonation", "exp")
    }
    assert not {"auth_time", "acr", "amr"} & set(after)
    assert all(world.introspect(each)["active"] for each in (token, fresh))
    assert world.events("token:issued")[-1]["way"] == "renew"


def test_several_resources_give_one_token_each(world: World) -> None:
    token = passed(world, resource=BOTH)
    every = renew(world, token).json
    assert [claims(each["access_token"])["aud"] for each in every["tokens"]] == BOTH
    reversed_ = renew(world, token, [PAYMENTS, API]).json
    assert [each["resource"] for each in reversed_["tokens"]] == [PAYMENTS, API]
    one = renew(world, token, [PAYMENTS]).json
    assert (claims(one["access_token"])["aud"], "tokens" in one) == (PAYMENTS, False)


@pytest.mark.parametrize("resource", [[], [PAYMENTS], [API, PAYMENTS], ["https://elsewhere.example"], [ISSUER]])
def test_token_for_one_resource_gives_none_for_another(world: World, resource: list[str]) -> None:
    """A resource server that was sent the token must not get what is for others, though the impersonation has it."""
    code, _ = new_code(world, resource=BOTH)
    refused = renew(world, redeem(world, code).json["access_token"], resource)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_target")


def test_token_of_any_way_of_the_exchange_is_renewed(world: World) -> None:
    assert renew(world, world.way_a().json["access_token"]).status_code == 200


def test_token_exchanged_on_behalf_is_not_renewed(world: World) -> None:
    """It would come back without the party that it was exchanged for, and with every scope."""
    own = world.way_a().json["access_token"]
    for token in (world.way_d(own).json["access_token"], world.way_d().json["access_token"]):
        refused = renew(world, token)
        assert (refused.status_code, refused.json["error"]) in {(403, "insufficient_scope"), (401, "invalid_token")}


@pytest.mark.parametrize("who", ["agent", "customer", "admin"])
def test_persons_own_token_is_not_renewed(world: World, who: str) -> None:
    refused = renew(world, world.token(who))
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")


def test_clients_own_token_is_not_renewed(world: World) -> None:
    assert renew(world, world.client_token(resource=API)).status_code in {401, 403}


def test_without_a_token_nothing_is_renewed(world: World) -> None:
    assert world.api("POST", "/appetize/renew", json={}).status_code == 401


def test_ended_impersonation_renews_nothing(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    token = passed(world)
    world.end(claims(token)["impersonation"]["id"])
    assert renew(world, token).status_code == 401


def test_clock_that_ran_out_renews_nothing(world: World) -> None:
    token = passed(world, expires_in=60)
    world.clock.pass_(59)
    fresh = renew(world, token).json
    assert fresh["expires_in"] == 1
    world.clock.pass_(1)
    assert renew(world, fresh["access_token"]).status_code == 401


def test_revoked_token_renews_nothing(world: World) -> None:
    token = world.way_a().json["access_token"]
    world.post("/oauth/revoke", {"token": token})
    assert renew(world, token).status_code == 401


def test_actors_session_that_ended_renews_nothing(world: World) -> None:
    token = passed(world)
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("agent"), now=world.clock.now())
    assert renew(world, token).status_code == 401


def test_policy_is_asked_again(world: World) -> None:
    token = passed(world)
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), roles=[])
    refused = renew(world, token)
    assert (refused.status_code, refused.json["error"]) == (403, "access_denied")
    event = world.events("request:refused")[-1]
    assert (event["endpoint"], event["actor"]) == ("appetize.renew", world.id("agent"))


def test_renewed_token_dies_with_the_code_that_it_came_of(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    code, _ = new_code(world)
    fresh = renew(world, redeem(world, code).json["access_token"]).json["access_token"]
    fresh = renew(world, fresh).json["access_token"]
    redeem(world, code)
    assert world.introspect(fresh) == {"active": False}
    assert renew(world, fresh).status_code == 401
