"""One call of the API: the form of every refusal, and what it leaves behind (RFC 9457, RFC 6750 §3)."""

from typing import Any

import pytest

from authserver.audit.chain import Trail
from tests.conftest import MakeWorld
from tests.world import World

CALLS = [
    ("POST", "/api/v1/impersonations"),
    ("GET", "/api/v1/impersonations"),
    ("GET", "/api/v1/impersonations/imp_unknown"),
    ("POST", "/api/v1/impersonations/imp_unknown/approval"),
    ("POST", "/api/v1/impersonations/imp_unknown/consent"),
    ("POST", "/api/v1/impersonations/imp_unknown/end"),
    ("GET", "/api/v1/audit/events"),
    ("GET", "/api/v1/users"),
    ("GET", "/api/v1/clients"),
    ("GET", "/api/v1/resources"),
    ("POST", "/appetize/handoffs"),
    ("POST", "/appetize/renew"),
    ("POST", "/appetize/handoffs/hnd_unknown/config"),
]


@pytest.mark.parametrize(("method", "path"), CALLS[:-1])
def test_missing_token_is_told_before_the_schema_is_looked_at(world: World, method: str, path: str) -> None:
    refused = world.api(method, path, json={"wrong": 1}, query_string={"wrong": 1})
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/problem+json")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="authserver"'


@pytest.mark.parametrize("field", ["subject", "reason", "hostile<b>", "resource", "mode", "expires_in"])
def test_refusal_of_a_body_names_the_place_and_echoes_nothing(world: World, field: str) -> None:
    body: dict[str, Any] = {field: {"hostile<b>": "hostile<b>"}}
    refused = world.start(**body)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert "hostile" not in refused.text
    assert refused.json["invalid"] == ["(unknown)" if field.startswith("hostile") else field]
    assert world.events("request:refused")[-1]["reason"] == "body.schema"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 60_000, b'{"reason": "\\ud800"}', b'{"reason": "\\u0000"}'],
    ids=["empty", "cut", "list", "null", "text", "not UTF-8", "deep", "surrogate", "NUL"],
)
def test_body_that_is_no_such_object_is_400(world: World, body: bytes) -> None:
    refused = world.api("POST", "/api/v1/impersonations", "agent", data=body, content_type="application/json")
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")


def test_deep_body_is_400_where_no_token_is_wanted_too(world: World) -> None:
    body = b"[" * 60_000
    refused = world.api("POST", "/appetize/handoffs/hnd_1/config", data=body, content_type="application/json")
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")


def test_body_of_another_type_is_400(world: World) -> None:
    refused = world.api("POST", "/api/v1/impersonations", "agent", data={"subject": world.id("customer")})
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/impersonations", 405),
        ("PUT", "/appetize/handoffs", 405),
        ("GET", "/api/v1/impersonations/imp_\0", 400),
        ("GET", "/api/v1/impersonations/%ff", 404),
        ("POST", "/appetize/handoffs/hnd_\0/config", 400),
    ],
)
def test_path_or_method_that_is_none_is_a_problem_too(
    make_world: MakeWorld, method: str, path: str, status: int
) -> None:
    refused = make_world().api(method, path.replace("\0", "%00"), "agent", json={})
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "application/problem+json")
    assert refused.json["status"] == status
    assert refused.headers["Cache-Control"] == "no-store"


def test_request_over_the_limit_is_413(world: World) -> None:
    refused = world.start(reason="a" * 70_000)
    assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")


def test_crash_leaves_nothing_half_done(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    started = world.start().json["id"]

    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(Trail, "record", crash)
        answer = world.end(started)
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "Traceback" not in answer.text
    assert world.api("GET", f"/api/v1/impersonations/{started}", "agent").json["state"] == "active"
    assert world.end(started).json["state"] == "ended"


def test_client_authentication_opens_nothing_here(world: World) -> None:
    started = world.start().json["id"]
    assert world.api("POST", f"/api/v1/impersonations/{started}/end", headers=world.basic()).status_code == 401
