"""What no endpoint answers: refused before one is reached, or while the database is busy. It leaves its count."""

import io
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from authserver import telemetry
from authserver.storage import database
from tests.conftest import MakeWorld
from tests.web.sending import send
from tests.world import ISSUER, World, error

FORM = {"grant_type": "client_credentials"}


def refusals(world: World) -> str:
    return world.http.get("/metrics", base_url=ISSUER).text


def aggregates(world: World) -> list[dict[str, int]]:
    world.clock.pass_(60)
    world.wired.jobs.tick()
    return [event["reasons"] for event in world.events("strangers:refused")]


# --- before any endpoint


def test_what_is_refused_before_any_endpoint_is_counted_with_the_strangers(world: World) -> None:
    foreign = {"Origin": "https://evil.example.com"}
    assert send(world, "/oauth/token", b"a" * 65537).status_code == 413
    assert send(world, "/oauth/token", headers={"Host": "evil.example.com"}).status_code == 400
    assert send(world, "/api/v1/impersonations", headers=foreign).status_code == 403
    assert send(world, "/a\0b").status_code == 400
    assert send(world, "/oauth/token", b"a", environ_overrides={"CONTENT_LENGTH": "x"}).status_code == 400
    assert send(world, "/oauth/token", b"a", environ_overrides={"CONTENT_LENGTH": "9"}).status_code == 400
    for path in ("/nowhere", "/api/v1/nowhere", "/wp-login.php"):
        assert send(world, path).status_code == 404
    assert send(world, "/oauth/token", method="GET").status_code == 405
    counted = {
        "request.too_large": 1,
        "request.host": 1,
        "request.origin": 1,
        "request.path": 1,
        "request.framing": 1,
        "request.cut_short": 1,
        "request.status_404": 3,
        "request.status_405": 1,
    }
    shown = refusals(world)
    for reason, times in counted.items():
        assert f'oauth_refusals_total{{error="invalid_request",reason="{reason}"}} {times}.0' in shown
    assert aggregates(world) == [counted]


def test_a_refusal_by_an_endpoint_is_not_counted_twice(world: World) -> None:
    assert world.api("GET", "/api/v1/impersonations/imp_unknown", "agent").status_code == 404
    assert aggregates(world) == []


# --- a database that somebody else keeps locked


@pytest.fixture
def locked(make_sqlite_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose file another process has been writing to for longer than anybody waits."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    world = make_sqlite_world()
    with world.app.app_context():
        file = str(database.db.engine.url.database)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield world


def test_locked_database_is_temporarily_unavailable_at_an_oauth_endpoint(locked: World) -> None:
    answer = locked.post("/oauth/token", FORM)
    assert (answer.status_code, error(answer)) == (503, "temporarily_unavailable")
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Retry-After"]) > 0
    assert 'error="temporarily_unavailable",reason="storage.busy"} 1.0' in refusals(locked)


def test_locked_database_is_a_problem_at_the_api(locked: World) -> None:
    """Starting locks within the call; a refusal locks after it, for its evidence."""
    assert locked.api("GET", "/api/v1/impersonations", "agent").status_code == 200  # who only reads does not wait
    for answer in (locked.start(), locked.api("GET", "/api/v1/impersonations/imp_unknown", "agent")):
        assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert int(answer.headers["Retry-After"]) > 0


def test_writers_within_a_process_do_not_wait_for_ever_either(
    make_sqlite_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    world = make_sqlite_world()
    with database._sqlite_writer:
        assert error(world.post("/oauth/token", FORM)) == "temporarily_unavailable"
    assert world.post("/oauth/token", FORM).status_code == 200


def test_a_call_waits_once_for_writers_of_this_process_and_of_others(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who got in at the last moment has no time left for the other lock."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 1.0)
    holder = threading.Timer(0.9, database._sqlite_writer.release)
    assert database._sqlite_writer.acquire(timeout=1)
    holder.start()
    began = time.monotonic()
    assert locked.start().status_code == 503
    assert time.monotonic() - began < 1.6
    holder.join()


def test_a_busy_database_is_one_line_in_the_log_and_a_crash_still_a_traceback(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, stream = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    monkeypatch.setattr(root, "level", root.level)
    telemetry.configure("info", stream)
    assert locked.start().status_code == 503
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (told,) = [line for line in lines if line["event"] == "storage_busy"]
    assert (told["level"], told["endpoint"]) == ("warning", "api.start_impersonation")
    assert "Traceback" not in stream.getvalue()
    assert not [line for line in lines if line["level"] == "error"]
    monkeypatch.setattr(type(locked.wired.keyring), "jwks", None, raising=False)
    assert send(locked, "/oauth/jwks", method="GET").status_code == 500
    assert "Traceback" in stream.getvalue()


def test_what_was_answered_503_was_not_done_and_succeeds_later(
    make_sqlite_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    world = make_sqlite_world()
    before = world.events()
    with world.app.app_context():
        file = str(database.db.engine.url.database)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert world.start().status_code == 503
    assert world.events() == before
    assert world.start().status_code == 201
