"""Several processes on one database are one server: what happens in one is so in the others at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from authserver import settings as settings_module
from authserver.cli.db import migrate
from tests.conftest import MakeWorld, Postgres
from tests.journeys.at_once import assertion_form, at_once, prove, statuses
from tests.journeys.servers import House, Server
from tests.world import Answer, HandClock, World, error, header, make_app, settings_for

PROCESSES = 4
ROUNDS = 3
SOURCES = Path(__file__).parents[2]
DEMO = str(settings_module.config_folder() / "demo.toml")


# --- four processes that ask the same at the same moment


def _work_at_once(tasks: list[Path]) -> list[dict[str, Any]]:
    """Run a worker a task, all from one signal; return what each says."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.journeys.worker", str(task)],
                    cwd=SOURCES,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stack.enter_context(task.with_suffix(".log").open("w")),
                    text=True,
                )
            )
            for task in tasks
        ]
        for worker, task in zip(workers, tasks, strict=True):
            assert _lines(worker, until="ready"), task.with_suffix(".log").read_text()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        last = [_lines(worker, until="{") for worker in workers]
        assert all(last), [task.with_suffix(".log").read_text() for task in tasks]
        return [json.loads(line) for line in last]


def _lines(worker: "subprocess.Popen[str]", *, until: str) -> str:
    """Read lines (the log among them) until one begins so; return it, or nothing."""
    assert worker.stdout is not None
    return next((line for line in worker.stdout if line.startswith(until)), "")


def test_four_processes_fork_no_chain_consume_nothing_twice_and_lose_no_event(
    make_postgres_world: MakeWorld, postgres: Postgres, tmp_path: Path
) -> None:
    world = make_postgres_world()
    fresh_folder = tmp_path / "fresh"
    fresh_folder.mkdir()
    fresh = settings_for(postgres.make(), fresh_folder)
    migrate(fresh.database)
    to_end = [world.way_a(ticket_id=f"END-{number}").json["impersonation_id"] for number in range(ROUNDS)]
    device = {"impersonation": world.way_a(ticket_id="DEVICE-1").json["impersonation_id"], "app": "demo-bank"}
    assertion = assertion_form(world, "assertive")
    task = {
        "settings": [DEMO, str(tmp_path / "world" / "settings.toml")],
        "fresh_settings": [DEMO, str(fresh_folder / "settings.toml")],
        "credentials": world.credentials,
        "rounds": ROUNDS,
        "to_end": to_end,
        "handoffs": [world.api("POST", "/appetize/handoffs", "agent", json=device).json["id"] for _ in to_end],
        "assertions": [assertion(f"jti-{number}") for number in range(ROUNDS)],
    }
    before = Counter(event["name"] for event in world.events())
    tasks = [tmp_path / f"task-{number}.json" for number in range(PROCESSES)]
    for number, file in enumerate(tasks):
        file.write_text(json.dumps({**task, "number": number}))
    found = _work_at_once(tasks)

    counted = sum((Counter(one["counted"]) for one in found), Counter[str]())
    asked_by_all = PROCESSES * ROUNDS
    assert counted["configured 200"] == counted["assertion 200"] == ROUNDS
    assert counted["configured 410"] == counted["assertion 401"] == asked_by_all - ROUNDS
    for what in ("exchanges 200", "handles 200", "consents 200", "ended 200", "own ends 200", "dead handles 400"):
        assert counted[what] == asked_by_all * (2 if what == "exchanges 200" else 1), what
    shared = [{one["started"][f"SHARED-{number}"] for one in found} for number in range(ROUNDS)]
    assert [len(ids) for ids in shared] == [1] * ROUNDS

    assert prove(world).ok
    events = Counter(event["name"] for event in world.events())
    events.subtract(before)
    assert events["impersonation:requested"] == 2 * ROUNDS + asked_by_all
    assert events["impersonation:ended"] == ROUNDS + asked_by_all
    assert events["consent:decided"] == events["handoff:configured"] == ROUNDS
    assert events["request:refused"] == counted["refusals"]
    assert events["token:issued"] == counted["tokens"] + counted["assertion 200"]
    _check_prepared_once(World(make_app(fresh, HandClock()), HandClock(), {}))


def _check_prepared_once(world: World) -> None:
    """Four processes made what every server has on one fresh database."""
    assert prove(world).ok
    assert sorted(event["alg"] for event in world.events("key:changed")) == ["ES256", "Ed25519", "RS256"]
    assert len(world.events("resource:changed")) == 1
    world.close()


# --- servers that really run


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, Server, Server]]:
    """Two servers on one database."""
    folder = tmp_path_factory.mktemp("house")
    on_file = request.param == "sqlite"
    url = f"sqlite:///{folder / 'authserver.sqlite3'}" if on_file else request.getfixturevalue("postgres").make()
    house = House.build(folder, url)
    with house.server("one") as one, house.server("other") as other:
        yield house, one, other
    house.here.close()


@pytest.fixture
def house(running: tuple[House, Server, Server]) -> Iterator[House]:
    """The database, with everybody signed in anew; whatever happened to it, its trail is whole afterwards."""
    house = running[0]
    house.sign_in()
    yield house
    report = prove(house.here)
    assert report.ok, report.findings


@pytest.fixture
def one(running: tuple[House, Server, Server], house: House) -> World:
    """The first server."""
    return running[1].world(house.here.credentials)


@pytest.fixture
def other(running: tuple[House, Server, Server], house: House) -> World:
    """The second server."""
    return running[2].world(house.here.credentials)


def _works(*servers: World, ticket_id: str) -> list[str]:
    """Start one impersonation through every server; return its tokens, which live at every one."""
    answers = [server.way_a(ticket_id=ticket_id) for server in servers]
    assert statuses(answers) == [200] * len(servers)
    assert len({answer.json["impersonation_id"] for answer in answers}) == 1
    tokens = [str(answer.json["access_token"]) for answer in answers]
    assert all(server.introspect(token)["active"] for server in servers for token in tokens)
    return tokens


def test_impersonation_ended_at_one_server_is_dead_at_the_other(one: World, other: World) -> None:
    started = one.way_a(ticket_id="END-1").json
    assert other.introspect(started["access_token"])["active"]
    assert one.end(started["impersonation_id"]).json["state"] == "ended"
    assert other.introspect(started["access_token"]) == {"active": False}
    assert error(other.way_c(started["impersonation"])) == "access_denied"
    assert error(other.way_d(started["access_token"])) == "invalid_request"


def test_same_exchange_asked_of_two_servers_at_once_starts_one_impersonation(one: World, other: World) -> None:
    answers: list[Answer] = []

    def ask(_: World, server: World) -> None:
        answers.append(replace(server).way_a(ticket_id="ONCE-1"))

    at_once(one, *[partial(ask, server=server) for server in (one, other) * 4])
    assert statuses(answers) == [200] * 8
    assert len({answer.json["impersonation_id"] for answer in answers}) == 1


def test_rotated_key_is_followed_by_servers_that_run(house: House, one: World, other: World) -> None:
    before = _works(one, other, ticket_id="ROTATE-1")
    house.command("keys", "rotate")
    after = _works(one, other, ticket_id="ROTATE-1")
    (old,), (new,) = ({header(token)["kid"] for token in tokens} for tokens in (before, after))
    assert old != new
    for server in (one, other):
        published = {key["kid"] for key in server.api("GET", "/oauth/jwks").json["keys"]}
        assert {old, new} <= published
        assert all(server.introspect(token)["active"] for token in before)


def test_revoked_key_is_dead_at_servers_that_run(house: House, one: World, other: World) -> None:
    before = _works(one, other, ticket_id="REVOKE-1")
    kid = header(before[0])["kid"]
    house.command("keys", "revoke", kid)
    for server in (one, other):
        assert [server.introspect(token) for token in before] == [{"active": False}] * 2
        assert kid not in {key["kid"] for key in server.api("GET", "/oauth/jwks").json["keys"]}
        assert error(server.way_a()) == "invalid_request"  # the agent's own token was signed by it
    one.credentials = other.credentials = house.sign_in()
    after = _works(one, other, ticket_id="REVOKE-1")
    assert kid not in {header(token)["kid"] for token in after}


def test_person_disabled_by_command_is_stopped_at_servers_that_run(house: House, one: World, other: World) -> None:
    (token, _) = _works(one, other, ticket_id="DISABLE-1")
    house.command("users", "disable", "agent@example.com")
    try:
        for server in (one, other):
            assert server.introspect(token) == {"active": False}
            assert error(server.way_a(ticket_id="DISABLE-1")) == "invalid_request"
            assert server.api("GET", "/api/v1/impersonations", "agent").status_code == 401
    finally:
        house.command("users", "enable", "agent@example.com")


def test_server_killed_under_load_loses_no_event_that_it_answered_for(house: House, one: World) -> None:
    answered: list[str] = []

    def load(world: World, ticket: str) -> None:
        for number in range(10_000):
            try:
                answer = world.way_a(ticket_id=f"{ticket}-{number}")
            except requests.RequestException:
                return
            assert answer.status_code == 200, answer.text
            answered.append(answer.json["impersonation_id"])

    with house.server("victim") as victim, ThreadPoolExecutor(4) as pool:
        world = victim.world(house.here.credentials)
        loads = [pool.submit(load, replace(world), ticket) for ticket in ("KILLA", "KILLB", "KILLC", "KILLD")]
        while len(answered) < 24:
            time.sleep(0.01)
        os.killpg(victim.process.pid, signal.SIGKILL)
        for done in loads:
            done.result(timeout=20)
    assert all(len(house.here.events("token:issued", impersonation_id)) == 1 for impersonation_id in answered)
    _works(one, ticket_id="AFTER-1")
