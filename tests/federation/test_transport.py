"""The one way out: configured hosts, no redirects, JSON, in time, within size, and to no address inside."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests_mock

from authserver.federation.addresses import checked
from authserver.federation.refusals import UnavailableError
from authserver.federation.transport import Transport
from authserver.settings_federation import TrustedIssuer
from tests.federation.idp import DISCOVERY, IDP, JWKS, settings


def transport(**changes: Any) -> Transport:
    return Transport(TrustedIssuer.model_validate(settings(**changes)))


def reason(ask: Callable[[], object]) -> str:
    with pytest.raises(UnavailableError) as failure:
        ask()
    return failure.value.reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status_code": 302, "headers": {"Location": "https://evil.example.com"}}, "transport.redirect"),
        ({"text": "<html>", "headers": {"Content-Type": "text/html"}}, "transport.content_type"),
        ({"text": "{}"}, "transport.content_type"),
        ({"text": "{", "headers": {"Content-Type": "application/json"}}, "transport.not_json"),
        ({"text": "[]", "headers": {"Content-Type": "application/json"}}, "transport.not_json"),
        ({"text": "[" * 1000, "headers": {"Content-Type": "application/json"}}, "transport.not_json"),
        (
            {"text": "{}", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}},
            "transport.content_encoding",
        ),
        (
            {"text": '{"a": "' + "x" * 2000 + '"}', "headers": {"Content-Type": "application/json"}},
            "transport.oversized",
        ),
        ({"status_code": 500, "json": {}, "headers": {"Content-Type": "application/json"}}, "transport.status"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_its_reason(
    requests_mock: requests_mock.Mocker, answer: dict[str, Any], expected: str
) -> None:
    requests_mock.get(JWKS, **answer)
    assert reason(lambda: transport(max_response_bytes=1024).get(JWKS)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/jwks",
        "https://idp.example.com:8443/jwks",
        "http://idp.example.com/jwks",
        "https://idp.example.com@evil.example.com/jwks",
        "https://idp.example.com\\@evil.example.com/",
        "file:///etc/passwd",
        "https:///jwks",
        "https://idp.example.com:x/",
        "",
        None,
    ],
)
def test_no_other_host_is_asked(url: Any) -> None:
    assert not transport().allows(url)


def test_a_host_that_is_configured_besides_is_asked() -> None:
    assert transport(hosts=["keys.example.com"]).allows("https://keys.example.com/jwks")
    assert not transport(hosts=["keys.example.com"]).allows("https://keys.example.com:444/jwks")


INSIDE = [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "::1", "::",
    "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "224.0.0.1",
    "168.63.129.16", "240.0.0.1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_connected_to_even_as_one_of_several(address: str) -> None:
    ask = lambda: checked(  # noqa: E731 - asked once
        "idp.example.com", 443, lambda *_: ["8.8.8.8", address], allow_private=False, loopback_only=False
    )
    assert reason(ask) == "transport.address"


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "224.0.0.1"])
def test_metadata_and_link_local_addresses_are_never_connected_to(address: str) -> None:
    ask = lambda: checked("idp", 443, lambda *_: [address], allow_private=True, loopback_only=False)  # noqa: E731
    assert reason(ask) == "transport.address"


def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["203.0.114.1"] if len(asked) == 1 else ["127.0.0.1"]

    issuer = TrustedIssuer.model_validate(settings(connect_timeout=0.2, total_timeout=0.5))
    with pytest.raises(UnavailableError):
        Transport(issuer, resolver).get(JWKS)
    assert asked == ["idp.example.com"]


def test_a_private_address_is_refused_before_connecting() -> None:
    issuer = TrustedIssuer.model_validate(settings())
    assert reason(lambda: Transport(issuer, lambda *_: ["10.0.0.1"]).get(DISCOVERY)) == "transport.address"


def test_http_is_for_loopback_alone() -> None:
    issuer = TrustedIssuer.model_validate(settings(issuer="http://idp.test", allow_private_addresses=True))
    assert reason(lambda: Transport(issuer, lambda *_: ["10.0.0.1"]).get("http://idp.test/")) == "transport.address"
    with pytest.raises(ValueError, match="https"):
        TrustedIssuer.model_validate(settings(issuer="http://idp.test"))


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connected, _ = listening.accept()
        with connected:
            try:
                serve(connected)
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
        thread.join(timeout=5)


def _drip_headers(connected: socket.socket) -> None:
    connected.recv(4096)
    connected.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        connected.sendall(b"x")
        time.sleep(0.05)


def _drip_body(connected: socket.socket) -> None:
    connected.recv(4096)
    connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    for _ in range(100):
        connected.sendall(b" ")
        time.sleep(0.05)


def _silence(connected: socket.socket) -> None:
    connected.recv(4096)
    time.sleep(1.5)


@pytest.mark.parametrize("serve", [_drip_headers, _drip_body, _silence])
def test_a_slow_issuer_is_cut_at_the_deadline(serve: Callable[[socket.socket], None]) -> None:
    with server(serve) as url:
        asked = transport(issuer=url, allow_private_addresses=True, read_timeout=0.6, total_timeout=0.5)
        began = time.monotonic()
        assert reason(lambda: asked.get(f"{url}/jwks")) == "transport.timeout"
        assert time.monotonic() - began < 1.2


def test_a_real_answer_is_read() -> None:
    def serve(connected: socket.socket) -> None:
        request = connected.recv(4096)
        assert b"Accept-Encoding: identity" in request
        connected.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json; charset=utf-8\r\n"
            b'Content-Length: 12\r\n\r\n{"keys": []}'
        )

    with server(serve) as url:
        assert transport(issuer=url, allow_private_addresses=True).get(f"{url}/jwks") == {"keys": []}


def test_an_issuer_that_is_down_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    asked = transport(issuer=url, allow_private_addresses=True)
    assert reason(lambda: asked.get(f"{url}/jwks")) == "transport.unreachable"


def test_what_is_no_url_is_no_setting() -> None:
    for issuer in ("idp.example.com", f"{IDP}?x=1", f"{IDP}#f", "https://u:p@idp.example.com"):
        with pytest.raises(ValueError, match="issuer"):
            TrustedIssuer.model_validate(settings(issuer=issuer))
