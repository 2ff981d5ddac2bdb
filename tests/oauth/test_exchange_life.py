"""How long tokens live (RFC 8693 §2.2.1 `expires_in`, design section 3 "Life")."""

from typing import Any

import pytest

from authserver.storage import people
from tests.oauth.exchanging import change_session, given, mint, of_way, refused, sign_in
from tests.world import Answer, World


def life(world: World, answer: Answer) -> int:
    token = given(answer)
    assert token["iat"] == world.clock.now()
    assert token["exp"] - token["iat"] == answer.json["expires_in"]
    return int(answer.json["expires_in"])


@pytest.mark.parametrize("way", "ABCD")
def test_requested_expires_in_shortens_and_never_lengthens(world: World, way: str) -> None:
    call = of_way(world, way)
    for asked, given_ in ((None, 3600), ("1", 1), ("0300", 300), ("3600", 3600), ("3601", 3600), ("9" * 12, 3600)):
        assert life(world, call(requested_expires_in=asked)) == given_


@pytest.mark.parametrize("way", "ACD")
def test_requested_expires_in_that_is_no_number_of_seconds_is_invalid_request(world: World, way: str) -> None:
    call = of_way(world, way)
    for asked in ("0", "000", "-1", "+60", "1.5", "1e3", "60s", " 60", "0x3c", "٣٠٠", "²", "9" * 60):
        refused(world, call(requested_expires_in=asked), "invalid_request", "requested_expires_in")


def test_token_dies_at_its_exp(world: World) -> None:
    token = world.way_a(requested_expires_in="60").json["access_token"]
    world.clock.pass_(59)
    assert world.introspect(token)["active"]
    world.clock.pass_(1)
    assert world.introspect(token) == {"active": False}


@pytest.mark.parametrize("way", "ABC")
def test_token_ends_no_later_than_the_session_of_its_actor(world: World, way: str) -> None:
    change_session(world, "agent", expires_at=world.clock.now() + 100)
    assert life(world, of_way(world, way)()) == 100


def test_way_d_token_ends_no_later_than_the_session_of_its_user(world: World) -> None:
    change_session(world, "customer", expires_at=world.clock.now() + 100)
    assert life(world, world.way_d()) == 100


def test_token_ends_no_later_than_the_impersonation_however_often_it_is_renewed(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    world.clock.pass_(3000)
    assert life(world, world.way_c(handle)) == 600
    assert life(world, world.way_a()) == 600
    assert life(world, world.way_c(handle, requested_expires_in="60")) == 60
    world.clock.pass_(599)
    assert life(world, world.way_c(handle)) == 1


def test_way_d_on_an_impersonation_ends_no_later_than_the_token_it_was_given(world: World) -> None:
    token = world.way_a(requested_expires_in="120").json["access_token"]
    world.clock.pass_(20)
    assert life(world, world.way_d(token)) == 100
    assert life(world, world.way_d(token, requested_expires_in="50")) == 50


def test_impersonation_that_has_run_out_gives_nothing_more(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    world.clock.pass_(3600)
    fresh = mint(world)
    refused(world, world.way_c(handle, actor_token=fresh), "expired_token", "impersonation.overdue")
    refused(world, world.way_c(handle, actor_token=fresh), "expired_token", "impersonation.expired")
    assert [event["end_reason"] for event in world.events("impersonation:ended")] == ["clock"]


def test_asking_again_after_the_clock_ran_out_starts_anew(world: World) -> None:
    first = world.way_a().json["impersonation_id"]
    world.clock.pass_(3600)
    again = world.way_a(actor_token=mint(world))
    assert life(world, again) == 3600
    assert again.json["impersonation_id"] != first


@pytest.mark.parametrize("way", "AC")
def test_token_lives_as_long_as_it_says_when_the_actor_has_signed_in_anew(world: World, way: str) -> None:
    """The session that counts is the one that was presented, and the token hangs on it."""
    change_session(world, "agent", expires_at=world.clock.now() + 100)
    handle = world.way_a().json["impersonation"]
    second = sign_in(world, "agent", "ses_second")
    form: dict[str, Any] = {"actor_token": mint(world, session_id=second)}
    answer = world.way_c(handle, **form) if way == "C" else world.way_a(**form)
    token = str(answer.json["access_token"])
    assert life(world, answer) == 3600
    world.clock.pass_(101)
    assert world.introspect(token)["active"]
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("agent"), now=world.clock.now())
    assert world.introspect(token) == {"active": False}
