"""The ticket hook: only a clear yes in time counts, whatever else comes back; and the receiver can verify who asks."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import requests_mock

from authserver.settings import SettingsError
from tests.conftest import MakeWorld
from tests.oauth.exchanging import refused
from tests.world import REASON, Answer, World, settings_for

URL = "https://tickets.example.com/validate"
SECRET = "a secret of the company and its ticket system"
KEY = bytes(range(32))
REFUSED = "policy:reason.ticket-valid"
YES = {"valid": True}
HookedWorld = Callable[..., World]


@pytest.fixture
def hooked(make_sqlite_world: MakeWorld) -> HookedWorld:
    """Make a world that asks a ticket system."""

    def make(**hook: Any) -> World:
        return make_sqlite_world(ticket_hook={"url": URL, "secret": SECRET, "timeout_seconds": 1.0, **hook})

    return make


@pytest.fixture
def system() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


def test_yes_of_the_ticket_system_lets_it_pass(hooked: HookedWorld, system: requests_mock.Mocker) -> None:
    asked = system.post(URL, json={**YES, "title": "a wrong balance"})
    world = hooked()
    assert world.way_a().status_code == 200
    assert json.loads(asked.request_history[0].body) == {
        "issuer": "http://127.0.0.1:9000",
        "ticket_id": REASON["ticket_id"],
        "reason_code": REASON["reason_code"],
        "actor": world.id("agent"),
        "subject": world.id("customer"),
        "client_id": "backend",
    }


NO: list[dict[str, Any]] = [
    {"json": {"valid": False}},
    {"json": {}},
    {"json": {"valid": "true"}},
    {"json": {"valid": 1}},
    {"json": [YES]},
    {"json": None},
    {"text": "yes"},
    {"text": ""},
    {"content": b'{"valid": true\xff}'},
    {"text": "[" * 20_000},
    {"json": YES, "status_code": 201},
    {"json": YES, "status_code": 403},
    {"json": YES, "status_code": 500},
    {"json": YES, "status_code": 302, "headers": {"Location": URL + "/other"}},
    {"json": {**YES, "padding": "x" * 70_000}},
    {"exc": requests.ConnectTimeout},
    {"exc": requests.ReadTimeout},
    {"exc": requests.exceptions.SSLError},
    {"exc": requests.ConnectionError},
]


def test_everything_else_is_a_no(hooked: HookedWorld, system: requests_mock.Mocker) -> None:
    other = system.post(URL + "/other", json=YES)
    world = hooked()
    for answer in NO:
        system.post(URL, **answer)
        refused(world, world.way_a(), "invalid_request", REFUSED)
    refused(world, world.way_b(), "invalid_request", REFUSED)
    started = world.start()
    assert (started.status_code, started.json["error"]) == (400, "invalid_request")
    assert not other.called, "a redirection is not followed"
    assert world.events("impersonation:requested") == []
    system.post(URL, json=YES)
    assert world.way_a().status_code == 200


def test_no_is_not_remembered_and_a_yes_is_for_a_moment(hooked: HookedWorld, system: requests_mock.Mocker) -> None:
    answers = [{"json": {"valid": False}}, {"json": YES}, {"json": YES}, {"json": {"valid": False}}]
    asked = system.post(URL, answers)
    world = hooked(remember_seconds=60)
    refused(world, world.way_a(), "invalid_request", REFUSED)
    first = world.way_a().json
    world.clock.pass_(59)
    assert world.way_a().status_code == 200
    assert world.way_c(first["impersonation"]).status_code == 200
    assert asked.call_count == 2
    world.clock.pass_(1)
    assert world.way_c(first["impersonation"]).status_code == 200
    assert asked.call_count == 3
    world.clock.pass_(60)
    refused(world, world.way_c(first["impersonation"]), "invalid_request", REFUSED)


def test_yes_is_for_one_ticket_of_one_actor_for_one_customer(hooked: HookedWorld, system: requests_mock.Mocker) -> None:
    asked = system.post(URL, json=YES)
    world = hooked()
    calls: tuple[Callable[..., Answer], ...] = (
        world.way_a,
        partial(world.way_a, target="vip"),
        partial(world.way_a, actor="agent2"),
        partial(world.way_a, ticket_id="BANK-2"),
        partial(world.way_a, reason_code="security_review"),
    )
    for number, call in enumerate(calls, 1):
        assert call().json.get("error") in {None, "approval_required"}
        assert asked.call_count == number


def test_nobody_is_asked_about_what_is_refused_anyway(hooked: HookedWorld, system: requests_mock.Mocker) -> None:
    asked = system.post(URL, json=YES)
    world = hooked()
    for form in ({"ticket_id": "no ticket"}, {"ticket_id": None}, {"mode": "full"}, {"target": "lead"}):
        assert world.way_a(**form).status_code == 400
    assert not asked.called


def test_pattern_is_a_settings_own(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(impersonation={"ticket_pattern": "INC[0-9]{7}"})
    refused(world, world.way_a(), "invalid_request", REFUSED)
    refused(world, world.way_a(ticket_id="INC12345678"), "invalid_request", REFUSED)
    assert world.way_a(ticket_id="INC1234567").status_code == 200


# --- the signature


def verified(headers: Any, body: bytes, key: bytes, now: int) -> bool:
    """Verify a call as docs/policy.md shows it."""
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    fresh = abs(now - int(headers["webhook-timestamp"])) <= 300
    return fresh and any(hmac.compare_digest(expected, each) for each in headers["webhook-signature"].split())


@pytest.mark.parametrize(
    ("secret", "key"), [(SECRET, SECRET.encode()), ("whsec_" + base64.b64encode(KEY).decode(), KEY)]
)
def test_receiver_can_verify_who_asks(
    hooked: HookedWorld, system: requests_mock.Mocker, secret: str, key: bytes
) -> None:
    """Standard Webhooks 1.0.0: identifier, time and body are signed, each call under an identifier of its own."""
    asked = system.post(URL, json=YES)
    world = hooked(secret=secret)
    assert world.way_a().status_code == 200
    assert world.way_a("agent2").status_code == 200
    first, second = asked.request_history
    now = world.clock.now()
    assert verified(first.headers, first.body, key, now)
    assert not verified(first.headers, first.body + b" ", key, now)
    assert not verified(first.headers, first.body, b"another" * 8, now)
    assert not verified({**first.headers, "webhook-id": "msg_other"}, first.body, key, now)
    assert not verified(first.headers, first.body, key, now + 301)
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert first.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("secret", ["", "too short", "whsec_" + "not base64! " * 4])
def test_hook_without_a_usable_secret_stops_the_start(tmp_path: Any, secret: str) -> None:
    with pytest.raises(SettingsError, match=r"ticket_hook.*secret"):
        settings_for("sqlite://", tmp_path, ticket_hook={"url": URL, "secret": secret})


# --- over real connections


class TicketSystem(BaseHTTPRequestHandler):
    """A ticket system in a thread that knows one ticket, and verifies the signature itself."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = json.loads(body)["ticket_id"] == REASON["ticket_id"]
        valid = known and verified(self.headers, body, SECRET.encode(), int(self.headers["webhook-timestamp"]))
        answer = json.dumps({"valid": valid}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_real_ticket_system_says_yes_and_no(hooked: HookedWorld) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), TicketSystem) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        world = hooked(url=f"http://127.0.0.1:{server.server_port}/validate")
        assert world.way_a().status_code == 200
        refused(world, world.way_a(ticket_id="BANK-1"), "invalid_request", REFUSED)
        server.shutdown()
        thread.join()
    refused(world, world.way_a("agent2"), "invalid_request", REFUSED)


@contextmanager
def slow_server(start: bytes, drop: bytes) -> Iterator[str]:
    """Answer at once with `start`, and then with `drop` ten times a second for as long as somebody listens."""
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(start)
                while not done.wait(0.1):
                    connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done.set()
        listener.close()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW = {
    "says nothing": (b"", b""),
    "trickles its headers": (HEAD, b"X"),
    "trickles its body": (HEAD + b'Content-Length: 1000\r\n\r\n{"valid": true', b" "),
    "trickles chunks": (HEAD + b'Transfer-Encoding: chunked\r\n\r\ne\r\n{"valid": true\r\n', b"1\r\n \r\n"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_ticket_system_that_is_slow_in_any_way_is_cut_at_the_deadline(hooked: HookedWorld, kind: str) -> None:
    with slow_server(*SLOW[kind]) as url:
        world = hooked(url=url, timeout_seconds=0.4)
        began = time.monotonic()
        answer = world.way_a()
        assert time.monotonic() - began < 2
        refused(world, answer, "invalid_request", REFUSED)


def test_others_write_while_the_ticket_system_thinks(make_world: MakeWorld, system: requests_mock.Mocker) -> None:
    """The system is asked before the write: nobody's lock is held for its answer."""
    world = make_world(ticket_hook={"url": URL, "secret": SECRET, "timeout_seconds": 5.0})
    waiting, go_on = threading.Event(), threading.Event()

    def think(request: Any, _context: Any) -> dict[str, bool]:
        if json.loads(request.body)["actor"] == world.id("agent"):
            waiting.set()
            assert go_on.wait(5)
        return YES

    system.post(URL, json=think)
    other = world.way_a("agent2").json["impersonation_id"]
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(world.way_a().status_code))
    thread.start()
    assert waiting.wait(5)
    client = World(world.app, world.clock, world.credentials)
    assert client.end(other, "agent2").json["state"] == "ended"
    assert not answers
    go_on.set()
    thread.join()
    assert answers == [200]
