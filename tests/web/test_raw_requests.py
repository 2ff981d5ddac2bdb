"""Requests that no HTTP library would send, as bytes to the running server."""

import base64
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS
from tests.conftest import Demo

GOOD = f"grant_type={GRANT_CLIENT_CREDENTIALS}".encode()
LIMIT = 65536


def talk(demo: Demo, request: bytes, *, half_close: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, and return status, headers and body of the answer; 0 when the server only hung up."""
    parts = urlsplit(demo.issuer)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]) if answer else 0, headers, body


def post(demo: Demo, *headers: str, body: bytes = b"", line: str = "POST /oauth/token HTTP/1.1") -> bytes:
    """Write a request to the token endpoint by `backend`, which closes the connection."""
    secret = demo.credentials["clients"]["backend"]["client_secret"]
    basic = base64.b64encode(f"backend:{secret}".encode()).decode()
    own = [
        line,
        f"Host: {urlsplit(demo.issuer).netloc}",
        f"Authorization: Basic {basic}",
        "Content-Type: application/x-www-form-urlencoded",
        "Connection: close",
    ]
    return "\r\n".join([*own, *headers, "", ""]).encode("latin-1") + body


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def refused(answer: tuple[int, dict[str, str], bytes], status: int) -> dict[str, Any]:
    code, headers, body = answer
    assert code == status
    assert headers["content-type"] == "application/json"
    said: dict[str, Any] = json.loads(body)
    assert set(said) == {"error", "error_description"}
    return said


def test_small_chunked_body_works(demo: Demo) -> None:
    body = chunks(GOOD, 5) + b"0\r\n\r\n"
    status, _, answer = talk(demo, post(demo, "Transfer-Encoding: chunked", body=body))
    assert status == 200
    assert json.loads(answer)["access_token"]


def test_chunked_body_over_the_limit_is_413(demo: Demo) -> None:
    """It is answered at the first byte too many: the body never ends, and nothing of it was a request."""
    body = chunks(GOOD + b"&pad=".ljust(LIMIT + 1 - len(GOOD), b"a"), 8192)
    assert refused(talk(demo, post(demo, "Transfer-Encoding: chunked", body=body)), 413)["error"] == "invalid_request"


def test_declared_length_over_the_limit_is_413_before_it_is_sent(demo: Demo) -> None:
    for length in (LIMIT + 1, 10**12):
        assert refused(talk(demo, post(demo, f"Content-Length: {length}")), 413)["error"] == "invalid_request"


def test_body_cut_short_is_no_request(demo: Demo) -> None:
    whole = talk(demo, post(demo, f"Content-Length: {len(GOOD)}", body=GOOD))
    assert whole[0] == 200
    cut = talk(demo, post(demo, f"Content-Length: {len(GOOD) + 9}", body=GOOD), half_close=True)
    refused(cut, 400)


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 29", "Content-Length: 5"),
        ("Content-Length: x",),
        ("Content-Length: -1",),
        ("Content-Length: 29, 5",),
        ("Transfer-Encoding: nonsense",),
    ],
)
def test_contradictory_framing_is_400(demo: Demo, headers: tuple[str, ...]) -> None:
    """RFC 9112 §6.3."""
    status, _, body = talk(demo, post(demo, *headers, body=GOOD))
    assert status == 400
    assert b"access_token" not in body


def test_host_must_be_there_once_and_ours(demo: Demo) -> None:
    own = urlsplit(demo.issuer).netloc
    get = "GET /oauth/jwks HTTP/1.1\r\nConnection: close\r\n"
    assert talk(demo, f"{get}Host: {own}\r\n\r\n".encode())[0] == 200
    for hosts in ("", "Host: evil.example\r\n", f"Host: {own}\r\nHost: evil.example\r\n", "Host:\r\n"):
        refused(talk(demo, f"{get}{hosts}\r\n".encode()), 400)
    refused(talk(demo, b"GET /oauth/jwks HTTP/1.0\r\n\r\n"), 400)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("BREW /oauth/token HTTP/1.1", 405),
        ("TRACE /oauth/token HTTP/1.1", 405),
        ("POST /nowhere HTTP/1.1", 404),
        ("POST /oauth/%ff%fe HTTP/1.1", 404),
        ("POST /oauth/token%00 HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 404),
    ],
)
def test_strange_request_line_is_answered_in_form(demo: Demo, request_line: str, status: int) -> None:
    refused(talk(demo, post(demo, f"Content-Length: {len(GOOD)}", body=GOOD, line=request_line)), status)


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\1\2\3\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /oauth/jwks HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(500)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 500_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_server_lives(demo: Demo, request_: bytes) -> None:
    try:
        status, _, body = talk(demo, request_)
    except ConnectionError:
        status, body = 0, b""
    assert status == 0 or 400 <= status < 500
    assert b"Traceback" not in body
    assert talk(demo, post(demo, f"Content-Length: {len(GOOD)}", body=GOOD))[0] == 200


def test_authorization_that_is_not_ascii_is_an_authentication_that_failed(demo: Demo) -> None:
    length = f"Content-Length: {len(GOOD)}"
    head = f"POST /oauth/token HTTP/1.1\r\nHost: {urlsplit(demo.issuer).netloc}\r\nConnection: close\r\n{length}\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    for value in (b"Basic \xff\xfe", b"\xff", "Basic é".encode()):
        request = (head + form).encode() + b"Authorization: " + value + b"\r\n\r\n" + GOOD
        answer = talk(demo, request)
        assert refused(answer, 401)["error"] == "invalid_client"
        assert answer[1]["www-authenticate"].startswith("basic realm=")


def test_origin_of_a_stranger_is_403(demo: Demo) -> None:
    length = f"Content-Length: {len(GOOD)}"
    refused(talk(demo, post(demo, length, "Origin: https://evil.example", body=GOOD)), 403)
    refused(talk(demo, post(demo, length, "Origin: \xff", body=GOOD)), 403)
    assert talk(demo, post(demo, length, f"Origin: {demo.issuer}", body=GOOD))[0] == 200
