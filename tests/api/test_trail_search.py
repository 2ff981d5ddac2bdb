"""Finding in the trail what one looks for: by person, client, time, outcome and words; erased words never again."""

from typing import Any

import pytest

from authserver.audit.events.changes import ClientChanged
from authserver.audit.events.sign_in import SessionEnded
from authserver.storage import search, trail
from authserver.storage.database import new_work
from tests.conftest import MakeWorld
from tests.world import Answer, World

EVENTS = "/api/v1/audit/events"


def found(world: World, **query: Any) -> list[dict[str, Any]]:
    answer = world.api("GET", EVENTS, "auditor", query_string={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def names(world: World, **query: Any) -> list[str]:
    return [item["name"] for item in found(world, **query)]


def record(world: World, *events: Any) -> None:
    with world.work() as work:
        for event in events:
            world.wired.trail.record(work, event)


def test_name_may_be_the_beginning_of_names(make_world: MakeWorld) -> None:
    world = make_world()
    world.end(world.start().json["id"])
    assert names(world, name="impersonation:") == [
        "impersonation:ended",
        "impersonation:activated",
        "impersonation:requested",
    ]
    assert names(world, name="mpersonation:") == []


def test_person_is_found_in_whatever_part_they_took(make_world: MakeWorld) -> None:
    world = make_world()
    waiting = world.start(target="vip").json["id"]
    world.decide(waiting, "approval", "lead")
    world.api("GET", "/api/v1/users", "lead")
    events = found(world, person=world.id("lead"))
    assert [event["name"] for event in events][:2] == ["request:refused", "approval:decided"]
    as_subject = {event["name"] for event in found(world, person=world.id("vip"))}
    assert as_subject >= {"impersonation:requested", "impersonation:activated"}
    assert "trail:read" in {event["name"] for event in found(world, person=world.id("auditor"))}


def test_client_is_found_by_its_whole_name_letter_by_letter(make_world: MakeWorld) -> None:
    world = make_world()
    record(world, *[ClientChanged(client_id=name, action="x", by="cli") for name in ("app", "App", "app2")])
    assert [event["payload"]["client_id"] for event in found(world, client_id="App")] == ["App"]
    assert [event["payload"]["client_id"] for event in found(world, client_id="app")] == ["app"]


def test_value_that_imitates_a_member_is_not_taken_for_one(make_world: MakeWorld) -> None:
    world = make_world()
    record(world, ClientChanged(client_id='x","client_id":"app', action="x", by="cli"))
    assert found(world, client_id="app") == []


def test_time_is_bounded_on_both_sides(make_world: MakeWorld) -> None:
    world = make_world()
    world.start()
    world.clock.pass_(60)
    ended = world.start("agent2").json["id"]
    world.clock.pass_(60)
    world.end(ended, "agent2")
    within = {"since": "2027-01-15T08:01:00Z", "until": "2027-01-15T09:02:00+01:00"}
    events = found(world, name="impersonation:", **within)
    assert [(event["name"], event["impersonation_id"]) for event in events] == [
        ("impersonation:activated", ended),
        ("impersonation:requested", ended),
    ]
    assert names(world, since="2027-01-15T08:02:00Z", name="impersonation:") == ["impersonation:ended"]
    assert names(world, until="1971-01-01T00:00:00Z") == []


def test_refusals_are_those_of_callers_strangers_and_sign_ins(world: World) -> None:
    world.api("GET", "/api/v1/users", "agent")
    world.start()
    assert names(world, outcome="refusals") == ["request:refused"]


def test_words_stand_in_an_event_and_are_remembered_as_personal(make_world: MakeWorld) -> None:
    """Who looks for a name does not write it into the trail for ever."""
    world = make_world()
    world.start(ticket_id="BANK-7")
    assert names(world, q="BANK-7") == ["impersonation:requested"]
    assert names(world, q="bank-7") == []
    assert found(world, q="a wrong balance") == []
    [reading] = [event for event in found(world, name="trail:read") if event["personal"].get("looked_for") == "bank-7"]
    assert set(reading["payload"]["looked_for"]) == {"commitment"}
    assert "q" not in reading["payload"]["query"]
    assert found(world, q="bank-7") == []


@pytest.mark.parametrize("what", ["%", "_%_", "a\\", '"}{"', "' OR 1=1"])
def test_words_are_taken_as_they_are(make_world: MakeWorld, what: str) -> None:
    world = make_world()
    record(world, SessionEnded(session_id=f"ses {what}!", user_id="usr_x", by="system"))
    assert len(found(world, q=f"ses {what}!")) == 1
    assert found(world, q=f"ses {what}?") == []


def test_what_is_named_rarely_is_found_at_once(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of whom events name, and of events' names, is asked: nothing else is read."""
    world = make_world()
    monkeypatch.setattr(search, "PART", 3)
    monkeypatch.setattr(search, "SEARCHED", 6)
    monkeypatch.setattr(search, "BATCH", 2)
    record(world, ClientChanged(client_id="rare", action="x", by="usr_rare"))
    record(world, *[SessionEnded(session_id=f"ses_{n}", user_id="usr_x", by="system") for n in range(20)])
    for query in ({"person": "usr_rare"}, {"client_id": "rare"}, {"name": "client:"}, {"name": "client:changed"}):
        page = world.api("GET", EVENTS, "auditor", query_string={"limit": 2, **query}).json
        assert page["items"][0]["payload"].get("client_id") == "rare", query
    both = {"person": "usr_rare", "client_id": "rare", "name": "client:"}
    assert len(found(world, **both)) == 1
    assert found(world, person="usr_x", client_id="rare") == []
    seen: list[int] = []
    asked: dict[str, Any] = {"person": "usr_x", "limit": 3}
    while True:
        page = world.api("GET", EVENTS, "auditor", query_string=asked).json
        seen += [item["seq"] for item in page["items"] if item["name"] == "session:ended"]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert len(seen) == 20
    assert seen == sorted(seen, reverse=True)


def test_what_is_rare_is_found_by_going_on(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call goes over so much of the trail at most: a page may be empty, and another follow."""
    world = make_world()
    monkeypatch.setattr(search, "PART", 3)
    monkeypatch.setattr(search, "SEARCHED", 6)
    record(world, SessionEnded(session_id="ses_rare", user_id="usr_rare", by="system"))
    record(world, *[SessionEnded(session_id=f"ses_{n}", user_id="usr_x", by="system") for n in range(20)])
    pages: list[list[Any]] = []
    query: dict[str, Any] = {"q": "usr_rare", "limit": 2}
    while True:
        page: Answer = world.api("GET", EVENTS, "auditor", query_string=query)
        pages.append(page.json["items"])
        if page.json["next_cursor"] is None:
            break
        query["cursor"] = page.json["next_cursor"]
    assert [item["payload"]["session_id"] for page in pages for item in page] == ["ses_rare"]
    assert pages[0] == []
    with world.app.app_context():
        session = new_work().session
        seen = [row.seq for rows in search.batches(session, "main", trail.Selection(person="usr_x")) for row in rows]
        session.rollback()
    assert len(seen) == 20
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2027-01-15"},
        {"until": "2027-13-01T00:00:00Z"},
        {"outcome": "everything"},
        {"person": "a b"},
        {"q": "x"},
        {"q": "abc\0"},
        {"nobody": "knows"},
    ],
    ids=repr,
)
def test_malformed_filter_is_400_and_no_reading(world: World, query: dict[str, Any]) -> None:
    refused = world.api("GET", EVENTS, "auditor", query_string=query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert world.events("trail:read") == []
