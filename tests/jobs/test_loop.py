"""What a process does by itself: expiry, strangers, signed heads, forgetting (design sections 4 and 5)."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from authserver.audit import heads
from authserver.impersonation.lifecycle import Lifecycle
from authserver.jobs import loop
from authserver.storage import clients, impersonations, listings
from authserver.storage.tables import AuditHead, Base, ClientAssertion, Token
from tests.conftest import MakeWorld
from tests.world import World

DAY = 86400


def tick(world: World) -> None:
    world.wired.jobs.tick()


def count(world: World, table: type[Base]) -> int:
    with world.work() as work:
        return work.session.scalar(select(func.count()).select_from(table)) or 0


def anchored(world: World) -> list[dict[str, Any]]:
    text = world.wired.settings.audit.anchor_file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# --- expiry


def test_everything_overdue_is_ended_in_batches(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    monkeypatch.setattr(loop, "_BATCH", 2)
    started = [world.start(ticket_id=f"BANK-{number}", expires_in=60).json["id"] for number in range(3)]
    waiting, kept = world.start(target="vip").json["id"], world.start().json["id"]
    world.clock.pass_(300)
    for _ in range(3):
        tick(world)
    ended = {event["impersonation_id"]: event["state"] for event in raw(world, "impersonation:ended")}
    assert ended == {**dict.fromkeys(started, "ended"), waiting: "expired"}
    assert kept not in ended


def raw(world: World, name: str) -> list[dict[str, Any]]:
    """Return events through the API, which names their impersonation."""
    items = world.api("GET", "/api/v1/audit/events", "auditor", query_string={"name": name}).json["items"]
    return [{**item["payload"], "impersonation_id": item["impersonation_id"]} for item in items]


def test_two_loops_at_once_leave_one_event(make_world: MakeWorld) -> None:
    world = make_world()
    other = make_world()
    world.start(expires_in=60)
    for each in (world, other):
        each.clock.seconds = world.clock.now() + 60
    barrier = threading.Barrier(2)

    def run(each: World) -> None:
        barrier.wait()
        tick(each)

    threads = [threading.Thread(target=run, args=[each]) for each in (world, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.events("impersonation:ended")) == 1


def test_what_was_decided_while_the_loop_looked_is_not_expired(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for an approval when it was found overdue, and waits for the customer, anew, when it is written."""
    world = make_world()
    with world.work() as work:
        work.lock()
        row = impersonations.standing_consent(work.session, world.id("vip"), now=world.clock.now())
        assert row is not None
        row.withdrawn_at = world.clock.now()
    started = world.start(target="vip").json["id"]
    with world.work() as work:
        stale = impersonations.find(work.session, started)
    assert stale is not None
    world.clock.pass_(299)
    assert world.decide(started, "approval", "lead").json["state"] == "awaiting_consent"
    world.clock.pass_(1)
    monkeypatch.setattr(listings, "overdue", lambda *_, **__: [stale])
    tick(world)
    assert world.api("GET", f"/api/v1/impersonations/{started}", "agent").json["state"] == "awaiting_consent"


# --- strangers


def test_strangers_are_recorded_when_their_minute_is_over(world: World) -> None:
    for _ in range(3):
        assert world.api("GET", "/api/v1/users").status_code == 401
    assert world.way_a(client=None).status_code == 401
    tick(world)
    assert world.events("strangers:refused") == []
    world.clock.pass_(60)
    tick(world)
    [event] = world.events("strangers:refused")
    assert (event["count"], event["reasons"]["token.missing"]) == (4, 3)
    tick(world)
    assert len(world.events("strangers:refused")) == 1


def test_strangers_of_the_present_minute_are_recorded_when_the_server_stops(world: World) -> None:
    world.api("GET", "/api/v1/users")
    world.wired.jobs.stop()
    assert [event["count"] for event in world.events("strangers:refused")] == [1]


def test_strangers_that_could_not_be_recorded_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.api("GET", "/api/v1/users")
    world.clock.pass_(60)

    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(type(world.wired.trail), "record", crash)
        with pytest.raises(RuntimeError):
            tick(world)
    tick(world)
    assert [event["count"] for event in world.events("strangers:refused")] == [1]


# --- heads


def test_head_is_signed_and_anchored_outside_the_database(make_world: MakeWorld) -> None:
    world = make_world()
    world.start()
    tick(world)
    [line] = anchored(world)
    assert line["seq"] == world.events()[-1]["seq"]
    with world.work() as work:
        [row] = work.session.scalars(select(AuditHead)).all()
        assert (row.seq, row.digest, row.kid) == (line["seq"], line["digest"], line["kid"])
        verifier = world.wired.keyring.head_verifier(work.session)
        signed = heads.parse(json.dumps(line))
        assert signed is not None
        assert verifier.verify(signed.kid, signed.signature) == heads.statement(signed)


def test_head_is_signed_in_its_rhythm_and_only_when_the_chain_moved(world: World) -> None:
    tick(world)
    world.start()
    tick(world)
    assert len(anchored(world)) == 1
    world.clock.pass_(2)
    tick(world)
    assert len(anchored(world)) == 2
    world.clock.pass_(2)
    tick(world)
    assert len(anchored(world)) == 2


# --- forgetting


def test_dead_tokens_are_forgotten_a_day_after_their_end(make_world: MakeWorld) -> None:
    world = make_world()
    tick(world)
    before = count(world, Token)
    token = world.way_a().json["access_token"]
    world.clock.pass_(3600 + DAY)
    tick(world)
    assert count(world, Token) == before + 1
    world.clock.pass_(600)
    tick(world)
    assert count(world, Token) == 0
    assert world.introspect(token) == {"active": False}


def test_used_assertions_are_forgotten_once_they_have_expired(make_world: MakeWorld) -> None:
    world = make_world()
    now = world.clock.now()
    with world.work() as work:
        work.lock()
        for jti, expires_at in (("old", now - 1), ("new", now + 60)):
            assert clients.use_assertion(work.session, "backend", jti, expires_at=expires_at)
    tick(world)
    with world.work() as work:
        assert work.session.scalars(select(ClientAssertion.jti_hash)).all() == ["new"]
        assert not clients.use_assertion(work.session, "backend", "new", expires_at=now + 60)


# --- the thread


def test_loop_outlives_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_TICK_SECONDS", 0.005)
    failed, went_on = threading.Event(), threading.Event()
    expire = Lifecycle.expire

    def once(*arguments: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise RuntimeError
        went_on.set()
        return expire(*arguments)

    monkeypatch.setattr(Lifecycle, "expire", once)
    world.start(expires_in=60)
    world.clock.pass_(60)
    world.wired.jobs.start()
    assert went_on.wait(5)
    world.wired.jobs.stop()
    assert failed.is_set()
    assert len(world.events("impersonation:ended")) == 1
