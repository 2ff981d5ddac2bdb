"""What is decided before any endpoint sees a request: size, Host, Origin, address; and what refusals leave."""

from io import BytesIO
from urllib.parse import urlencode

import pytest

from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_USER_ID
from authserver.storage.tables import AuditPersonal
from tests.conftest import MakeWorld
from tests.web.sending import OAUTH, send, well_formed
from tests.world import API, ISSUER, REASON, START, Answer, World, error

GOOD = urlencode({"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}).encode()
LIMIT = 65536
POSTS = (*OAUTH, "/api/v1/impersonations", "/appetize/handoffs")


def padded(size: int) -> bytes:
    return GOOD + b"&pad=" + b"a" * (size - len(GOOD) - 5)


def chunked(world: World, path: str, body: bytes) -> Answer:
    """Send a body as a WSGI server hands on a chunked one: without its length."""
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    headers = {"Transfer-Encoding": "chunked"}
    return send(world, path, data=None, input_stream=BytesIO(body), headers=headers, environ_overrides=environ)


# --- size


def test_request_over_the_limit_is_413(world: World) -> None:
    for path in OAUTH:
        assert send(world, path, padded(LIMIT)).status_code == 200
        assert chunked(world, path, padded(LIMIT)).status_code == 200
    for path in POSTS:
        for answer in (send(world, path, padded(LIMIT + 1)), chunked(world, path, padded(LIMIT + 1))):
            assert answer.status_code == 413
            well_formed(answer, path)


def test_declared_length_over_the_limit_is_413_unread(world: World) -> None:
    for length in ("65537", "9" * 18, "9" * 5000):
        answer = send(world, "/oauth/token", GOOD, environ_overrides={"CONTENT_LENGTH": length})
        assert answer.status_code == 413
        well_formed(answer, "/oauth/token")


def test_limit_is_a_setting(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(server={"max_body_bytes": 1024})
    assert send(world, "/oauth/token", padded(1024)).status_code == 200
    assert send(world, "/oauth/token", padded(1025)).status_code == 413


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "1e3", "+5", "٣", "0x10", " "])
def test_length_that_is_no_number_is_refused(world: World, length: str) -> None:
    answer = send(world, "/oauth/token", GOOD, environ_overrides={"CONTENT_LENGTH": length})
    assert answer.status_code == 400
    well_formed(answer, "/oauth/token")


def test_body_cut_short_is_not_taken_for_a_whole_one(world: World) -> None:
    """A connection that broke must not yield a token with what was to narrow it cut off."""
    answer = send(world, "/oauth/token", GOOD, environ_overrides={"CONTENT_LENGTH": str(len(GOOD) + 20)})
    assert answer.status_code == 400
    well_formed(answer, "/oauth/token")


def test_length_and_chunks_at_once_are_refused(world: World) -> None:
    """RFC 9112 §6.1: who sends both may be smuggling a second request."""
    answer = send(world, "/oauth/token", GOOD, headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 400
    well_formed(answer, "/oauth/token")


def test_empty_body_is_an_empty_form(world: World) -> None:
    for answer in (send(world, "/oauth/token", b""), chunked(world, "/oauth/token", b"")):
        assert (error(answer), answer.status_code) == ("invalid_request", 400)


# --- Host


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:9001", "127.0.0.1:9000.evil.example", "127.0.0.1:9000,evil.example", ""],
)
def test_foreign_host_is_refused_everywhere(world: World, host: str) -> None:
    for path in (*POSTS, "/oauth/jwks", "/.well-known/openid-configuration", "/api/v1/openapi.json", "/nowhere"):
        for method in ("GET", "POST"):
            answer = send(world, path, GOOD, method=method, environ_overrides={"HTTP_HOST": host})
            assert answer.status_code == 400
            well_formed(answer, path)
            assert "evil" not in answer.text
            assert "Location" not in answer.headers


def test_forwarded_host_is_not_believed(world: World) -> None:
    headers = {"X-Forwarded-Host": ISSUER.removeprefix("http://")}
    answer = send(world, "/oauth/token", GOOD, headers=headers, environ_overrides={"HTTP_HOST": "evil.example"})
    assert answer.status_code == 400


def test_host_is_compared_without_its_case_and_implied_port(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(server={"issuer": "https://login.example.com"})
    for host in ("login.example.com", "LOGIN.example.com", "login.example.com:443"):
        assert send(world, "/oauth/token", GOOD, environ_overrides={"HTTP_HOST": host}).status_code == 200
    for host in ("login.example.com:80", "login.example.com:8443", "login.example.com.", "example.com"):
        assert send(world, "/oauth/token", GOOD, environ_overrides={"HTTP_HOST": host}).status_code == 400


def test_probes_answer_under_any_host(world: World) -> None:
    """Whoever watches a node calls it by its address."""
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = send(world, path, method="GET", client=None, environ_overrides={"HTTP_HOST": "10.0.0.7:9000"})
        assert answer.status_code == 200


# --- Origin


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", f"{ISSUER}.evil.example", f"{ISSUER}/", "http://127.0.0.1"]
)
def test_strangers_origin_is_refused_on_unsafe_methods(world: World, origin: str) -> None:
    for path in POSTS:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = send(world, path, GOOD, method=method, headers={"Origin": origin})
            assert answer.status_code == 403
            well_formed(answer, path)
            assert "Access-Control-Allow-Origin" not in answer.headers
        assert send(world, path, method="OPTIONS", headers={"Origin": origin}).status_code != 403
    assert send(world, "/oauth/jwks", method="GET", headers={"Origin": origin}).status_code == 200


def test_own_origin_and_none_are_welcome(world: World) -> None:
    for path in OAUTH:
        assert send(world, path, GOOD, headers={"Origin": ISSUER}).status_code == 200
        assert send(world, path, GOOD).status_code == 200


# --- the caller's address


def exchange_from(world: World, peer: str, forwarded: str | None = None) -> Answer:
    """Exchange from an address; the policy of the demo lets only this machine pass."""
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": world.id("customer"),
        "subject_token_type": TYPE_USER_ID,
        "actor_token": world.token("agent"),
        "actor_token_type": TYPE_ACCESS_TOKEN,
        "resource": API,
        **REASON,
    }
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return world.post("/oauth/token", form, headers=headers, environ_overrides={"REMOTE_ADDR": peer})


def passes(answer: Answer) -> bool:
    assert answer.status_code == 200 or error(answer) == "access_denied"
    return answer.status_code == 200


def test_forwarded_address_is_ignored_without_a_proxy(world: World) -> None:
    assert passes(exchange_from(world, "127.0.0.1"))
    assert passes(exchange_from(world, "127.0.0.1", "203.0.113.9"))
    assert not passes(exchange_from(world, "203.0.113.9"))
    assert not passes(exchange_from(world, "203.0.113.9", "127.0.0.1"))


FORWARDED = (
    ("10.0.0.7", "127.0.0.1", True),
    ("10.0.0.7", "203.0.113.9", False),
    ("10.0.0.7", None, False),  # the proxy itself
    ("10.0.0.7", "127.0.0.1, 203.0.113.9", False),  # what the client wrote stands to the left
    ("10.0.0.7", "203.0.113.9, 127.0.0.1", True),
    ("10.0.0.7", "127.0.0.1, 10.0.0.8", True),  # two proxies
    ("10.0.0.7", "203.0.113.9, 10.0.0.8", False),
    ("::ffff:10.0.0.7", "127.0.0.1", True),
    ("10.0.1.7", "127.0.0.1", False),  # no proxy of ours
    ("127.0.0.1", "203.0.113.9", True),
    ("10.0.0.7", "::ffff:127.0.0.1", True),
    ("10.0.0.7", "::1", True),
    ("10.0.0.7", "unknown", False),
    ("10.0.0.7", "127.0.0.1, unknown", False),
    ("10.0.0.7", "127.0.0.1, ", True),
    ("10.0.0.7", "'; DROP TABLE users; --", False),
)
"""The peer, what X-Forwarded-For says, and whether the address that counts is this machine's."""


def test_configured_proxy_vouches_for_the_address(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(server={"trusted_proxies": ["10.0.0.0/24"]})
    for peer, forwarded, allowed in FORWARDED:
        assert passes(exchange_from(world, peer, forwarded)) is allowed, (peer, forwarded)


def test_peer_without_an_address_is_let_in_nowhere(world: World) -> None:
    """As on a Unix socket."""
    assert not passes(exchange_from(world, ""))
    assert send(world, "/oauth/token", GOOD, environ_overrides={"REMOTE_ADDR": "somewhere"}).status_code == 200


# --- what refusals of strangers leave


def refuse(world: World, address: str, client_id: str = "nobody") -> None:
    form = {"grant_type": GRANT_CLIENT_CREDENTIALS, "client_id": client_id, "client_secret": "guess"}
    answer = world.post("/oauth/token", form, client=None, environ_overrides={"REMOTE_ADDR": address})
    assert error(answer) == "invalid_client"


def addresses(world: World) -> dict[int, str]:
    with world.work() as work:
        rows = work.session.query(AuditPersonal).filter_by(field="address").all()
        return {row.seq: str(row.value).strip('"') for row in rows}


def test_strangers_leave_one_event_an_address_and_minute(world: World) -> None:
    for address, times in (("203.0.113.7", 3), ("203.0.113.8", 1)):
        for _ in range(times):
            refuse(world, address)
    world.clock.pass_(60)
    refuse(world, "203.0.113.7")
    assert world.events("strangers:refused") == []
    world.wired.jobs.tick()
    events = world.events("strangers:refused")
    known = addresses(world)
    assert [(known[event["seq"]], event["minute"], event["count"]) for event in events] == [
        ("203.0.113.7", START // 60, 3),
        ("203.0.113.8", START // 60, 1),
    ]
    assert all("203.0.113" not in str(event) for event in events)  # only its commitment is chained
    world.wired.jobs.tick()
    assert len(world.events("strangers:refused")) == 2
    world.clock.pass_(60)
    world.wired.jobs.tick()
    assert [event["count"] for event in world.events("strangers:refused")] == [3, 1, 1]


def test_hostile_client_ids_are_capped(world: World) -> None:
    for hostile in ("x" * 5000, "a\r\nb\x1b[31m", "<script>é</script>", *(f"guess-{number}" for number in range(20))):
        refuse(world, "203.0.113.7", hostile)
    world.clock.pass_(60)
    world.wired.jobs.tick()
    [event] = world.events("strangers:refused")
    assert event["count"] == 23
    assert event["reasons"] == {"client.unknown_or_disabled": 23}
    assert event["client_ids"] == ["x" * 64, "a??b?[31m", "<script>?</script>", "guess-0", "guess-1"]


def test_authenticated_clients_refusal_leaves_its_own_event(world: World) -> None:
    assert error(world.post("/oauth/token", {"grant_type": "password"})) == "unsupported_grant_type"
    world.clock.pass_(60)
    world.wired.jobs.tick()
    assert [event["client_id"] for event in world.events("request:refused")] == ["backend"]
    assert world.events("strangers:refused") == []


def test_strangers_are_recorded_when_the_server_stops(world: World) -> None:
    refuse(world, "203.0.113.7")
    world.wired.jobs.stop()
    assert [event["count"] for event in world.events("strangers:refused")] == [1]
