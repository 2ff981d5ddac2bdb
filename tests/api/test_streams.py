"""The stream of an impersonation: what it tells, to whom, how many there are, and that nothing of it stays."""

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authserver.api.parts import ApiParts
from authserver.api.streams import Stream
from authserver.storage import changes, people, tokens
from authserver.storage.database import StorageBusy, db
from authserver.web.slots import Slots
from tests.conftest import MakeWorld
from tests.streams import Heard, blocks, heard
from tests.world import ISSUER, World, claims

OFTEN = {"check_seconds": 1, "per_person": 2, "in_all": 3}


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """A world whose streams are checked every second, two a person and three in all."""
    return make_sqlite_world(streams=OFTEN)


@contextmanager
def opened(world: World, impersonation_id: str, who: str = "agent", *, method: str = "GET") -> Iterator[TestResponse]:
    path = f"/api/v1/impersonations/{impersonation_id}/stream"
    headers = {"Authorization": f"Bearer {world.token(who)}"}
    response = world.app.test_client().open(path, method=method, headers=headers, base_url=ISSUER)
    try:
        yield response
    finally:
        response.close()


@contextmanager
def listening(world: World, impersonation_id: str, who: str = "agent") -> Iterator[Iterator[Heard]]:
    with opened(world, impersonation_id, who) as response:
        assert response.status_code == 200
        yield heard(response.iter_encoded())


def read(world: World, impersonation_id: str, who: str = "agent") -> dict[str, Any]:
    return world.api("GET", f"/api/v1/impersonations/{impersonation_id}", who).json


def post(world: World, impersonation_id: str, what: str, who: str, **body: Any) -> dict[str, Any]:
    answer = world.api("POST", f"/api/v1/impersonations/{impersonation_id}/{what}", who, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def slots(world: World) -> Slots:
    """Find the slots: the operation holds them, and nothing else does."""
    found = [each for each in gc.get_objects() if isinstance(each, ApiParts)]
    return next(each.slots for each in found if each.settings is world.wired.settings)


def soon(condition: Any) -> bool:
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(condition())


def watching() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watch"]


# --- what it tells


def test_stream_begins_with_what_reading_answers_and_nobody_may_keep_it(world: World) -> None:
    started = world.start().json["id"]
    with opened(world, started) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        chunks = iter(response.iter_encoded())
        assert next(chunks) == b"retry: 1000\n\n"
        first = next(heard(chunks))
    assert (first.event, first.data) == ("impersonation", read(world, started))


@pytest.mark.parametrize("who", ["agent", "customer-ask", "lead", "auditor"])
def test_everybody_is_told_what_they_themselves_would_read(world: World, who: str) -> None:
    """The agent the number to read out, the customer the words and the numbers to pick from, others neither."""
    waiting = world.start(target="customer-ask").json["id"]
    with listening(world, waiting, who) as events:
        first = next(events).data
    assert first == read(world, waiting, who)
    assert (first["consent_number"] is not None) == (who == "agent")
    assert (first["consent_request"] is not None) == (who == "customer-ask")


def test_every_decision_and_change_is_told_to_the_end(make_world: MakeWorld) -> None:
    world = make_world(streams=OFTEN)
    waiting = world.start(target="vip").json["id"]
    with listening(world, waiting) as events:
        told = [next(events)]
        post(world, waiting, "approval", "lead", decision="approve", remark="as discussed")
        told.append(next(events))
        world.clock.pass_(60)
        post(world, waiting, "device", "agent", state="ended")
        told.append(next(events))
        world.end(waiting, "vip")
        told += events
    assert [each.event for each in told] == ["impersonation"] * 4
    assert [each.data["state"] for each in told] == ["awaiting_approval", "active", "active", "ended"]
    assert [each.data["approval"] is not None for each in told] == [False, True, True, True]
    assert [each.data["grace_until"] is not None for each in told] == [False, False, True, True]
    assert [each.id for each in told] == sorted({each.id for each in told})
    assert told[-1].data == read(world, waiting)


def test_what_is_over_is_told_once(world: World) -> None:
    ended = world.start().json["id"]
    world.end(ended)
    with listening(world, ended, "customer") as events:
        assert [each.data["state"] for each in events] == ["ended"]


def test_change_before_the_first_poll_is_not_missed_until_the_next_check(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(streams={"check_seconds": 10})
    started = world.start().json["id"]
    with listening(world, started) as events:
        next(events)
        world.end(started)
        began = time.monotonic()
        assert next(events).data["state"] == "ended"
    assert time.monotonic() - began < 5


def test_silence_is_filled_with_comments(world: World) -> None:
    with opened(world, world.start().json["id"]) as response:
        found = blocks(response.iter_encoded())
        assert [next(found).partition("\n")[0] for _ in range(4)] == [
            "retry: 1000",
            "event: impersonation",
            ": keep-alive",
            ": keep-alive",
        ]


@pytest.mark.parametrize(("seconds", "pauses"), [(1, [1]), (10, [10]), (15, [7.5, 7.5]), (60, [10] * 6)])
def test_silence_is_never_longer_than_ten_seconds_and_a_check_never_late(
    make_sqlite_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, seconds: int, pauses: list[float]
) -> None:
    world = make_sqlite_world(streams={"check_seconds": seconds})
    waits: list[float] = []
    monkeypatch.setattr("authserver.web.watch.Watched.wait", lambda _, wait: waits.append(wait))
    looks: list[int] = []
    real = Stream._look

    def look(stream: Stream) -> object:
        looks.append(len(waits))
        return real(stream)

    monkeypatch.setattr(Stream, "_look", look)
    with opened(world, world.start().json["id"]) as response:
        found = blocks(response.iter_encoded())
        while len(looks) < 2:
            next(found)
    assert waits[: looks[1]] == pauses


# --- who hears


@pytest.mark.parametrize(("who", "status"), [("agent2", 404), ("vip", 404), ("disabled", 401)])
def test_what_is_not_ones_own_has_no_stream(world: World, who: str, status: int) -> None:
    started = world.start().json["id"]
    token = world.token(who) if who != "disabled" else "none"
    refused = world.api("GET", f"/api/v1/impersonations/{started}/stream", token=token)
    assert refused.status_code == status
    unknown = world.api("GET", "/api/v1/impersonations/imp_unknown/stream", token=token)
    assert (unknown.status_code, unknown.text) == (refused.status_code, refused.text)


def test_token_in_the_query_opens_no_stream(world: World) -> None:
    started = world.start().json["id"]
    path = f"/api/v1/impersonations/{started}/stream"
    assert world.api("GET", path, query_string={"access_token": world.token("agent")}).status_code == 401


def revoke(world: World) -> None:
    with world.work() as work:
        work.lock()
        tokens.revoke(work.session, claims(world.token("lead"))["jti"], now=world.clock.now())


def change(world: World, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("lead"), **values)


@pytest.mark.parametrize(
    ("happens", "status", "reason"),
    [
        (revoke, 401, "token.revoked"),
        (lambda world: world.clock.pass_(3600), 401, "token.expired"),
        (lambda world: change(world, enabled=False), 401, "user.disabled"),
        (lambda world: change(world, roles=["support"]), 404, "impersonation.not_ones_own"),
    ],
    ids=["revoked", "expired", "disabled", "role lost"],
)
def test_stream_ends_when_its_caller_may_hear_no_more(world: World, happens: Any, status: int, reason: str) -> None:
    started = world.start(expires_in=3600, ticket_id="LONG-1").json["id"]
    with listening(world, started, "lead") as events:
        next(events)
        happens(world)
        told = list(events)
    assert [(each.event, each.data["status"]) for each in told] == [("problem", status)]
    [event] = world.events("request:refused", started)
    assert (event["endpoint"], event["reason"]) == ("api.stream_impersonation", reason)
    assert event["actor"] == world.id("lead")


# --- how many


def test_streams_are_capped_per_person(world: World) -> None:
    started = world.start().json["id"]
    path = f"/api/v1/impersonations/{started}/stream"
    with opened(world, started), opened(world, started):
        refused = world.api("GET", path, "agent")
        assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        with opened(world, started, "customer") as another:
            assert another.status_code == 200
    with opened(world, started) as again:
        assert again.status_code == 200
    assert world.events("request:refused")[-1]["reason"] == "streams.per_person"


def test_streams_are_capped_in_all(world: World) -> None:
    started = world.start().json["id"]
    with opened(world, started), opened(world, started), opened(world, started, "customer"):
        refused = world.api("GET", f"/api/v1/impersonations/{started}/stream", "lead")
        assert (refused.status_code, refused.json["error"]) == (503, "temporarily_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    with opened(world, started, "lead") as again:
        assert again.status_code == 200


# --- nothing stays


def test_streams_share_one_thread_which_ends_with_the_last(world: World) -> None:
    started = world.start().json["id"]
    assert soon(lambda: watching() == [])
    with listening(world, started) as one, listening(world, started, "lead") as other:
        next(one), next(other)
        assert watching() == ["watch"]
        assert slots(world).open == 2
    assert slots(world).open == 0
    assert soon(lambda: watching() == [])
    with listening(world, started) as again:
        next(again)
        world.end(started)
        assert next(again).data["state"] == "ended"
    assert soon(lambda: watching() == [])


def test_stream_that_waits_holds_no_connection_to_the_database(make_world: MakeWorld) -> None:
    world = make_world(streams=OFTEN)
    with listening(world, world.start().json["id"]) as events, world.app.app_context():
        next(events)
        assert soon(lambda: db.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]


def test_head_opens_nothing(world: World) -> None:
    with opened(world, world.start().json["id"], method="HEAD") as response:
        assert response.status_code == 200
    assert slots(world).open == 0


def test_answer_that_is_never_sent_frees_its_slot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started = world.start().json["id"]
    held = slots(world)

    def fail(_: object) -> None:
        raise StorageBusy("no commit")

    with monkeypatch.context() as patched:
        patched.setattr("authserver.storage.database.Work.commit", fail)
        patched.setattr(
            world.app, "log_exception", lambda _: None
        )  # a test keeps what was logged, and all it refers to
        with opened(world, started) as response:
            assert response.status_code == 503
    gc.collect()
    assert held.open == 0
    assert soon(lambda: watching() == [])


def test_stream_that_fails_ends_and_frees_its_slot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Stream) -> None:
        raise StorageBusy("no reading")

    with listening(world, world.start().json["id"]) as events:
        next(events)
        monkeypatch.setattr(Stream, "_look", fail)
        assert list(events) == []
        assert slots(world).open == 0


def test_watching_goes_on_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started = world.start().json["id"]
    real, failures = changes.marks, [StorageBusy("busy")] * 2

    def marks(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(changes, "marks", marks)
    with listening(world, started) as events:
        next(events)
        assert soon(lambda: not failures)
        world.end(started)
        assert next(events).data["state"] == "ended"


def test_process_that_stops_ends_its_streams_and_takes_no_more(world: World) -> None:
    started = world.start().json["id"]
    with listening(world, started) as events:
        next(events)
        world.wired.watch.stop()
        assert list(events) == []
    refused = world.api("GET", f"/api/v1/impersonations/{started}/stream", "agent")
    assert (refused.status_code, refused.json["error"]) == (503, "temporarily_unavailable")
    assert slots(world).open == 0
