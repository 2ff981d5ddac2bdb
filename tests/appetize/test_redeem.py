"""One-time codes: passed to a device instead of a token, redeemed once (design section 6)."""

from typing import Any

import pytest

from authserver.storage import people
from tests.appetize.handing_off import (
    BOTH,
    SECTIONS,
    configured,
    fresh_code,
    hand_off,
    new_code,
    redeem,
)
from tests.conftest import MakeWorld
from tests.signing_in import stranger_reasons
from tests.world import API, PAYMENTS, World, claims


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**SECTIONS)


def refused(world: World, code: str, **more: Any) -> tuple[int, str]:
    answer = redeem(world, code, **more)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, str(answer.json["error"])


def disable(world: World, who: str) -> None:
    with world.work() as work:
        work.lock()
        people.set_enabled(work.session, world.id(who), enabled=False)


# --- success


def test_code_gives_the_token_that_would_have_been_passed(world: World) -> None:
    code, handoff = new_code(world)
    world.clock.pass_(10)
    answer = redeem(world, code)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.json
    assert body == {
        "access_token": body["access_token"],
        "token_type": "Bearer",
        "expires_in": 3590,
        "scope": "accounts:read",
        "impersonation_id": handoff["impersonation_id"],
    }
    shown = claims(body["access_token"])
    assert (shown["sub"], shown["aud"], shown["act"]["sub"]) == (world.id("customer"), API, world.id("agent"))
    assert world.introspect(body["access_token"])["active"]
    assert [event["name"] for event in world.events(impersonation_id=handoff["impersonation_id"])][-2:] == [
        "handoff-code:redeemed",
        "token:issued",
    ]


def test_several_resources_give_one_token_each(world: World) -> None:
    code, _ = new_code(world, resource=BOTH)
    body = redeem(world, code).json
    assert [each["resource"] for each in body["tokens"]] == BOTH
    assert [claims(each["access_token"])["aud"] for each in body["tokens"]] == BOTH
    assert [each["scope"] for each in body["tokens"]] == ["accounts:read", "payments:read"]
    assert {name: body[name] for name in ("access_token", "scope")} == {
        name: body["tokens"][0][name] for name in ("access_token", "scope")
    }


def test_code_stands_in_no_table_and_no_event(world: World) -> None:
    code, handoff = new_code(world)
    assert code not in str(world.events(impersonation_id=handoff["impersonation_id"]))
    with world.work() as work:
        connection = work.session.connection().connection
        assert code not in "\n".join(connection.iterdump())


# --- the clock


@pytest.mark.parametrize(("seconds", "status"), [(599, 200), (600, 400)])
def test_launch_code_lives_ten_minutes(world: World, seconds: int, status: int) -> None:
    code, _ = new_code(world)
    world.clock.pass_(seconds)
    assert redeem(world, code).status_code == status


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_code_by_deep_link_lives_a_minute(world: World, seconds: int, status: int) -> None:
    handoff = hand_off(world, "by-link")
    configured(world, handoff)
    world.clock.pass_(300)
    code = fresh_code(world, handoff).json["value"]
    world.clock.pass_(seconds)
    assert redeem(world, code).status_code == status


def test_code_never_outlives_its_impersonation(world: World) -> None:
    code, _ = new_code(world, expires_in=30)
    world.clock.pass_(30)
    assert refused(world, code) == (400, "invalid_grant")


# --- refusals


@pytest.mark.parametrize("code", ["x", "x" * 43, "ünknown", "'; DROP TABLE handoff_codes; --", "x" * 512])
def test_wrong_code_is_refused_and_counts_against_its_address(world: World, code: str) -> None:
    assert refused(world, code) == (400, "invalid_grant")
    assert stranger_reasons(world) == {"handoff_code.unknown"}


def test_many_wrong_codes_have_to_wait_and_a_right_one_has_not(make_sqlite_world: MakeWorld) -> None:
    """The devices of one cloud share an address: whoever guesses there must not keep the others out."""
    world = make_sqlite_world(**SECTIONS, accounts={"address_free_failures": 3})
    code, _ = new_code(world)
    assert [refused(world, f"wrong {number}")[0] for number in range(5)] == [400, 400, 400, 429, 429]
    assert redeem(world, code).status_code == 200


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": 7}, {"code": "x" * 4097}, {"code": "x", "more": 1}, []])
def test_body_that_holds_no_code_is_400(world: World, body: Any) -> None:
    answer = world.api("POST", "/appetize/redeem", json=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")


def test_replayed_code_is_refused_and_kills_what_it_gave(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    code, handoff = new_code(world, resource=BOTH)
    tokens = [each["access_token"] for each in redeem(world, code).json["tokens"]]
    other = redeem(world, new_code(world, started=handoff["impersonation_id"])[0]).json["access_token"]
    assert [refused(world, code) for _ in range(2)] == [(400, "invalid_grant")] * 2
    assert world.introspect(tokens[0]) == {"active": False}
    assert world.api("POST", "/appetize/renew", token=tokens[1]).status_code == 401
    assert world.introspect(other)["active"]
    assert len(world.events("handoff-code:replayed", handoff["impersonation_id"])) == 1


def test_ended_impersonations_code_gives_nothing(world: World) -> None:
    code, handoff = new_code(world)
    world.end(handoff["impersonation_id"])
    assert refused(world, code) == (400, "invalid_grant")
    [*_, event] = world.events("request:refused")
    assert (event["endpoint"], event["reason"]) == ("appetize.redeem", "handoff_code.impersonation_over")


@pytest.mark.parametrize("who", ["agent", "customer"])
def test_everything_is_checked_again_before_a_code_gives_anything(world: World, who: str) -> None:
    code, _ = new_code(world)
    disable(world, who)
    assert refused(world, code) == (403, "access_denied")


def test_code_dies_with_the_actors_session(world: World) -> None:
    code, _ = new_code(world)
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("agent"), now=world.clock.now())
    assert redeem(world, code).status_code == 403


def test_code_is_no_other_one_time_value_and_no_other_is_a_code(world: World) -> None:
    code, handoff = new_code(world)
    started = world.way_a().json
    for other in (handoff["config_secret"], started["impersonation"], started["access_token"]):
        assert refused(world, other) == (400, "invalid_grant")
    assert world.way_c(code).status_code == 400
    assert world.introspect(code) == {"active": False}
    assert redeem(world, code).status_code == 200


def test_page_elsewhere_may_not_redeem_and_is_told_nothing(world: World) -> None:
    code, _ = new_code(world)
    foreign = redeem(world, code, headers={"Origin": "https://app.example.com"})
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert redeem(world, code).status_code == 200


# --- by deep link


def test_configuration_by_deep_link_has_no_value(world: World) -> None:
    handoff = hand_off(world, "by-link")
    assert configured(world, handoff) == {
        "buildId": "link-build",
        "platform": "ios",
        "record": False,
        "debug": False,
        "params": {},
        "language": "sv",
        "locale": "sv_SE",
        "appearance": "dark",
    }
    fresh = fresh_code(world, handoff).json
    assert fresh == {
        "url": f"appetize://impersonation/{fresh['value']}",
        "value": fresh["value"],
        "expires_in": 60,
    }
    assert redeem(world, fresh["value"]).status_code == 200


def test_device_is_started_signed_out_and_gets_its_code_once_the_customer_agreed(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    handoff = hand_off(world, "by-link", target="customer-ask")
    configured(world, handoff)
    assert fresh_code(world, handoff).status_code == 409
    world.clock.pass_(200)
    world.decide(handoff["impersonation_id"], "consent", "customer-ask")
    assert redeem(world, fresh_code(world, handoff).json["value"]).status_code == 200
    again = world.api("POST", f"/appetize/handoffs/{handoff['id']}/config", "agent", json={})
    assert again.status_code == 410


def test_launch_parameters_are_not_given_out_while_somebody_decides(world: World) -> None:
    handoff = hand_off(world, target="customer-ask")
    answer = world.api("POST", f"/appetize/handoffs/{handoff['id']}/config", "agent", json={})
    assert answer.status_code == 409


def test_app_that_was_started_again_gets_a_fresh_code_and_not_too_often(world: World) -> None:
    _, handoff = new_code(world)
    first = fresh_code(world, handoff)
    assert first.json["url"] == f"appetize://impersonation/{first.json['value']}"
    refused = fresh_code(world, handoff)
    assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
    world.clock.pass_(2)
    second = fresh_code(world, handoff)
    assert second.json["value"] != first.json["value"]
    assert [redeem(world, each.json["value"]).status_code for each in (first, second)] == [200, 200]


def test_fresh_code_is_for_a_device_that_was_started(world: World) -> None:
    handoff = hand_off(world)
    assert fresh_code(world, handoff).status_code == 409
    configured(world, handoff)
    assert fresh_code(world, handoff).status_code == 200
    world.end(handoff["impersonation_id"])
    assert fresh_code(world, handoff).status_code == 410


@pytest.mark.parametrize(("who", "status"), [("agent2", 404), ("vip", 404), ("lead", 403), ("customer", 403)])
def test_fresh_code_is_for_the_actor_alone(world: World, who: str, status: int) -> None:
    _, handoff = new_code(world)
    assert fresh_code(world, handoff, who).status_code == status


def test_app_that_gets_its_token_with_the_launch_gets_nothing_by_link(world: World) -> None:
    handoff = hand_off(world, "demo-bank")
    configured(world, handoff)
    assert fresh_code(world, handoff).status_code == 409


def test_short_tokens_can_go_by_link_where_no_token_is_too_long(make_sqlite_world: MakeWorld) -> None:
    app = {
        "build_id": "b",
        "platform": "android",
        "how": "deep_link",
        "passes": "token",
        "deep_link": "bank://x/{value}",
    }
    world = make_sqlite_world(**{"server": {"max_token_bytes": 2000}, "appetize.apps.by-token": app})
    handoff = hand_off(world, "by-token")
    configured(world, handoff)
    fresh = fresh_code(world, handoff).json
    assert fresh["url"].startswith("bank://x/eyJ")
    assert claims(fresh["value"])["aud"] == API


def test_resource_of_the_handoff_bounds_what_its_code_gives(world: World) -> None:
    started = world.start(resource=BOTH).json["id"]
    body = {"impersonation": started, "app": "by-code", "resource": PAYMENTS}
    handoff = world.api("POST", "/appetize/handoffs", "agent", json=body).json
    given = redeem(world, configured(world, handoff)["params"]["impersonatedUserToken"]).json
    assert (claims(given["access_token"])["aud"], "tokens" in given) == (PAYMENTS, False)
