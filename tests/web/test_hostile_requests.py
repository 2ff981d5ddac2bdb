"""Hostile requests at every endpoint: a clear error in the standard's form, never a 500, never a stack trace."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from authserver import telemetry
from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS
from tests.conftest import MakeWorld
from tests.web.sending import ENDLESS, FORM, OAUTH, send, well_formed
from tests.world import ISSUER, Answer, World, claims, error

GOOD = urlencode({"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}).encode()
READS = ("/oauth/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "\xff")
BODIES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"{",
    b"[" * 20_000,
    b'{"subject": "\\u0000", "resource": ["\\ud800"]}',
    b'{"decision": 7}',
    b"1e999999",
    b"a=%00",
    b"%ff=%fe",
    b"a" * 30_000,
    b"&" * 5_000,
)


def endpoints(world: World) -> list[str]:
    """Return one path of every rule that the server has."""
    return sorted({re.sub("<[^>]+>", "x", rule.rule) for rule in world.app.url_map.iter_rules()})


def never_a_crash(answer: Answer, path: str, method: str) -> None:
    assert answer.status_code < 500, (method, path, answer.text)
    if answer.status_code >= 400 and method != "HEAD":
        well_formed(answer, path)


def test_every_endpoint_survives_every_method(world: World) -> None:
    for path in endpoints(world):
        for method in METHODS:
            for who in ("admin", None):
                if who and path == ENDLESS:
                    continue
                headers = {"Authorization": f"Bearer {world.token(who)}"} if who else {}
                answer = send(world, path, b"a=b", method=method, client=None, headers=headers)
                never_a_crash(answer, path, method)


def test_every_endpoint_survives_every_body(make_world: MakeWorld) -> None:
    """On both databases, for one of them takes no NUL."""
    world = make_world()
    for path in endpoints(world):
        for kind in (FORM, "application/json"):
            for body in BODIES:
                headers = {} if path.startswith("/oauth") else {"Authorization": f"Bearer {world.token('agent')}"}
                client = "backend" if path.startswith("/oauth") else None
                answer = send(world, path, body, content_type=kind, client=client, headers=headers)
                never_a_crash(answer, path, "POST")


def test_every_endpoint_survives_every_header(world: World) -> None:
    """Each value once in each header: alone where it may stand for a caller, beside the others elsewhere."""
    hostile = ("\xff\xfe", "x" * 8000, ",;=\"'", "%00", "Basic " + "A" * 8000, "Bearer " + "." * 8000, "Bearer é.é.é")
    names = ("Content-Type", "Accept", "Cookie", "X-Request-Id", "X-Forwarded-For", "User-Agent")
    alone = [{"Authorization": value} for value in hostile]
    beside = [{name: hostile[(at + turn) % 7] for at, name in enumerate(names)} for turn in range(7)]
    for path in endpoints(world):
        for headers in alone + beside:
            kind = None if "Content-Type" in headers else FORM
            answer = send(world, path, GOOD, client=None, headers=headers, content_type=kind)
            never_a_crash(answer, path, "POST")


def test_every_endpoint_survives_a_hostile_query(world: World) -> None:
    queries = ("%00", "%ff", "limit=%00", "cursor=%00", "cursor=%ff&limit=-1", "limit=" + "9" * 5000, "a=1&a=2", "&&=")
    for path in endpoints(world):
        if path == ENDLESS:
            continue
        for query in queries:
            headers = {"Authorization": f"Bearer {world.token('admin')}"}
            answer = send(world, path, method="GET", client=None, headers=headers, query_string=query)
            never_a_crash(answer, path, "GET")


def test_wrong_method_is_405_and_says_which_is_right(world: World) -> None:
    """RFC 9110 §15.5.6; RFC 6749 §3.2: the client uses POST at the token endpoint."""
    for path in OAUTH:
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
            answer = send(world, path, GOOD, method=method)
            assert answer.status_code == 405
            assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
            if method != "HEAD":
                well_formed(answer, path)
                assert answer.json["error"] == "invalid_request"


def test_wrong_method_at_a_document_is_405(world: World) -> None:
    for path in READS:
        answer = send(world, path, GOOD)
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
        well_formed(answer, path)


def test_head_is_a_get_without_its_body(world: World) -> None:
    for path in READS:
        whole, head = (send(world, path, method=method, client=None) for method in ("GET", "HEAD"))
        assert (head.status_code, head.text) == (200, "")
        for name in ("Content-Type", "Content-Length", "Cache-Control"):
            assert head.headers[name] == whole.headers[name]


def test_options_names_the_methods_and_does_nothing(world: World) -> None:
    for path in (*OAUTH, *READS):
        answer = send(world, path, GOOD, method="OPTIONS")
        assert (answer.status_code, answer.text) == (200, "")
        assert "OPTIONS" in answer.headers["Allow"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert not world.events("request:refused")


def test_unknown_path_is_404(world: World) -> None:
    for path in (
        *("/", "/nowhere", "/oauth", "/oauth/", "/oauth/token/", "/OAUTH/TOKEN", "/oauth/device", "/.well-known/"),
        *("/api/v1/nowhere", "/appetize/nowhere", "/oauth/%ff", "/..%2f..%2fetc%2fpasswd", "//evil.example/x"),
    ):
        for method in ("GET", "POST"):
            answer = send(world, path, GOOD, method=method)
            assert answer.status_code == 404
            well_formed(answer, path)
            assert "Location" not in answer.headers


def test_every_answer_carries_the_same_headers(world: World) -> None:
    """Refusals before any endpoint too."""
    good, unknown, wrong = send(world, "/oauth/token", GOOD), send(world, "/nowhere"), send(world, "/oauth/jwks")
    foreign = send(world, "/oauth/token", GOOD, environ_overrides={"HTTP_HOST": "evil.example"})
    large = send(world, "/oauth/token", b"a" * 70_000)
    for answer in (good, unknown, wrong, foreign, large):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_crash_shows_nothing_of_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(type(world.wired.verifier), "verify", crash)
    for path in ("/oauth/introspect", "/api/v1/impersonations"):
        headers = {} if path.startswith("/oauth") else {"Authorization": f"Bearer {world.token('agent')}"}
        client = None if headers else "backend"
        answer = send(world, path, GOOD, method="POST" if client else "GET", client=client, headers=headers)
        assert answer.status_code == 500
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.json["error" if client else "title"] in {"server_error", "Internal Server Error"}
    monkeypatch.undo()
    assert send(world, "/oauth/introspect", GOOD).status_code == 200


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    stream = io.StringIO()
    telemetry.configure("debug", stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def test_no_secret_reaches_the_log(world: World, log: io.StringIO) -> None:
    """At its most talkative: what was granted, what was refused, what was sent to the wrong place."""
    started = world.way_a().json
    secret = str(world.credentials["clients"]["backend"]["client_secret"])
    known = [secret, world.basic()["Authorization"][6:], started["access_token"], started["impersonation"]]
    known += [str(user[kind]) for user in world.credentials["users"].values() for kind in ("access_token", "id_token")]
    handoff = {"impersonation": started["impersonation_id"], "app": "demo-bank"}
    known.append(world.api("POST", "/appetize/handoffs", "agent", json=handoff).json["config_secret"])
    world.way_b(), world.way_c(started["impersonation"]), world.way_d()
    world.introspect(started["access_token"])
    world.post("/oauth/revoke", {"token": started["access_token"]})
    for misplaced in known:
        send(world, "/oauth/token", GOOD, query_string={"client_secret": misplaced})
        send(world, "/oauth/token", misplaced.encode())
        send(world, f"/{misplaced}", method="GET")
        world.way_a(reason=misplaced, actor_token=misplaced)
        world.post("/oauth/token", {"client_id": misplaced, "client_secret": misplaced}, client=None)
    text = log.getvalue()
    assert text.count('"event": "request"') > 5 * len(known)
    for value in known:
        if value != "None":
            assert value not in text
            assert value.rpartition(".")[2] not in text
    assert "Traceback" not in text


def test_error_words_hold_nothing_of_the_request(world: World) -> None:
    marker = "hunter2"
    forms: list[dict[str, Any]] = [
        {"grant_type": marker},
        {"grant_type": GRANT_CLIENT_CREDENTIALS, "scope": marker},
        {"grant_type": GRANT_CLIENT_CREDENTIALS, "resource": f"https://{marker}.example"},
    ]
    for form in forms:
        answer = world.post("/oauth/token", form)
        assert error(answer)
        assert marker not in answer.text
        assert marker not in json.dumps(list(answer.headers))
    assert claims(world.client_token())["iss"] == ISSUER
