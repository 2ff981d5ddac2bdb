"""Listing impersonations by what they are and wait for, and ending them all."""

from typing import Any

import pytest

from authserver.protocol.names import OPEN_STATES, Role
from authserver.storage import impersonations, people
from tests.conftest import MakeWorld
from tests.world import REASON, Answer, World

LIST = "/api/v1/impersonations"
END = f"{LIST}/end"
EVERYBODY = ("agent", "agent2", "lead", "auditor", "admin", "customer", "customer-ask", "vip")


def listed(world: World, who: str = "lead", **query: Any) -> list[str]:
    answer = world.api("GET", LIST, who, query_string=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


@pytest.fixture
def told(world: World) -> dict[str, str]:
    """One that is active, one that waits for consent, one of agent2 that waits for approval, and one that ended."""
    found = {}
    found["active"] = world.start(reason_code="security_review").json["id"]
    world.clock.pass_(10)
    found["consent"] = world.start(target="customer-ask").json["id"]
    world.clock.pass_(10)
    found["approval"] = world.start("agent2", "vip").json["id"]
    world.clock.pass_(10)
    found["ended"] = world.start("lead", mode="full", ticket_id="OVER-1").json["id"]
    world.end(found["ended"], "lead")
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["ended", "approval", "consent", "active"]),
        ({"state": "active"}, ["active"]),
        ({"state": "ended,awaiting_consent"}, ["ended", "consent"]),
        ({"open": "true"}, ["approval", "consent", "active"]),
        ({"open": "false"}, ["ended"]),
        ({"open": "true", "state": "ended,active"}, ["active"]),
        ({"open": "false", "state": "active"}, []),
        ({"reason_code": "security_review"}, ["active"]),
        ({"mode": "full"}, ["ended"]),
        ({"since": "2027-01-15T08:00:10Z"}, ["ended", "approval", "consent"]),
        ({"until": "2027-01-15T08:00:10Z"}, ["active"]),
        ({"since": "2027-01-15T09:00:10+01:00", "until": "2027-01-15T08:00:20.000Z"}, ["consent"]),
        ({"waiting_for": "approval"}, ["approval"]),
        ({"waiting_for": "consent"}, ["consent"]),
        ({"waiting_for": "me"}, ["approval"]),
        ({"waiting_for": "approval", "state": "active"}, []),
        ({"actor": "usr_nobody"}, []),
    ],
    ids=str,
)
def test_listing_is_filtered(world: World, told: dict[str, str], query: dict[str, str], names: list[str]) -> None:
    assert listed(world, **query) == [told[name] for name in names]


def test_listing_is_filtered_by_who_takes_part(world: World, told: dict[str, str]) -> None:
    assert listed(world, actor=world.id("agent")) == [told["consent"], told["active"]]
    assert listed(world, subject=world.id("vip")) == [told["approval"]]
    assert listed(world, actor=world.id("agent2"), subject=world.id("customer")) == []


def test_no_filter_widens_what_one_may_list(world: World, told: dict[str, str]) -> None:
    own = {
        "agent": {"active", "consent"},
        "agent2": {"approval"},
        "customer": {"active", "ended"},
        "customer-ask": {"consent"},
        "vip": {"approval"},
    }
    filters: list[dict[str, str]] = [
        {"actor": world.id("agent")},
        {"subject": world.id("vip")},
        {"waiting_for": "approval"},
        {"waiting_for": "consent"},
        {"waiting_for": "me"},
        {"open": "true"},
        {"state": "awaiting_approval,ended"},
        {"since": "2027-01-15T08:00:00Z"},
    ]
    for who, names in own.items():
        assert set(listed(world, who)) == {told[name] for name in names}
        for query in filters:
            assert set(listed(world, who, **query)) <= {told[name] for name in names}, (who, query)


def test_who_waits_for_one_is_told_by_what_they_may_decide(world: World, told: dict[str, str]) -> None:
    waiting = {who: listed(world, who, waiting_for="me") for who in EVERYBODY}
    assert waiting == {who: [] for who in EVERYBODY} | {
        "lead": [told["approval"]],
        "customer-ask": [told["consent"]],
    }


def test_lead_is_not_asked_about_what_they_take_part_in(world: World) -> None:
    own = world.start("lead", "vip").json["id"]
    assert listed(world, waiting_for="approval") == [own]
    assert listed(world, waiting_for="me") == []


def test_actor_who_is_to_enter_a_code_finds_what_waits_for_it(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(consent={"ways": ["code"]}, notification={"channels": ["folder"]})
    started = world.start(target="customer-ask").json["id"]
    assert listed(world, "agent", waiting_for="me") == [started]
    assert listed(world, "agent2", waiting_for="me") == []


def test_what_ran_out_waits_no_more(world: World, told: dict[str, str]) -> None:
    world.clock.pass_(300)
    assert told["approval"] in listed(world, state="awaiting_approval")
    assert listed(world, waiting_for="approval") == listed(world, waiting_for="me") == []


def test_extension_waits_for_whom_the_policy_asks(world: World) -> None:
    by_vip, by_customer = (world.start(target=name, expires_in=600).json["id"] for name in ("vip", "customer-ask"))
    world.decide(by_vip, "approval", "lead")
    world.decide(by_customer, "consent", "customer-ask")
    assert listed(world, waiting_for="approval") == listed(world, waiting_for="consent") == []
    for each in (by_vip, by_customer):
        assert world.api("POST", f"{LIST}/{each}/extend", "agent", json={"expires_in": 900}).status_code == 200
    assert listed(world, waiting_for="approval") == listed(world, waiting_for="me") == [by_vip]
    assert listed(world, waiting_for="consent") == listed(world, "customer-ask", waiting_for="me") == [by_customer]
    assert listed(world, "vip", waiting_for="me") == []


def test_what_is_withheld_from_its_subject_is_found_by_no_filter(world: World) -> None:
    withheld = world.start(target="vip", reason_code="legal_request").json["id"]
    for query in ({}, {"reason_code": "legal_request"}, {"state": "awaiting_approval"}, {"waiting_for": "approval"}):
        assert listed(world, "vip", **query) == []
        assert listed(world, "lead", **query) == [withheld]


def test_pages_of_a_filtered_listing_are_whole(world: World) -> None:
    started = []
    for number in range(5):
        started.append(world.start(ticket_id=f"BANK-{number}").json["id"])
        world.end(world.start("agent2", ticket_id=f"OTHER-{number}").json["id"], "agent2")
    query = {"state": "active", "actor": world.id("agent"), "limit": "2"}
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = world.api("GET", LIST, "lead", query_string=query | ({"cursor": cursor} if cursor else {})).json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (sorted(started, reverse=True), None)


@pytest.mark.parametrize(
    "query",
    [
        {"state": "asleep"},
        {"state": "active,"},
        {"state": ""},
        {"state": ["active", "ended"]},
        {"mode": "god"},
        {"since": "yesterday"},
        {"until": "2027-02-31T08:00:00Z"},
        {"waiting_for": "godot"},
        {"open": "perhaps"},
        {"actor": "a b"},
    ],
    ids=str,
)
def test_malformed_filter_is_400(world: World, query: dict[str, Any]) -> None:
    refused = world.api("GET", LIST, "lead", query_string=query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")


def test_listing_shows_decisions_and_user_names_to_staff_alone(world: World) -> None:
    started = world.start(target="vip").json["id"]
    world.decide(started, "approval", "lead")
    [by_lead], [by_vip] = (world.api("GET", LIST, who).json["items"] for who in ("lead", "vip"))
    assert by_lead["approval"] == by_vip["approval"] != None  # noqa: E711 - and it is there
    assert [by_lead[side]["username"] for side in ("actor", "subject")] == ["agent@example.com", "v…@example.com"]
    assert [by_vip[side]["username"] for side in ("actor", "subject")] == [None, None]
    assert by_lead == world.api("GET", f"{LIST}/{started}", "lead").json


# --- end all


def end_all(world: World, who: str, **body: Any) -> Answer:
    return world.api("POST", END, who, json={"all": True, "reason": "an incident", **body})


@pytest.mark.parametrize("who", ["lead", "admin"])
def test_everything_is_ended_at_once_and_its_tokens_are_dead(world: World, who: str) -> None:
    token = world.way_a().json["access_token"]
    waiting = world.start("agent2", "customer-ask")
    over = world.start(ticket_id="OVER-1").json["id"]
    world.end(over)
    before = set(listed(world, open="true"))
    ended = end_all(world, who)
    assert ended.status_code == 200
    assert (ended.json["ended"], set(ended.json["ids"])) == (2, before)
    assert listed(world, open="true") == []
    assert world.introspect(token) == {"active": False}
    assert world.way_c(waiting.json["handle"], "agent2").json["error"] == "access_denied"
    shown = world.api("GET", f"{LIST}/{waiting.json['id']}", "lead").json
    assert (shown["state"], shown["ended_by"], shown["end_reason"]) == ("ended", world.id(who), "staff")
    [event] = world.events("impersonations:ended")
    assert (event["by"], event["count"], set(event["reason"])) == (world.id(who), 2, {"commitment"})
    assert len(world.events("impersonation:ended")) == 3
    assert end_all(world, who).json == {"ended": 0, "ids": []}


@pytest.mark.parametrize("who", sorted(set(EVERYBODY) - {"lead", "admin"}))
def test_nobody_else_ends_everything(world: World, who: str) -> None:
    started = world.start().json["id"]
    refused = end_all(world, who)
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")
    assert listed(world, open="true") == [started]
    event = world.events("request:refused")[-1]
    assert (event["endpoint"], event["actor"]) == ("api.end_impersonations", world.id(who))


@pytest.mark.parametrize(
    "body", [{"all": False}, {"all": None}, {"reason": ""}, {"reason": " "}, {"reason": None}, {"ids": []}], ids=str
)
def test_end_of_everything_is_said_outright_and_why(world: World, body: dict[str, Any]) -> None:
    started = world.start().json["id"]
    assert end_all(world, "lead", **body).status_code == 400
    assert listed(world, open="true") == [started]


def test_lead_who_is_one_no_more_ends_nothing(world: World) -> None:
    started = world.start(**REASON).json["id"]
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("lead"), roles=[Role.SUPPORT])
    assert end_all(world, "lead").status_code == 403
    with world.work() as work:
        found = impersonations.find(work.session, started)
        assert found is not None
        assert found.state in OPEN_STATES
