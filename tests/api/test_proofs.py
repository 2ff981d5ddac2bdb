"""Verifying the trail with one call: what is whole, what is not, and that it stands in nobody's way."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from authserver.audit import heads
from authserver.storage import search
from authserver.storage.database import db
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once
from tests.world import Answer, World

VERIFY = "/api/v1/audit/verify"


def verify(world: World, who: str = "auditor") -> Answer:
    return world.api("POST", VERIFY, who)


def sign(world: World) -> None:
    with world.work() as work:
        wired = world.wired
        signer = wired.keyring.head_signer(work.session)
        heads.sign_head(work, wired.clock, signer, wired.settings.audit.anchor_file)


def tamper(world: World, statement: str, **values: object) -> None:
    with world.work() as work:
        work.lock()
        work.session.execute(text(statement), values)


@pytest.mark.parametrize("who", ["auditor", "admin"])
def test_whole_trail_is_intact_and_that_it_was_verified_is_recorded(make_world: MakeWorld, who: str) -> None:
    world = make_world()
    world.start()
    sign(world)
    before = len(world.events())
    answer = verify(world, who)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    shown = answer.json
    head = shown.pop("head")
    took_ms = shown.pop("took_ms")
    assert shown == {
        "intact": True,
        "events": before,
        "heads": shown["heads"],
        "anchors": shown["anchors"],
        "from_seq": 1,
        "to_seq": before,
        "problems": [],
    }
    assert shown["heads"] >= 1
    assert shown["anchors"] >= 1
    assert took_ms >= 0
    assert (head["seq"], head["at"], len(head["digest"])) == (before, "2027-01-15T08:00:00.000Z", 64)
    assert head["kid"]
    [event] = world.events("trail:verified")
    said = {name: event[name] for name in ("by", "intact", "events", "to_seq", "problems")}
    assert said == {"by": world.id(who), "intact": True, "events": before, "to_seq": before, "problems": 0}


TAMPERED = {
    "UPDATE audit_events SET payload = '{}' WHERE seq = 2": "event 2 ",
    "DELETE FROM audit_events WHERE seq = 3": "event 3 was removed",
    "UPDATE approvals SET digest = 'other'": "the approval of ",
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_does_not_fit_is_named(make_world: MakeWorld, statement: str) -> None:
    world = make_world()
    waiting = world.start(target="vip").json["id"]
    world.decide(waiting, "approval", "lead")
    tamper(world, statement)
    shown = verify(world).json
    assert shown["intact"] is False
    assert any(problem.startswith(TAMPERED[statement]) for problem in shown["problems"]), shown["problems"]
    assert world.events("trail:verified")[-1]["problems"] == len(shown["problems"])


def test_head_that_was_cut_off_is_missed_by_the_file_outside(world: World) -> None:
    world.start()
    sign(world)
    tamper(world, "DELETE FROM audit_heads")
    shown = verify(world).json
    assert (shown["intact"], shown["head"]) == (False, None)
    assert "was removed; anchor line" in " ".join(shown["problems"])


def test_only_one_runs_at_a_time_and_holds_up_nobody_who_records(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    running, go_on = threading.Event(), threading.Event()
    batches = search.batches

    def slow(*args: Any) -> Iterator[Any]:
        for rows in batches(*args):
            running.set()
            assert go_on.wait(10)
            yield rows

    def meanwhile(other: World) -> Answer:
        assert running.wait(10)
        try:
            assert other.start().status_code == 201
            return verify(other, "admin")
        finally:
            go_on.set()

    monkeypatch.setattr(search, "batches", slow)
    first, second = at_once(world, verify, meanwhile)
    assert (first.status_code, first.json["intact"]) == (200, True)
    assert (second.status_code, second.json["error"]) == (409, "conflict")
    assert verify(world).json["intact"] is True


@pytest.mark.parametrize("who", ["agent", "lead", "customer"])
def test_nobody_else_verifies(world: World, who: str) -> None:
    assert verify(world, who).status_code == 403
    assert world.events("trail:verified") == []
    assert world.events("request:refused")[-1]["endpoint"] == "api.verify_audit_trail"


def test_session_holds_no_connection_afterwards(world: World) -> None:
    verify(world)
    with world.app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue has it
