"""The unit of work: read, then lock, write and commit once; a refusal commits, a crash rolls back; no lock is kept."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from authserver.audit.chain import Trail
from authserver.storage import marks
from authserver.storage.database import StorageError, UniqueViolation, Work, db, unit_of_work
from tests.conftest import MakeWorld
from tests.world import World, error

SECONDS_TO_WAIT = 0.2


class CrashError(Exception):
    """A failure that nobody foresaw."""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def _mark(world: World, name: str) -> str | None:
    """Read a mark in a thread and a transaction of its own."""

    def read() -> str | None:
        with world.work() as work:
            return marks.get(work.session, name)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def _put(world: World, name: str, value: str = "set") -> None:
    """Write a mark in a thread and a transaction of its own."""

    def write() -> None:
        with world.work() as work:
            work.lock()
            marks.put(work.session, name, value)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write).result(timeout=5)


def test_written_under_lock_is_kept_at_the_end(world: World) -> None:
    with world.work() as work:
        work.lock()
        marks.put(work.session, "first", "set")
        assert _mark(world, "first") is None
    assert _mark(world, "first") == "set"


def test_read_before_the_lock_is_read_anew_after_it(world: World) -> None:
    with world.work() as work:
        assert marks.get(work.session, "first") is None
        _put(world, "first")
        work.lock()
        assert marks.get(work.session, "first") == "set"


def test_second_lock_of_one_work_is_the_same(world: World) -> None:
    with world.work() as work:
        work.lock()
        marks.put(work.session, "first", "set")
        work.lock()
        assert marks.get(work.session, "first") == "set"
    assert _mark(world, "first") == "set"


def test_written_without_a_lock_is_not_kept(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    with world.work() as work:
        marks.put(work.session, "first", "set")
    assert _mark(world, "first") is None


def test_action_before_the_commit_makes_the_work_a_writing_one(world: World) -> None:
    with world.work() as work:
        work.before_commit(lambda: marks.put(work.session, "first", "set"))
        assert not work.locked
    assert _mark(world, "first") == "set"


def test_actions_before_the_commit_run_once_and_in_order(world: World) -> None:
    ran: list[int] = []
    with world.work() as work:
        work.before_commit(lambda: ran.append(1))
        work.before_commit(lambda: ran.append(2))
        work.commit()
        assert ran == [1, 2]
        work.commit()
    assert ran == [1, 2]


def test_rollback_forgets_actions_and_writes(world: World) -> None:
    with world.work() as work:
        work.before_commit(lambda: marks.put(work.session, "action", "set"))
        work.lock()
        marks.put(work.session, "first", "set")
        work.rollback()
    assert (_mark(world, "first"), _mark(world, "action")) == (None, None)


def test_one_writer_at_a_time_on_sqlite(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    with ThreadPoolExecutor(1) as pool:
        with world.work() as work:
            work.lock()
            second = pool.submit(_put, world, "second")
            assert not wait([second], SECONDS_TO_WAIT).done
            assert _mark(world, "second") is None  # who only reads waits for nobody
        second.result(timeout=5)


# --- the writer's lock is given back on every path


def _crash(_work: Work) -> None:
    raise CrashError


def _crash_before_commit(work: Work) -> None:
    work.before_commit(lambda: _crash(work))


def _break_a_constraint(work: Work) -> None:
    work.session.execute(text("INSERT INTO marks (name, value) VALUES ('twice', ''), ('twice', '')"))


def _break_the_commit(work: Work) -> None:
    driver_connection = work.session.connection().connection.driver_connection
    assert driver_connection is not None
    driver_connection.close()


def _interrupt(_work: Work) -> None:
    raise KeyboardInterrupt


def _nothing(_work: Work) -> None:
    pass


def _commit_twice(work: Work) -> None:
    work.commit()
    work.lock()
    work.commit()


def _roll_back_twice(work: Work) -> None:
    work.rollback()
    work.lock()
    work.rollback()


KEPT = {"nothing goes wrong": _nothing, "committed twice": _commit_twice}
NOT_KEPT = {
    "a crash": (_crash, CrashError),
    "a crash before the commit": (_crash_before_commit, CrashError),
    "a statement that fails": (_break_a_constraint, UniqueViolation),
    "a connection that is gone": (_break_the_commit, StorageError),
    "an interrupt": (_interrupt, KeyboardInterrupt),
}


def _write_and(world: World, path: Callable[[Work], None]) -> None:
    with world.work() as work:
        work.lock()
        marks.put(work.session, "first", "set")
        path(work)


@pytest.mark.parametrize("path", KEPT.values(), ids=KEPT)
def test_lock_is_given_back_with_the_commit(world: World, path: Callable[[Work], None]) -> None:
    _write_and(world, path)
    _put(world, "later")
    assert (_mark(world, "first"), _mark(world, "later")) == ("set", "set")


@pytest.mark.parametrize(("path", "failure"), NOT_KEPT.values(), ids=NOT_KEPT)
def test_lock_is_given_back_when_the_work_fails(
    world: World, path: Callable[[Work], None], failure: type[BaseException]
) -> None:
    with pytest.raises(failure):
        _write_and(world, path)
    _put(world, "later")
    assert (_mark(world, "first"), _mark(world, "later")) == (None, "set")


def test_lock_is_given_back_with_the_rollback(world: World) -> None:
    _write_and(world, _roll_back_twice)
    _put(world, "later")
    assert (_mark(world, "first"), _mark(world, "later")) == (None, "set")


@contextmanager
def _held_by_another_process(world: World) -> Iterator[None]:
    """Hold SQLite's own write lock, as another process does."""
    path = world.wired.settings.database.url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_writer_waits_for_the_writer_of_another_process(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    with ThreadPoolExecutor(1) as pool:
        with _held_by_another_process(world):
            answer = pool.submit(world.way_a)
            assert not wait([answer], SECONDS_TO_WAIT).done
        assert answer.result(timeout=5).status_code == 200


def test_database_that_stays_busy_fails_one_request_and_no_later_one(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(database={"pool_size": 1})
    with world.app.app_context():
        db.session.execute(text("PRAGMA busy_timeout=20"))
        db.session.rollback()
    with _held_by_another_process(world):
        assert world.way_a().status_code >= 500
        with world.app.app_context(), pytest.raises(StorageError), unit_of_work() as work:
            work.lock()
    assert world.way_a().status_code == 200


def test_connections_that_run_out_fail_one_work_and_no_later_one(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(database={"pool_size": 1})
    with world.app.app_context():
        monkeypatch.setattr(db.engine.pool, "_timeout", 0.05)
        other = db.engine.connect()
        with pytest.raises(StorageError, match="QueuePool"), unit_of_work() as work:
            work.lock()
        other.close()
    assert world.way_a().status_code == 200


# --- through HTTP: a refusal commits, a crash rolls back


def test_refusal_at_the_token_endpoint_leaves_its_evidence(world: World) -> None:
    assert error(world.way_a(target="disabled")) == "access_denied"
    assert [event["error"] for event in world.events("request:refused")] == ["access_denied"]


def test_refusal_of_the_api_leaves_its_evidence(world: World) -> None:
    assert world.start(target="disabled").status_code == 403
    assert [event["error"] for event in world.events("request:refused")] == ["access_denied"]


def _crash_on(monkeypatch: pytest.MonkeyPatch, event_name: str) -> None:
    """Let the recording of one kind of event crash, when what it is about was written already."""
    record = Trail.record

    def crash(self: Trail, work: Work, event: Any) -> None:
        if event.name == event_name:
            raise CrashError
        record(self, work, event)

    monkeypatch.setattr(Trail, "record", crash)


def test_crash_at_the_token_endpoint_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.events()
    with monkeypatch.context() as patch:
        _crash_on(patch, "token:issued")
        assert world.way_a().status_code == 500
    assert world.events() == before
    assert world.api("GET", "/api/v1/impersonations", "admin").json["items"] == []
    assert world.way_a().status_code == 200


def test_crash_of_the_api_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started = world.way_a().json
    before = world.events()
    with monkeypatch.context() as patch:
        _crash_on(patch, "impersonation:ended")
        assert world.end(started["impersonation_id"]).status_code == 500
    assert world.events() == before
    assert world.introspect(started["access_token"])["active"]
    assert world.end(started["impersonation_id"]).json["state"] == "ended"


def test_crash_at_the_commit_of_the_api_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started = world.way_a().json
    before = world.events()
    append = "authserver.storage.trail.append"
    with monkeypatch.context() as patch:
        patch.setattr(append, _crash)
        assert world.end(started["impersonation_id"]).status_code == 500
    assert world.events() == before
    assert world.introspect(started["access_token"])["active"]
