"""A company's own numbers in a copy of the shipped policies, through the whole server."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from authserver.protocol.names import Role
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, statuses
from tests.oauth.exchanging import change_session, change_user, given, mint, refused, waits
from tests.world import REASON, START, World, error

SHIPPED = Path(__file__).parents[2] / "config" / "policy"
HOUR = 3600
Narrowed = Callable[..., World]

OFFICE_HOURS = ("hours.cedar", "context.hour >= 0 && context.hour <= 23", "context.hour >= 9 && context.hour < 17")
WEEK = ("hours.cedar", "context.weekday >= 1 && context.weekday <= 7", "context.weekday <= 5")
CLIENT_NETWORK = ("network.cedar", 'context.clientAddress.isInRange(ip("127', 'context.clientAddress.isInRange(ip("10')
THREE_CUSTOMERS = ("quota.cedar", "context.distinctCustomers > 200", "context.distinctCustomers > 3")
ONE_AT_A_TIME = ("quota.cedar", "context.activeImpersonations >= 1000", "context.activeImpersonations >= 1")
ONE_MINUTE = ("authentication.cedar", "context.authAge > 43200", "context.authAge > 60")
MAX_AGE = ("authentication.cedar", '@max_age("43200")', '@max_age("60")')
CODE_REQUIRED = ("reason.cedar", "when { context.hasReasonCode }\n", "")
SWISS_ONLY = ("target.cedar", 'principal.groups.contains("own-country-only")', "true")


@pytest.fixture
def narrowed(make_sqlite_world: MakeWorld, tmp_path: Path) -> Narrowed:
    """Make a world on a copy of the shipped policies with some texts replaced."""

    def make(*changes: tuple[str, str, str], make_world: MakeWorld = make_sqlite_world, **sections: Any) -> World:
        folder = shutil.copytree(SHIPPED, tmp_path / "policy")
        for file, before, after in changes:
            text = (folder / file).read_text()
            assert before in text
            (folder / file).write_text(text.replace(before, after))
        section = {"folder": str(folder), **sections.pop("policy", {})}
        return make_world(policy=section, **sections)

    return make


def decided_by(world: World, answer: Any) -> list[str]:
    policies: list[str] = refused(world, answer, "access_denied", "policy.denied")["policies"]
    return policies


# --- when


@pytest.mark.parametrize(
    ("zone", "opens", "closes"),
    [("UTC", 9, 17), ("Europe/Zurich", 8, 16), ("America/New_York", 14, 22), ("Asia/Kolkata", 3.5, 11.5)],
)
def test_office_hours_are_those_of_the_configured_zone(
    narrowed: Narrowed, zone: str, opens: float, closes: float
) -> None:
    """The day of these tests begins at 00:00 UTC on Friday, 15 January 2027."""
    world, midnight = narrowed(OFFICE_HOURS, policy={"time_zone": zone}), START - 8 * HOUR
    with_sessions_of_all_day(world)
    for hour, allowed in ((opens - 0.01, False), (opens, True), (closes - 0.01, True), (closes, False)):
        world.clock.seconds = midnight + hour * HOUR
        answer = world.way_a(**fresh(world))
        if allowed:
            assert answer.status_code == 200, (hour, answer.text)
        else:
            assert decided_by(world, answer) == ["hours.of-the-day"], hour


def with_sessions_of_all_day(world: World) -> None:
    change_session(world, "agent", expires_at=START + 5 * 86400)


def fresh(world: World) -> dict[str, Any]:
    """Return what makes the agent's sign-in one of just now, with a token of now."""
    change_session(world, "agent", auth_time=world.clock.now())
    return {"actor_token": mint(world)}


def test_days_of_the_week_are_those_of_the_configured_zone(narrowed: Narrowed) -> None:
    world = narrowed(WEEK, policy={"time_zone": "Pacific/Auckland"})
    with_sessions_of_all_day(world)
    world.clock.seconds = START - 8 * HOUR + 10.9 * HOUR  # 23:54 on Friday in Auckland
    assert world.way_a(**fresh(world)).status_code == 200
    world.clock.seconds = START - 8 * HOUR + 11 * HOUR  # and Saturday
    assert decided_by(world, world.way_a(**fresh(world))) == ["hours.of-the-week"]


# --- from where


def test_address_behind_a_proxy_counts_only_where_the_proxy_is_configured(
    narrowed: Narrowed, make_sqlite_world: MakeWorld
) -> None:
    """The company's network is 10.0.0.0/8; the agent's request comes through a proxy at 192.0.2.80."""
    direct = narrowed(CLIENT_NETWORK)
    policy = {"folder": str(direct.wired.settings.policy.folder)}
    behind = make_sqlite_world(policy=policy, server={"trusted_proxies": ["192.0.2.80/32"]})
    inside, outside = {"X-Forwarded-For": "10.1.2.3"}, {"X-Forwarded-For": "198.51.100.7"}
    for world, peer, headers, allowed in (
        (direct, "10.1.2.3", {}, True),
        (direct, "192.0.2.80", inside, False),
        (direct, "10.1.2.3", outside, True),
        (behind, "192.0.2.80", inside, True),
        (behind, "192.0.2.80", outside, False),
        (behind, "192.0.2.80", {}, False),
        (behind, "198.51.100.7", inside, False),
    ):
        form = {**asking(world), **REASON}
        answer = world.post("/oauth/token", form, headers=headers, environ_overrides={"REMOTE_ADDR": peer})
        if allowed:
            assert answer.status_code == 200, (peer, headers, answer.text)
        else:
            assert decided_by(world, answer) == ["network.client-address"]


def asking(world: World) -> dict[str, str]:
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": world.token("agent"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_subject": world.id("customer"),
    }


def test_session_from_elsewhere_is_refused_though_the_request_comes_from_inside(narrowed: Narrowed) -> None:
    world = narrowed(CLIENT_NETWORK)
    inside: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "10.1.2.3"}}
    change_session(world, "agent", address="198.51.100.7")
    answer = world.post("/oauth/token", {**asking(world), **REASON}, **inside)
    assert decided_by(world, answer) == ["network.session-address"]


# --- for whom


def test_country_of_the_agent_is_that_of_the_customer(narrowed: Narrowed) -> None:
    world = narrowed(SWISS_ONLY)
    assert world.way_a().status_code == 200
    change_user(world, "customer", country="CH")
    assert decided_by(world, world.way_a(ticket_id="BANK-2")) == ["target.own-country-only"]
    change_user(world, "agent", country="CH")
    assert world.way_a(ticket_id="BANK-2").status_code == 200


def test_whoever_became_more_privileged_is_a_target_no_longer(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    change_user(world, "customer", roles=["customer", "admin"])
    assert decided_by(world, world.way_c(handle)) == ["target.staff"]
    assert decided_by(world, world.way_a("lead")) == ["target.staff"]


def test_nobody_acts_for_themselves_nor_through_one_for_whom_they_act(world: World) -> None:
    """A→A, and A→B→A: a token with `act` is no actor, whoever its subject is."""
    assert "target.self" in decided_by(world, world.way_a("agent", "agent"))
    acting = world.way_a().json["access_token"]
    for target in ("agent", "vip", "customer"):
        refused(world, world.way_a(target=target, actor_token=acting), "invalid_request", "evidence.carries_act")
        refused(world, world.way_b(target=target, subject_token=acting), "invalid_request", "evidence.carries_act")


def test_vip_needs_an_approval_and_nobody_else_does(world: World) -> None:
    waits(world, world.way_a(target="vip"), "approval_required")
    waits(world, world.way_a("lead", "vip"), "approval_required")
    assert world.way_a(target="customer").status_code == 200


def test_full_mode_is_for_leads(world: World) -> None:
    assert decided_by(world, world.way_a(mode="full")) == ["who.full-mode-is-for-leads"]
    assert "cards:write" in given(world.way_a("lead", mode="full"))["scope"]


# --- how much


def test_distinct_customers_in_an_hour_are_counted_however_each_ended(narrowed: Narrowed) -> None:
    world = narrowed(THREE_CUSTOMERS)
    assert world.way_a(target="customer").status_code == 200
    assert error(world.way_a(target="lead")) == "access_denied"
    assert world.way_a(target="usr_" + "0" * 32).status_code == 400
    assert world.way_a(target="customer", ticket_id="BANK-2").status_code == 200, "one tried before is no new one"
    assert decided_by(world, world.way_a(target="vip")) == ["quota.distinct-customers"]
    assert error(world.way_a("agent2", "vip")) == "approval_required", "the quota is each agent's own"
    world.clock.pass_(HOUR - 1)
    assert decided_by(world, world.way_a(target="vip", **fresh(world))) == ["quota.distinct-customers"]
    world.clock.pass_(HOUR)
    assert error(world.way_a(target="vip", **fresh(world))) == "approval_required"


def test_agent_has_one_active_impersonation_at_a_time(narrowed: Narrowed) -> None:
    world = narrowed(ONE_AT_A_TIME)
    name = add_person(world, "other", Role.CUSTOMER)
    first = world.way_a().json
    assert decided_by(world, world.way_a(target=name)) == ["quota.active-impersonations"]
    assert world.way_c(first["impersonation"]).status_code == 200
    again = world.way_a()
    assert (again.status_code, again.json["impersonation_id"]) == (200, first["impersonation_id"])
    assert world.way_a("agent2", name).status_code == 200
    world.end(first["impersonation_id"])
    assert world.way_a(target=name).status_code == 200


def test_second_one_that_was_waiting_is_not_activated(narrowed: Narrowed) -> None:
    world = narrowed(ONE_AT_A_TIME)
    waiting = world.way_a(target="customer-ask").json["impersonation_id"]
    assert world.way_a().status_code == 200
    decided = world.decide(waiting, "consent", "customer-ask")
    assert (decided.status_code, decided.json["state"]) == (200, "denied")


def test_one_at_a_time_holds_for_many_asks_at_once(narrowed: Narrowed, make_world: MakeWorld) -> None:
    world = narrowed(ONE_AT_A_TIME, make_world=make_world)
    names = [add_person(world, f"customer-{number}", Role.CUSTOMER) for number in range(4)]
    answers = at_once(world, *[partial(World.way_a, target=name) for name in names])
    assert statuses(answers) == [200, 400, 400, 400]
    assert len(world.events("impersonation:activated")) == 1


def test_same_ask_when_the_one_before_has_just_run_out_is_decided_anew(world: World) -> None:
    """What an approval gave ends with it, though nobody has ended it yet."""
    first = world.way_a(target="vip").json
    world.decide(first["impersonation_id"], "approval", "lead")
    world.clock.pass_(HOUR)
    answer = world.way_a(target="vip", **fresh(world))
    assert waits(world, answer, "approval_required")["impersonation_id"] != first["impersonation_id"]


# --- why


def test_reason_code_can_be_required(narrowed: Narrowed) -> None:
    world = narrowed(CODE_REQUIRED)
    refused(world, world.way_a(reason_code=None), "invalid_request", "policy:reason.code-known")
    assert world.way_a().status_code == 200


def test_reason_and_ticket_show_in_introspection_trail_and_api(world: World) -> None:
    answer = world.way_a()
    shown = world.introspect(answer.json["access_token"])["impersonation"]
    assert (shown["reason"], shown["ticket_id"]) == (REASON["reason"], REASON["ticket_id"])
    record = world.api("GET", f"/api/v1/impersonations/{answer.json['impersonation_id']}", "agent").json
    assert {name: record[name] for name in REASON} == REASON
    items = world.api("GET", "/api/v1/audit/events", "auditor", query_string={"name": "impersonation:requested"})
    [event] = items.json["items"]
    assert (event["payload"]["ticket_id"], event["payload"]["reason_code"]) == ("BANK-1042", REASON["reason_code"])
    other = world.way_a(resource="https://payments.example.com", scope="payments:read")
    assert "reason" not in world.introspect(other.json["access_token"], "backend")["impersonation"]


# --- how fresh the sign-in is


def test_stale_sign_in_wants_a_fresh_one_and_the_same_request_then_succeeds(narrowed: Narrowed) -> None:
    world = narrowed(ONE_MINUTE, MAX_AGE)
    change_session(world, "agent", auth_time=world.clock.now() - 301)
    for call in (world.way_a, world.way_b):
        answer = call()
        refused(world, answer, "insufficient_user_authentication", "policy.step_up")
        assert answer.json["max_age"] == 60
        assert answer.json["acr_values"] == "urn:authserver:acr:password urn:authserver:acr:mfa phr"
    change_session(world, "agent", auth_time=world.clock.now())
    assert world.way_a().status_code == 200


def test_fresh_proof_serves_for_five_minutes(narrowed: Narrowed) -> None:
    world = narrowed(ONE_MINUTE, MAX_AGE)
    assert world.way_a().status_code == 200
    world.clock.pass_(300)
    assert world.way_a(ticket_id="BANK-2").status_code == 200
    world.clock.pass_(1)
    assert error(world.way_a(ticket_id="BANK-3")) == "insufficient_user_authentication"


def test_nobody_is_asked_twice_in_one_call(narrowed: Narrowed) -> None:
    """What was asked for with a fresh proof goes on: the wait for a consent, and every renewal."""
    world = narrowed(ONE_MINUTE, MAX_AGE)
    asked = waits(world, world.way_a(target="customer-ask"), "consent_required")
    world.clock.pass_(290)
    world.decide(asked["impersonation_id"], "consent", "customer-ask")
    world.clock.pass_(600)
    assert world.way_c(asked["impersonation"]).status_code == 200
    assert world.way_a(target="customer-ask").json["impersonation_id"] == asked["impersonation_id"]
    assert error(world.way_a()) == "insufficient_user_authentication", "another customer is another call"


def test_proof_that_serves_for_no_time_is_held_to_the_policy(narrowed: Narrowed) -> None:
    world = narrowed(ONE_MINUTE, MAX_AGE, impersonation={"fresh_proof_seconds": 0})
    world.clock.pass_(60)
    assert world.way_a().status_code == 200
    world.clock.pass_(1)
    assert error(world.way_a(ticket_id="BANK-2")) == "insufficient_user_authentication"
