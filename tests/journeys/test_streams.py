"""Streams over real HTTP, from servers that really run: heard within a second, given back, and in nobody's way."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from authserver.cli import listener
from tests.journeys.servers import House, Remote, Server
from tests.streams import Heard, heard
from tests.world import ISSUER, World

SECOND = 1.0
IN_ALL, PER_PERSON, CHECK_SECONDS = 48, 40, 3


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, Server, Server]]:
    """Two servers on one database, whose streams are checked every three seconds, and everybody signed in."""
    folder = tmp_path_factory.mktemp("house")
    on_file = request.param == "sqlite"
    url = f"sqlite:///{folder / 'authserver.sqlite3'}" if on_file else request.getfixturevalue("postgres").make()
    house = House.build(folder, url)
    streams = f"[streams]\ncheck_seconds = {CHECK_SECONDS}\nper_person = {PER_PERSON}\nin_all = {IN_ALL}\n"
    house.settings.write_text(house.settings.read_text() + streams)
    house.sign_in()
    with house.server("one") as one, house.server("other") as other:
        yield house, one, other
    house.here.close()


@pytest.fixture
def one(running: tuple[House, Server, Server]) -> World:
    """The first server."""
    return running[1].world(running[0].here.credentials)


@pytest.fixture
def other(running: tuple[House, Server, Server], one: World) -> World:
    """The second server."""
    return running[2].world(one.credentials)


def ask(world: World, impersonation_id: str, who: str = "agent") -> requests.Response:
    assert isinstance(world.app, Remote)
    return requests.get(
        f"{world.app._url}/api/v1/impersonations/{impersonation_id}/stream",
        headers={"Authorization": f"Bearer {world.token(who)}", "Host": ISSUER.partition("//")[2]},
        stream=True,
        timeout=20,
    )


@contextmanager
def listening(world: World, impersonation_id: str, who: str = "agent") -> Iterator[Iterator[Heard]]:
    with ask(world, impersonation_id, who) as response:
        assert response.status_code == 200, response.text
        yield heard(response.iter_content(None))


def quickest(times: int, happen: Callable[[int], float]) -> float:
    """Return the least of several times taken: the machine may be busy with other things."""
    return min(happen(number) for number in range(times))


def test_end_is_heard_from_another_connection_within_a_second(one: World) -> None:
    def end(number: int) -> float:
        started = one.start(ticket_id=f"END-{number}").json["id"]
        with listening(one, started) as events, listening(one, started, "customer") as theirs:
            assert (next(events).data["state"], next(theirs).data["state"]) == ("active", "active")
            began = time.monotonic()
            one.end(started, "customer")
            assert next(events).data["ended_by"] == one.id("customer")
            took = time.monotonic() - began
            assert list(events) == []
            assert [each.data["state"] for each in theirs] == ["ended"]
        return took

    assert quickest(3, end) < SECOND


def test_decision_at_one_server_is_heard_from_the_other_within_a_second(one: World, other: World) -> None:
    def consent(number: int) -> float:
        waiting = one.start(target="customer-ask", ticket_id=f"ASK-{number}").json["id"]
        with listening(other, waiting) as events:
            assert next(events).data["state"] == "awaiting_consent"
            began = time.monotonic()
            assert one.decide(waiting, "consent", "customer-ask").status_code == 200
            assert next(events).data["state"] == "active"
            took = time.monotonic() - began
            one.end(waiting)
        return took

    assert quickest(3, consent) < SECOND


def test_revoked_token_ends_its_stream_at_the_next_check(one: World, other: World) -> None:
    started = one.start(ticket_id="REVOKE-1").json["id"]
    with listening(one, started, "auditor") as events:
        next(events)
        assert other.post("/oauth/revoke", {"token": one.token("auditor")}).status_code == 200
        told = list(events)
    assert [(each.event, each.data["status"]) for each in told] == [("problem", 401)]
    refused = ask(one, started, "auditor")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


def test_many_streams_are_in_nobodys_way_and_every_slot_comes_back(one: World) -> None:
    """As many as there may be; exchanges go on, and who leaves without a word is noticed when the next one comes."""
    started = one.start(ticket_id="MANY-1").json["id"]
    with ExitStack() as stack:

        def opened(who: str, times: int) -> list[requests.Response]:
            return [stack.enter_context(ask(one, started, who)) for _ in range(times)]

        answers = opened("agent", PER_PERSON)
        assert {answer.status_code for answer in answers} == {200}
        refused = opened("agent", 1)[0]
        assert (refused.status_code, refused.headers["Content-Type"]) == (429, "application/problem+json")
        assert {answer.status_code for answer in opened("lead", IN_ALL - PER_PERSON)} == {200}
        full = opened("customer", 1)[0]
        assert (full.status_code, full.json()["error"]) == (503, "temporarily_unavailable")
        assert int(refused.headers["Retry-After"]) > 0 < int(full.headers["Retry-After"])
        assert [one.way_a(ticket_id=f"WHILE-{number}").status_code for number in range(5)] == [200] * 5
    assert freed(one, started)


def freed(world: World, impersonation_id: str) -> bool:
    """Tell whether all can be opened again at once: who comes finds out that those before listen no more."""
    with ExitStack() as stack:
        answers = [stack.enter_context(ask(world, impersonation_id)) for _ in range(PER_PERSON)]
        return {answer.status_code for answer in answers} == {200}


def test_open_stream_does_not_keep_a_server_from_stopping(running: tuple[House, Server, Server], one: World) -> None:
    house, _, _ = running
    started = one.start(ticket_id="STOP-1").json["id"]
    with house.server("leaving") as leaving:
        world = leaving.world(one.credentials)
        with listening(world, started) as events:
            next(events)
            began = time.monotonic()
            leaving.process.terminate()
            assert list(events) == []
            leaving.process.wait(timeout=20)
    assert time.monotonic() - began < listener.STOP_SECONDS
    assert Path(leaving.log).read_text().count("Traceback") == 0
