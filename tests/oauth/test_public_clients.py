"""Clients that cannot keep a secret (RFC 6749 §2.1, RFC 8252, RFC 9700 §2.1.1): code with PKCE, and rotation."""

from typing import Any

import pytest

from authserver.protocol.names import (
    GRANT_AUTHORIZATION_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_REFRESH_TOKEN,
    GRANT_TOKEN_EXCHANGE,
    TYPE_ACCESS_TOKEN,
    TYPE_USER_ID,
)
from authserver.storage import clients
from tests.signing_in import BrowserOf, new_client, redeem, refresh, stranger_reasons, token
from tests.world import API, REASON, World, error

EVERY_GRANT = [GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE]


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """The customer's browser, in a world with a public client `app` that is registered for every grant."""
    new_client(world, "app", public=True, first_party=True, grant_types=EVERY_GRANT, ways=["A"])
    new_client(world, "app2", public=True, first_party=True)
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def test_a_public_client_uses_code_and_refresh_by_its_id_alone(world: World, browser: BrowserOf) -> None:
    tokens = browser.tokens("app")
    assert tokens["refresh_token"]
    second = refresh(world, tokens["refresh_token"], "app").json
    assert second["refresh_token"] != tokens["refresh_token"]
    assert error(refresh(world, tokens["refresh_token"], "app")) == "invalid_grant"
    assert error(refresh(world, second["refresh_token"], "app")) == "invalid_grant"


@pytest.mark.parametrize("verifier", [None, "b" * 43])
def test_without_its_verifier_a_code_is_worth_nothing(world: World, browser: BrowserOf, verifier: str | None) -> None:
    code = browser.code(client_id="app")
    assert error(redeem(world, code, "app", code_verifier=verifier)) in {"invalid_request", "invalid_grant"}


def test_one_public_client_cannot_use_what_is_anothers(world: World, browser: BrowserOf) -> None:
    assert error(redeem(world, browser.code(client_id="app"), "app2")) == "invalid_grant"
    value = browser.tokens("app")["refresh_token"]
    assert error(refresh(world, value, "app2")) == "invalid_grant"
    assert error(refresh(world, value, "backend")) == "invalid_grant"
    assert refresh(world, value, "app").status_code == 200


def test_a_public_client_may_not_act_for_itself_or_exchange(world: World, browser: BrowserOf) -> None:
    """RFC 6749 §4.4: only confidential clients; an unauthenticated client may not exchange."""
    del browser
    alone = token(world, {"grant_type": GRANT_CLIENT_CREDENTIALS, "scope": "accounts:read"}, "app")
    exchange: dict[str, Any] = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": world.id("customer"),
        "subject_token_type": TYPE_USER_ID,
        "actor_token": world.token("agent"),
        "actor_token_type": TYPE_ACCESS_TOKEN,
        "resource": API,
        **REASON,
    }
    assert error(alone) == error(token(world, exchange, "app")) == "unauthorized_client"
    assert "grant.not_for_public_clients" in stranger_reasons(world)
    assert world.events("strangers:refused")[-1]["client_ids"] == ["app"]


def test_a_public_client_may_not_introspect(world: World, browser: BrowserOf) -> None:
    """RFC 7662 §2.1: the endpoint requires authorization."""
    tokens = browser.tokens("app")
    form = {"client_id": "app", "token": tokens["access_token"]}
    answer = world.post("/oauth/introspect", form, client=None)
    assert (answer.status_code, error(answer)) == (401, "invalid_client")


def test_a_public_client_revokes_its_own_tokens_and_no_others(world: World, browser: BrowserOf) -> None:
    """RFC 7009 §2.1, §5."""
    tokens, others = browser.tokens("app"), browser.tokens("app2")
    for value in (others["refresh_token"], others["access_token"], tokens["access_token"]):
        assert world.post("/oauth/revoke", {"client_id": "app", "token": value}, client=None).status_code == 200
    assert not world.introspect(tokens["access_token"])["active"]
    assert world.introspect(others["access_token"])["active"]
    assert refresh(world, others["refresh_token"], "app2").status_code == 200
    assert world.post("/oauth/revoke", {"client_id": "app", "token": tokens["refresh_token"]}, client=None).text == ""
    assert error(refresh(world, tokens["refresh_token"], "app")) == "invalid_grant"


def test_revoking_a_refresh_token_kills_its_access_tokens(world: World, browser: BrowserOf) -> None:
    """RFC 7009 §2.1, whatever the hint says; of a family, the newest as well as a used one."""
    del browser
    agent = BrowserOf(world)
    agent.sign_in("customer")
    for which in (0, 1):
        first = agent.tokens()
        second = refresh(world, first["refresh_token"]).json
        value = (first, second)[which]["refresh_token"]
        answer = world.post("/oauth/revoke", {"token": value, "token_type_hint": "access_token"})
        assert (answer.status_code, answer.text) == (200, "")
        assert not world.introspect(first["access_token"])["active"]
        assert not world.introspect(second["access_token"])["active"]
        assert error(refresh(world, second["refresh_token"])) == "invalid_grant"
    assert world.events("token:revoked")[-1]["client_id"] == "backend"


@pytest.mark.parametrize("way", ["secret", "assertion", "basic", "basic without secret"])
def test_a_public_client_that_claims_to_authenticate_is_refused(world: World, browser: BrowserOf, way: str) -> None:
    form = {"grant_type": GRANT_REFRESH_TOKEN, "refresh_token": browser.tokens("app")["refresh_token"]}
    bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    claimed: dict[str, dict[str, str]] = {
        "secret": {"client_id": "app", "client_secret": "x"},
        "assertion": {"client_id": "app", "client_assertion": "x.y.z", "client_assertion_type": bearer},
    }
    secret = "" if way == "basic without secret" else "x"
    headers = world.basic("app", secret) if way.startswith("basic") else {}
    answer = world.post("/oauth/token", {**form, **claimed.get(way, {})}, client=None, headers=headers)
    assert (answer.status_code, error(answer)) == (401, "invalid_client")


@pytest.mark.parametrize("client_id", ["backend", "nobody", "app"])
def test_an_id_alone_is_enough_only_for_a_public_client_that_is_enabled(
    world: World, browser: BrowserOf, client_id: str
) -> None:
    value = browser.tokens("app" if client_id == "app" else "backend")["refresh_token"]
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "app", enabled=False)
    form = {"grant_type": GRANT_REFRESH_TOKEN, "refresh_token": value, "client_id": client_id}
    answer = world.post("/oauth/token", form, client=None)
    assert (answer.status_code, error(answer)) == (401, "invalid_client")
