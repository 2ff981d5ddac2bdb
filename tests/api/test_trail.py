"""Reading the trail through the API, which is itself an event (design section 5)."""

from typing import Any

import pytest

from tests.world import REASON, Answer, World

EVENTS = "/api/v1/audit/events"


def read(world: World, who: str = "auditor", **query: Any) -> Answer:
    return world.api("GET", EVENTS, who, query_string=query)


def test_event_is_shown_with_its_payload_its_place_and_its_personal_values(world: World) -> None:
    started = world.start().json["id"]
    answer = read(world, name="impersonation:requested")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    [event] = answer.json["items"]
    assert (event["chain_id"], event["name"], event["version"]) == ("main", "impersonation:requested", 1)
    assert (event["impersonation_id"], event["at"]) == (started, "2027-01-15T08:00:00.000Z")
    assert event["payload"]["actor"] == world.id("agent")
    assert set(event["payload"]["reason"]) == {"commitment"}
    assert event["personal"] == {
        "reason": REASON["reason"],
        "client_address": "127.0.0.1",
        "session_address": "127.0.0.1",
    }
    assert len(event["prev"]) == len(event["digest"]) == 64
    assert answer.json["next_cursor"] is None


@pytest.mark.parametrize("who", ["auditor", "admin"])
def test_every_reading_leaves_an_event_that_names_reader_and_question(world: World, who: str) -> None:
    for _ in range(2):
        assert read(world, who, limit=1, name="key:changed").status_code == 200
    shown = [{name: event[name] for name in ("reader", "how", "query")} for event in world.events("trail:read")]
    assert shown == [{"reader": world.id(who), "how": "api", "query": {"limit": 1, "name": "key:changed"}}] * 2


def test_auditor_is_told_of_customers_by_impersonations_alone_and_of_staff_always(world: World) -> None:
    def named(who: str, **query: Any) -> Any:
        return read(world, who, **query).json["names"]

    world.start()
    for who in ("customer-ask", "lead"):
        assert read(world, who).status_code == 403
    whole = {world.id("agent"): "Avery Agent", world.id("customer"): "Casey Customer"}
    customer, lead = {world.id("customer-ask"): "Charlie Customer"}, {world.id("lead"): "Lee Lead"}
    assert named("auditor", name="impersonation:requested") == whole
    assert named("admin", name="request:refused") == customer | lead
    assert named("auditor", name="request:refused") == lead


def test_refused_reading_is_no_reading(world: World) -> None:
    assert read(world, "lead").status_code == 403
    assert world.events("trail:read") == []
    assert world.events("request:refused")[-1]["endpoint"] == "api.list_audit_events"


def test_pages_are_newest_first_and_stable_while_readings_are_added(world: World) -> None:
    before = [event["seq"] for event in world.events()]
    seen: list[int] = []
    cursor: str | None = None
    while len(seen) < len(before):
        page = read(world, limit=7, **({} if cursor is None else {"cursor": cursor})).json
        seen += [event["seq"] for event in page["items"]]
        cursor = page["next_cursor"]
    assert seen == before[::-1]
    assert cursor is None


def test_events_are_those_of_one_impersonation_where_one_is_named(world: World) -> None:
    one, other = world.start().json["id"], world.start("agent2").json["id"]
    world.end(one)
    found = [event["name"] for event in read(world, impersonation_id=one).json["items"]]
    assert found == ["impersonation:ended", "impersonation:activated", "impersonation:requested"]
    named = read(world, impersonation_id=other, name="impersonation:ended").json
    assert named == {"items": [], "names": {}, "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "-1"},
        {"cursor": "1" * 19},
        {"cursor": "१२"},
        {"cursor": ""},
        {"cursor": "1\0"},
        {"limit": 0},
        {"limit": 201},
        {"name": "Impersonation Requested"},
        {"impersonation_id": "a b"},
        {"impersonation_id": "imp_\0"},
    ],
    ids=repr,
)
def test_malformed_question_is_400(world: World, query: dict[str, Any]) -> None:
    refused = read(world, **query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert world.events("trail:read") == []
