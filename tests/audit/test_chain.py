"""What is recorded is chained, durable with its work and only with it (design section 5)."""

import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from authserver.audit.canonical import canonical
from authserver.audit.events.changes import UserChanged
from authserver.audit.events.tokens import TokenIssued
from authserver.storage import trail
from authserver.storage.database import unit_of_work

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

THREADS = 8
APPENDS = 25


def test_events_are_chained_in_the_order_in_which_they_are_recorded(house: House) -> None:
    house.record(house.ended("a"), house.ended("b"))
    house.record(house.ended("c"))
    first, second, third = house.events()
    assert [json.loads(row.payload)["session_id"] for row in (first, second, third)] == ["a", "b", "c"]
    assert (first.seq, first.prev) == (1, "0" * 64)
    assert (second.prev, third.prev) == (first.digest, second.digest)
    assert trail.head(house.session, "main") == (3, third.digest)


def test_digest_is_the_sha_256_of_everything_but_itself(house: House) -> None:
    house.record(house.ended("a"))
    (row,) = house.events()
    stands = {
        "chain_id": "main",
        "seq": 1,
        "prev": "0" * 64,
        "at_ms": house.clock.ms,
        "name": "session:ended",
        "version": 1,
        "impersonation_id": None,
        "payload": {"by": "system", "session_id": "a", "user_id": "usr_1"},
    }
    assert row.digest == hashlib.sha256(canonical(stands)).hexdigest()


def test_crash_leaves_no_event(house: House) -> None:
    def crash() -> None:
        with unit_of_work() as work:
            house.trail.record(work, house.ended("crashed"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert house.events() == []
    house.record(house.ended("a"))
    assert [row.seq for row in house.events()] == [1]


def test_rollback_forgets_what_was_recorded_and_nothing_recorded_later(house: House) -> None:
    with unit_of_work() as work:
        house.trail.record(work, house.ended("forgotten"))
        work.rollback()
        house.trail.record(work, house.ended("kept"))
    assert [json.loads(row.payload)["session_id"] for row in house.events()] == ["kept"]


def test_one_work_records_again_after_its_commit(house: House) -> None:
    with unit_of_work() as work:
        house.trail.record(work, house.ended("a"))
        work.commit()
        house.trail.record(work, house.ended("b"))
    assert [row.seq for row in house.events()] == [1, 2]


def test_recorded_before_the_lock_is_kept_through_it(house: House) -> None:
    with unit_of_work() as work:
        house.trail.record(work, house.ended("a"))
        work.lock()
        house.trail.record(work, house.ended("b"))
    assert [row.seq for row in house.events()] == [1, 2]


def test_personal_value_stands_beside_the_chain_and_its_commitment_in_it(house: House) -> None:
    house.record(house.refused())
    (row,) = house.events()
    assert "203.0.113.7" not in row.payload
    (value,) = trail.personal(house.session, "main")
    assert (value.field, value.value, len(bytes.fromhex(value.salt or ""))) == ("address", "203.0.113.7", 16)


def test_erased_personal_value_leaves_the_chain_whole(house: House) -> None:
    house.record(house.refused())
    with unit_of_work() as work:
        work.lock()
        assert trail.erase_personal(work.session, "main", 1, "address")
        assert not trail.erase_personal(work.session, "main", 1, "address")
        assert not trail.erase_personal(work.session, "main", 2, "address")
        work.commit()
    assert trail.personal(house.session, "main") == [("main", 1, "address", None, None)]
    assert house.verify().ok


def test_hostile_text_is_capped_and_made_storable(house: House) -> None:
    house.record(replace(house.refused("a\0\ud800" + "x" * 10_000), reason="y" * 10_000, target="\0"))
    (row,) = house.events()
    payload = json.loads(row.payload)
    assert (len(payload["reason"]), payload["reason"][-1], payload["target"]) == (2_048, "…", "\ufffd")
    (value,) = trail.personal(house.session, "main")
    assert value.value is not None
    assert value.value.startswith("a\ufffd\ufffdxxx")
    assert house.verify().ok


def test_details_of_any_plain_shape_are_recorded(house: House) -> None:
    changes = {"roles": ("lead", "support"), "set": {"b", "a"}, "big": 2**80, "no": None, "deep": {"x": [True]}}
    house.record(UserChanged(user_id="usr_1", action="changed", by="cli", changes=changes))
    (row,) = house.events()
    assert json.loads(row.payload)["changes"] == {
        "roles": ["lead", "support"],
        "set": ["a", "b"],
        "big": str(2**80),
        "no": None,
        "deep": {"x": [True]},
    }


def test_fraction_is_refused_where_it_is_recorded(house: House) -> None:
    with unit_of_work() as work, pytest.raises(TypeError):
        house.trail.record(work, UserChanged(user_id="usr_1", action="changed", by="cli", changes={"x": 0.5}))


def test_events_are_found_by_name_impersonation_and_time(house: House) -> None:
    house.record(house.ended("a"))
    house.clock.ms += 1000
    house.record(replace(house.ended("b"), impersonation_id="imp_1"), house.refused())
    find = trail.events
    session, start = house.session, house.clock.ms
    assert [row.seq for row in find(session, "main", trail.Selection(name="request:refused"))] == [3]
    assert [row.seq for row in find(session, "main", trail.Selection(impersonation_id="imp_1"))] == [2]
    assert [row.seq for row in find(session, "main", trail.Selection(from_ms=start))] == [2, 3]
    assert [row.seq for row in find(session, "main", trail.Selection(until_ms=start))] == [1]
    assert [row.seq for row in find(session, "main", after_seq=1, limit=1)] == [2]
    assert [row.seq for row in trail.newest(session, "main", before_seq=3, limit=5)] == [2, 1]
    assert trail.event_count(session, "main") == 3


def test_tokens_payload_is_a_schema(house: House) -> None:
    house.record(
        TokenIssued(
            impersonation_id="imp_1",
            jti="j",
            kind="access",
            way="A",
            client_id="backend",
            subject="usr_2",
            actor="usr_1",
            audience=("https://api.example.com",),
            scopes=("api:read",),
            kid="k",
            expires_at=1,
        )
    )
    (row,) = house.events()
    assert (row.name, row.version, row.impersonation_id) == ("token:issued", 1, "imp_1")
    assert json.loads(row.payload)["audience"] == ["https://api.example.com"]


def test_threads_do_not_fork_the_chain(house: House) -> None:
    barrier = threading.Barrier(THREADS)
    errors: list[BaseException] = []

    def append(thread: int) -> None:
        try:
            with house.app.app_context():
                barrier.wait()
                for number in range(APPENDS):
                    house.record(house.ended(f"{thread}-{number}"))
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    report = house.verify()
    assert (report.findings, report.events) == ((), THREADS * APPENDS)
    assert len({row.payload for row in house.events()}) == THREADS * APPENDS


APPENDING = """
import pathlib, sys
from flask import Flask
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import SessionEnded
from authserver.clock import SystemClock
from authserver.entropy import SystemEntropy
from authserver.settings import Database
from authserver.storage import database
app = Flask("trail")
database.install(app, Database(url=sys.argv[1], pool_size=2))
trail = Trail(SystemClock(), SystemEntropy())
with app.app_context():
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(25):
        with database.unit_of_work() as work:
            trail.record(work, SessionEnded(session_id=f"{sys.argv[2]}-{number}", user_id="usr_1", by="system"))
"""


def test_processes_do_not_fork_the_chain(house: House) -> None:
    command = [sys.executable, "-c", APPENDING, house.url]
    processes = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    report = house.verify()
    assert (report.findings, report.events) == ((), 100)
