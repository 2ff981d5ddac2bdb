"""The client credentials grant (RFC 6749 §4.4), and what holds of every token request."""

from typing import Any

import pytest

from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS
from authserver.storage import clients
from tests.world import API, ISSUER, PAYMENTS, START, Answer, World, claims, error, header


def ask(world: World, client: str = "backend", **form: Any) -> Answer:
    pairs: list[tuple[str, Any]] = [("grant_type", GRANT_CLIENT_CREDENTIALS)]
    for name, value in form.items():
        pairs += [(name, one) for one in (value if isinstance(value, list) else [value])]
    return world.post("/oauth/token", pairs, client=client)


def test_client_gets_a_token_of_its_own(world: World) -> None:
    """RFC 6749 §5.1, RFC 9068 §2."""
    answer = ask(world, "other-backend")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "accounts:read"}
    assert {"typ": "at+jwt", "alg": "ES256"}.items() <= header(token).items()
    said = claims(token)
    assert said.pop("jti")
    assert said == {
        "iss": ISSUER,
        "sub": "other-backend",
        "client_id": "other-backend",
        "aud": API,
        "iat": START,
        "exp": START + 3600,
        "scope": "accounts:read",
    }


def test_no_two_tokens_are_alike(world: World) -> None:
    assert claims(world.client_token())["jti"] != claims(world.client_token())["jti"]


def test_its_issue_stands_in_the_trail(world: World) -> None:
    token = world.client_token("other-backend")
    issued = world.events("token:issued")[-1]
    assert issued["jti"] == claims(token)["jti"]
    assert (issued["way"], issued["subject"], issued["actor"]) == (GRANT_CLIENT_CREDENTIALS, "other-backend", None)


@pytest.mark.parametrize(
    ("form", "audience", "scope"),
    [
        ({}, API, "accounts:read cards:write contacts:write"),
        ({"scope": "cards:write accounts:read"}, API, "cards:write accounts:read"),
        ({"scope": "accounts:read  accounts:read"}, API, "accounts:read"),
        ({"resource": PAYMENTS}, PAYMENTS, "drafts:write payments:execute payments:read"),
        ({"audience": PAYMENTS, "scope": "payments:read"}, PAYMENTS, "payments:read"),
        ({"resource": [API, PAYMENTS], "scope": "accounts:read"}, [API, PAYMENTS], "accounts:read"),
        ({"resource": API, "audience": PAYMENTS, "scope": "payments:read"}, [API, PAYMENTS], "payments:read"),
        ({"resource": [API, API], "scope": "accounts:read"}, API, "accounts:read"),
        ({"resource": "", "scope": "", "unknown": "ignored"}, API, "accounts:read cards:write contacts:write"),
    ],
)
def test_resource_and_scope_say_what_it_is_for(world: World, form: dict[str, Any], audience: Any, scope: str) -> None:
    """RFC 8707 §2; RFC 6749 §3.3 and §3.1: a parameter without a value counts as omitted."""
    answer = ask(world, **form)
    assert answer.status_code == 200, answer.text
    assert answer.json["scope"] == scope
    said = claims(answer.json["access_token"])
    assert (said["aud"], said["scope"]) == (audience, scope)


@pytest.mark.parametrize(
    ("client", "form", "name"),
    [
        ("backend", {"scope": "accounts:write"}, "invalid_scope"),
        ("backend", {"scope": "payments:read"}, "invalid_scope"),  # of another resource
        ("backend", {"scope": "impersonate"}, "invalid_scope"),
        ("backend", {"scope": "accounts:read\tcards:write"}, "invalid_scope"),
        ("backend", {"scope": 'accounts:read"'}, "invalid_scope"),
        ("backend", {"scope": " "}, "invalid_scope"),
        ("other-backend", {"scope": "cards:write"}, "invalid_scope"),  # not the client's
        ("resource-server", {}, "invalid_target"),  # a client with no scope anywhere
        ("other-backend", {"resource": PAYMENTS}, "invalid_target"),
        ("backend", {"resource": "https://elsewhere.example"}, "invalid_target"),
        ("backend", {"resource": [API, "https://elsewhere.example"]}, "invalid_target"),
        ("backend", {"audience": "api"}, "invalid_target"),
        ("backend", {"resource": "/accounts"}, "invalid_target"),
        ("backend", {"resource": f"{API}#part"}, "invalid_target"),
        ("backend", {"resource": f"{API}/"}, "invalid_target"),
        ("backend", {"resource": ISSUER}, "invalid_target"),
        ("backend", {"resource": "https://[half"}, "invalid_target"),
    ],
)
def test_more_than_the_clients_own_is_refused(world: World, client: str, form: dict[str, Any], name: str) -> None:
    answer = ask(world, client, **form)
    assert (error(answer), answer.status_code) == (name, 400)
    assert "elsewhere" not in answer.text
    refusal = world.events("request:refused")[-1]
    assert (refusal["error"], refusal["client_id"], refusal["endpoint"]) == (name, client, "oauth.token")


def test_client_without_the_grant_is_unauthorized(world: World) -> None:
    with world.work() as work:
        work.lock()
        clients.change(work.session, "other-backend", grant_types=[])
    answer = ask(world, "other-backend")
    assert (error(answer), answer.status_code) == ("unauthorized_client", 400)


@pytest.mark.parametrize(
    ("grant_type", "name"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        ("CLIENT_CREDENTIALS", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
    ],
)
def test_grant_type_must_be_one_that_the_server_knows(world: World, grant_type: str | None, name: str) -> None:
    answer = world.post("/oauth/token", {"grant_type": grant_type, "token": "unknown"})
    assert (error(answer), answer.status_code) == (name, 400)


def test_token_dies_with_its_client_and_its_time(world: World) -> None:
    token = world.client_token("other-backend")
    world.clock.pass_(3599)
    assert world.introspect(token)["active"]
    world.clock.pass_(1)
    assert world.introspect(token) == {"active": False}
    token = world.client_token("other-backend")
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "other-backend", enabled=False)
    assert world.introspect(token) == {"active": False}


def test_clients_token_opens_nothing_of_a_persons(world: World) -> None:
    token = world.client_token()
    assert world.api("GET", "/api/v1/impersonations", token=token).status_code in {401, 403}
    assert world.api("GET", "/api/v1/impersonations", "agent").status_code == 200
