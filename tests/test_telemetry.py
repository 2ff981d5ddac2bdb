"""Logs that carry a request id and no secret; metrics of one application."""

import base64
import io
import json
import logging
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from authserver import telemetry

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl"
OPAQUE = "9kR2mZ0xqvT7bN4cLw8JdHs3aFyPgU6eXo1iQtSvKrM"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    stream = io.StringIO()
    telemetry.configure("debug", stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def last(lines: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "name",
    [
        "access_token", "subject_token", "id-token", "refreshToken", "client_secret", "client_assertion", "password",
        "Passwd", "new_passphrase", "Authorization", "Set-Cookie", "code", "device_code", "support_codes",
        "code_verifier", "handle", "api_key", "X-API-Key", "privateKey", "otp", "pin", "csrf", "DPoP", "credentials",
    ],
)  # fmt: skip
def test_what_a_secret_name_holds_is_not_shown(name: str) -> None:
    assert telemetry.redact({name: "hunter2"}) == {name: "[redacted]"}
    assert telemetry.redact({name: {"inner": ["hunter2"]}}) == {name: "[redacted]"}
    assert "hunter2" not in telemetry.redact(f"failed with {name}=hunter2&x=1")
    assert "hunter2" not in telemetry.redact(repr({name: "hunter2"}))
    assert "hunter2" not in repr(telemetry.redact([(name, "hunter2")]))


@pytest.mark.parametrize(
    "value",
    [
        JWT,
        f"token is {JWT}, refused",
        "Bearer hunter2",
        "basic aHVudGVyMg==",
        f"{OPAQUE} is unknown",
        KEY,
        "postgresql://app:hunter2@db/authserver",
        "GET https://app.example/cb?code=hunter2&state=1",
        b"Bearer hunter2",
        ValueError(f"no such handle: {OPAQUE}"),
    ],
)
def test_what_looks_like_a_secret_is_not_shown(value: object) -> None:
    shown = repr(telemetry.redact({"note": [value]}))
    assert "[redacted]" in shown
    for secret in (JWT, OPAQUE, "hunter2", "aHVudGVyMg", "MC4CAQ"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event", "token_issued"),
        ("status_code", 200),
        ("reason_code", "legal_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("grant", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("impersonation", "imp_0123456789abcdef0123456789abcdef"),
        ("request_id", "1-67891233-abcdef012345678912345678"),
        ("kid", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        ("error", "flask_sqlalchemy.session.VeryLongNamedOperationalException"),
        ("secret", None),
        ("has_token", True),
    ],
)
def test_what_is_no_secret_stays_readable(name: str, value: object) -> None:
    assert telemetry.redact({name: value}) == {name: value}


nested = st.recursive(
    st.just(None) | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
planted = st.builds(secrets.token_urlsafe, st.just(32)) | st.sampled_from(
    [JWT, f"Bearer {secrets.token_hex(8)}", "Basic " + base64.b64encode(secrets.token_bytes(12)).decode()]
)


@given(secret=planted, path=st.lists(st.none() | st.text(max_size=12), max_size=30), around=nested)
def test_a_planted_secret_never_appears_at_any_depth(secret: str, path: list[str | None], around: object) -> None:
    tree: object = secret
    for name in path:
        tree = [around, tree] if name is None else {"beside": around, name: tree}
    assert secret.rpartition(" ")[2] not in json.dumps(telemetry.redact({"tree": tree}))


@given(
    name=st.sampled_from(["token", "clientSecret", "Authorization"]),
    secret=st.builds(secrets.token_hex, st.just(8)),
    around=nested,
)
def test_any_value_of_a_secret_name_is_hidden(name: str, secret: str, around: object) -> None:
    tree = {"list": [around, {"inner": {name: [secret, around]}}]}
    assert secret not in json.dumps(telemetry.redact(tree))


def test_a_log_line_of_any_library_is_json_without_secrets(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("got %s", JWT, extra={"client_secret": "hunter2"})
    line = last(lines)
    assert line["event"] == "got [redacted]"
    assert line["client_secret"] == "[redacted]"
    assert line["level"] == "warning"
    assert line["logger"] == "some.library"


def test_an_exception_is_logged_without_the_secrets_in_its_text(lines: io.StringIO) -> None:
    handles: dict[str, str] = {}
    try:
        handles[f"bad handle {OPAQUE}"]
    except KeyError:
        telemetry.logger("t").exception("failed")
        logging.getLogger("u").exception("failed")
    for line in map(json.loads, lines.getvalue().splitlines()):
        assert "KeyError: 'bad handle [redacted]'" in line["exception"]


def test_a_line_that_cannot_be_formatted_is_not_printed_raw(
    lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("u").warning("%d", JWT)
    assert JWT not in lines.getvalue() + capsys.readouterr().err


def test_authlibs_loggers_say_nothing(lines: io.StringIO) -> None:
    logging.getLogger("authlib.oauth2.rfc6749").critical(JWT)
    assert not lines.getvalue()


@pytest.fixture
def app() -> Flask:
    app = Flask("t")
    app.extensions["metrics"] = metrics = telemetry.new_metrics()
    telemetry.install(app, new_request_id=lambda: "made-here", metrics=metrics)

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        telemetry.logger("t").info("greeting")
        return f"{name} {telemetry.request_id()}"

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError(f"with {JWT}")

    return app


def test_a_request_leaves_one_line_without_path_and_query(app: Flask, lines: io.StringIO) -> None:
    response = app.test_client().get("/hello/you?code=hunter2")
    assert response.text == "you made-here"
    assert response.headers["X-Request-Id"] == "made-here"
    greeting, line = map(json.loads, lines.getvalue().splitlines())
    assert greeting["request_id"] == "made-here"
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp")
    assert line == {
        "event": "request", "level": "info", "logger": "authserver.telemetry", "method": "GET",
        "endpoint": "hello", "status": 200, "request_id": "made-here",
    }  # fmt: skip
    assert telemetry.request_id() is None


@pytest.mark.parametrize(
    ("inbound", "answered"),
    [("proxy-1.a_B", "proxy-1.a_B"), ("x" * 65, "made-here"), ("a b", "made-here"), ("", "made-here")],
)
def test_a_request_id_is_taken_over_only_when_it_is_plain(app: Flask, inbound: str, answered: str) -> None:
    response = app.test_client().get("/nowhere", headers={"X-Request-Id": inbound})
    assert response.headers["X-Request-Id"] == answered


def test_a_crash_is_answered_logged_and_counted(app: Flask, lines: io.StringIO) -> None:
    assert app.test_client().get("/crash").status_code == 500
    assert JWT not in lines.getvalue()
    assert "RuntimeError" in lines.getvalue()
    text = telemetry.render(app.extensions["metrics"]).decode()
    assert 'http_requests_total{endpoint="crash",method="GET",status="500"} 1.0' in text
    assert 'http_request_seconds_count{endpoint="crash"} 1.0' in text


def test_unknown_paths_and_methods_make_no_new_labels(app: Flask) -> None:
    app.test_client().open("/a", method="BREW")
    text = telemetry.render(app.extensions["metrics"]).decode()
    assert 'http_requests_total{endpoint="unmatched",method="other",status="404"} 1.0' in text


def test_two_applications_count_apart() -> None:
    one, other = telemetry.new_metrics(), telemetry.new_metrics()
    one.oauth_refusals.labels(error="access_denied", reason="policy").inc()
    assert b'oauth_refusals_total{error="access_denied",reason="policy"} 1.0' in telemetry.render(one)
    assert b'reason="policy"' not in telemetry.render(other)
