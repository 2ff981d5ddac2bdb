"""The stream of a listing: what opens, changes and ends, to whom it is told, and that it is bounded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authserver.storage import people
from tests.conftest import MakeWorld
from tests.streams import Heard, heard
from tests.world import ISSUER, World

STREAM = "/api/v1/impersonations/stream"
OFTEN = {"check_seconds": 1, "per_person": 2, "in_all": 3}


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """A world whose streams are checked every second, two a person and three in all."""
    return make_sqlite_world(streams=OFTEN)


@contextmanager
def opened(world: World, who: str) -> Iterator[TestResponse]:
    headers = {"Authorization": f"Bearer {world.token(who)}"}
    response = world.app.test_client().get(STREAM, headers=headers, base_url=ISSUER)
    try:
        yield response
    finally:
        response.close()


@contextmanager
def listening(world: World, who: str) -> Iterator[Iterator[Heard]]:
    with opened(world, who) as response:
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "text/event-stream"
        yield heard(response.iter_encoded())


def pair(event: Heard) -> tuple[str, str]:
    assert event.event == "impersonation"
    assert set(event.data) == {"id", "state"}
    return event.data["id"], event.data["state"]


def snapshot(events: Iterator[Heard]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for event in events:
        if event.event == "ready":
            assert event.data == {"open": len(found)}
            return found
        found.append(pair(event))
    raise AssertionError


def test_stream_begins_with_what_is_open_and_goes_on_with_what_changes(make_world: MakeWorld) -> None:
    world = make_world(streams=OFTEN)
    first = world.start().json["id"]
    world.clock.pass_(1)
    waiting = world.start("agent2", "vip").json["id"]
    world.end(world.start(ticket_id="OVER-1").json["id"])
    with listening(world, "lead") as events:
        assert snapshot(events) == [(first, "active"), (waiting, "awaiting_approval")]
        world.decide(waiting, "approval", "lead")
        assert pair(next(events)) == (waiting, "active")
        world.end(first)
        assert pair(next(events)) == (first, "ended")
        asked = world.start(target="customer-ask").json["id"]
        assert pair(next(events)) == (asked, "awaiting_consent")
        world.api("POST", f"/api/v1/impersonations/{waiting}/extend", "agent2", json={"expires_in": 3700})
        world.api("POST", f"/api/v1/impersonations/{waiting}/device", "agent2", json={"state": "ended"})
        assert pair(next(events)) == (waiting, "active")


def test_change_is_heard_within_a_second(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(streams={"check_seconds": 15})
    with listening(world, "lead") as events:
        assert snapshot(events) == []
        started = world.start().json["id"]
        began = time.monotonic()
        assert pair(next(events)) == (started, "active")
    assert time.monotonic() - began < 1


def test_everybody_hears_of_what_they_may_list_and_of_nothing_else(world: World) -> None:
    own = {"agent": "customer", "agent2": "vip"}
    started = {actor: world.start(actor, target).json["id"] for actor, target in own.items()}
    seen = {}
    for who in ("agent", "agent2", "customer", "vip", "customer-ask", "lead", "auditor", "admin"):
        with listening(world, who) as events:
            seen[who] = {name for name, _ in snapshot(events)}
    mine, theirs = {started["agent"]}, {started["agent2"]}
    assert seen == {
        "agent": mine,
        "customer": mine,
        "agent2": theirs,
        "vip": theirs,
        "customer-ask": set(),
        **dict.fromkeys(("lead", "auditor", "admin"), mine | theirs),
    }


def test_what_others_do_is_not_told(world: World) -> None:
    with listening(world, "agent") as events:
        assert snapshot(events) == []
        world.end(world.start("agent2").json["id"], "agent2")
        own = world.start(target="customer-ask").json["id"]
        assert pair(next(events)) == (own, "awaiting_consent")


def test_what_is_withheld_from_its_subject_is_not_told_to_them(world: World) -> None:
    world.start(target="vip", reason_code="legal_request")
    with listening(world, "vip") as events:
        assert snapshot(events) == []


def change(world: World, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("lead"), **values)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda world: world.clock.pass_(3600), "token.expired"),
        (lambda world: change(world, enabled=False), "user.disabled"),
        (lambda world: change(world, roles=[]), "access.table"),
    ],
    ids=["expired", "disabled", "role lost"],
)
def test_stream_ends_when_its_caller_may_hear_no_more(world: World, happens: Any, reason: str) -> None:
    with listening(world, "lead") as events:
        snapshot(events)
        happens(world)
        told = list(events)
    assert [each.event for each in told] == ["problem"]
    event = world.events("request:refused")[-1]
    assert (event["endpoint"], event["reason"]) == ("api.stream_impersonations", reason)


def test_who_oversees_no_more_hears_only_of_their_own(world: World) -> None:
    started = world.start().json["id"]
    with listening(world, "lead") as events:
        assert snapshot(events) == [(started, "active")]
        change(world, roles=["support"])
        world.end(started)
        own = world.start("lead", "customer-ask").json["id"]
        assert pair(next(events)) == (own, "awaiting_consent")


def test_streams_of_listings_are_counted_with_all_others(world: World) -> None:
    one = world.start().json["id"]
    headers = {"Authorization": f"Bearer {world.token('agent')}"}
    path = f"/api/v1/impersonations/{one}/stream"
    with opened(world, "agent"), opened(world, "agent"):
        refused = world.api("GET", STREAM, "agent")
        assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
        assert world.app.test_client().get(path, headers=headers, base_url=ISSUER).status_code == 429
        with opened(world, "lead"):
            assert world.api("GET", STREAM, "admin").status_code == 503
    with listening(world, "agent") as again:
        assert snapshot(again) == [(one, "active")]


def test_process_that_stops_ends_its_streams(world: World) -> None:
    with listening(world, "lead") as events:
        snapshot(events)
        world.wired.watch.stop()
        assert list(events) == []
