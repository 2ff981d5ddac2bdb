"""`/session/token` (S1): a first-party page gets a short-lived token of who is signed in, and nobody else does."""

from collections.abc import Callable
from typing import Any

import pytest

from authserver.impersonation.enablement import Enablement
from authserver.storage import clients, people
from authserver.storage.tables import Session
from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf, change_client, new_client, stranger_reasons
from tests.world import API, ISSUER, PAYMENTS, Answer, World, claims

APP = "https://app.example.com"
OTHER = "https://other.example.com"
CLIENTS = {"web-bank": {"allowed_origins": [APP]}, "web-other": {"allowed_origins": [OTHER]}}
ASKED = {"client_id": "web-bank", "resource": API}


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """A server that knows two first-party web clients, each with its own origin."""
    world = make_sqlite_world(session_token={"clients": CLIENTS})
    for client_id in CLIENTS:
        scopes = ["accounts:read", "cards:write", "payments:execute", "consent:grant", "openid"]
        new_client(world, client_id, first_party=True, public=True, scopes=scopes)
    return world


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer has just signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def ask(browser: BrowserOf, origin: str | None = APP, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    """Ask as a page at `origin`; None leaves a member out."""
    sent = {name: value for name, value in {**ASKED, **body}.items() if value is not None}
    named = {**({} if origin is None else {"Origin": origin}), **(headers or {})}
    return Answer.of(browser.http.post("/session/token", json=sent, headers=named, base_url=browser.issuer))


def refused(world: World, answer: Answer, error: str, reason: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.text
    assert "access_token" not in answer.json
    event = world.events("request:refused")[-1]
    assert (event["endpoint"], event["error"], event["reason"]) == ("pages.session_token", error, reason)
    assert not world.events("session-token:issued")


def test_the_page_gets_the_persons_own_short_lived_token(world: World, browser: BrowserOf) -> None:
    answer = ask(browser)
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 300)
    token = claims(answer.json["access_token"])
    assert (token["sub"], token["aud"], token["client_id"]) == (world.id("customer"), API, "web-bank")
    assert token["scope"] == answer.json["scope"] == "accounts:read cards:write"
    assert not {"act", "may_act", "impersonation"} & set(token)
    assert token["acr"] == "urn:authserver:acr:password"
    assert world.introspect(answer.json["access_token"])["active"]
    assert str(browser.cookie()) not in answer.text
    event = world.events("session-token:issued")[-1]
    assert (event["origin"], event["client_id"], event["jti"]) == (APP, "web-bank", token["jti"])
    assert world.events("token:issued")[-1]["way"] == "session"


def test_a_form_does_as_well_as_json(browser: BrowserOf) -> None:
    sent = {**ASKED, "scope": "accounts:read"}
    answer = browser.http.post("/session/token", data=sent, headers={"Origin": APP}, base_url=ISSUER)
    assert answer.json is not None
    assert (answer.status_code, answer.json["scope"]) == (200, "accounts:read")


def test_the_token_dies_with_the_session(world: World, browser: BrowserOf) -> None:
    token = ask(browser).json["access_token"]
    browser.submit(browser.get("/logout"), "/logout")
    assert world.introspect(token) == {"active": False}
    refused_after = ask(browser)
    assert (refused_after.status_code, refused_after.json["error"]) == (400, "login_required")


def test_the_token_runs_out_and_never_outlives_the_session(world: World, browser: BrowserOf) -> None:
    world.clock.pass_(3000)
    browser.get("/account")
    token = ask(browser).json["access_token"]
    world.clock.pass_(301)
    assert not world.introspect(token)["active"]
    with world.work() as work:
        work.lock()
        row = work.session.get(Session, world.events("session:started")[-1]["session_id"])
        assert row is not None
        row.expires_at = world.clock.now() + 40
    assert ask(browser).json["expires_in"] == 40


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, False), ("null", False), (ISSUER, False), ("http://app.example.com", False), (APP + "/", False),
        (APP + ":443", False), (APP + ".evil.example", False), ("https://x.app.example.com", False), (APP, True),
    ],
)  # fmt: skip
def test_only_the_exact_origin_may_ask_and_read(
    world: World, browser: BrowserOf, origin: str | None, *, allowed: bool
) -> None:
    answer = ask(browser, origin)
    assert (answer.status_code == 200) is allowed, answer.text
    if not allowed:
        assert answer.status_code == 403
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
        assert not world.events("session-token:issued")
        return
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_request_without_origin_is_recorded(world: World, browser: BrowserOf) -> None:
    assert ask(browser, None).json["error"] == "invalid_request"
    assert stranger_reasons(world) == {"origin.missing"}


@pytest.mark.parametrize(("origin", "allowed"), [(APP, True), (OTHER, True), ("https://evil.example", False)])
def test_the_preflight_lets_allowed_pages_in_alone(world: World, origin: str, *, allowed: bool) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = world.http.open("/session/token", method="OPTIONS", headers=headers, base_url=ISSUER)
    assert answer.status_code == 204
    assert answer.headers["Vary"] == "Origin"
    if not allowed:
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
        return
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


@pytest.mark.parametrize("path", ["/account", "/oauth/token", "/session/token/", "/login"])
def test_no_other_endpoint_is_opened_to_that_origin(browser: BrowserOf, path: str) -> None:
    answer = browser.http.post(path, json={}, headers={"Origin": APP}, base_url=ISSUER)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_one_clients_origin_is_not_anothers(world: World, browser: BrowserOf) -> None:
    refused(world, ask(browser, OTHER), "unauthorized_client", "client.not_at_this_origin")


@pytest.mark.parametrize("client_id", [None, "backend", "nobody", "web-bank ", ["web-bank", "web-other"]])
def test_a_client_that_is_not_configured_gets_nothing(browser: BrowserOf, world: World, client_id: Any) -> None:
    answer = ask(browser, client_id=client_id)
    assert answer.status_code == 400
    assert answer.json["error"] in {"unauthorized_client", "invalid_request"}
    assert not world.events("session-token:issued")


@pytest.mark.parametrize("change", [{"first_party": False}, {"enabled": False}])
def test_a_third_party_or_a_disabled_client_gets_nothing(
    world: World, browser: BrowserOf, change: dict[str, bool]
) -> None:
    change_client(world, "web-bank", **change)
    refused(world, ask(browser), "unauthorized_client", "client.unknown_or_third_party")


def _disable(world: World) -> None:
    with world.work() as work:
        wired = world.wired
        Enablement(wired.lifecycle, wired.trail, wired.clock).disable_person(work, world.id("customer"), by="test")


@pytest.mark.parametrize(
    "end", [_disable, lambda world: world.clock.pass_(3601), lambda world: world.clock.pass_(50_000)]
)
def test_without_a_living_session_there_is_no_token(
    world: World, browser: BrowserOf, end: Callable[[World], None]
) -> None:
    end(world)
    answer = ask(browser)
    assert (answer.status_code, answer.json["error"]) == (400, "login_required")
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert ask(BrowserOf(world)).json["error"] == "login_required"
    assert stranger_reasons(world) == {"session.none"}


@pytest.mark.parametrize("acr", ["", "0", "urn:example:unknown"])
def test_a_session_of_unknown_strength_gives_no_token(world: World, browser: BrowserOf, acr: str) -> None:
    with world.work() as work:
        work.lock()
        row = work.session.get(Session, world.events("session:started")[-1]["session_id"])
        assert row is not None
        row.acr = acr
    answer = ask(browser)
    assert answer.json["acr_values"] == "urn:authserver:acr:password"
    refused(world, answer, "insufficient_user_authentication", "session.weak")


def test_a_stronger_sign_in_can_be_wanted(make_sqlite_world: MakeWorld) -> None:
    strict = make_sqlite_world(session_token={"clients": CLIENTS, "acr_values": ["urn:authserver:acr:mfa"]})
    browser = BrowserOf(strict)
    browser.sign_in("customer")
    refused(strict, ask(browser), "insufficient_user_authentication", "session.weak")


@pytest.mark.parametrize(
    ("asked", "error", "reason"),
    [
        ({"resource": "https://unknown.example"}, "invalid_target", "resource.unknown"),
        ({"resource": "accounts"}, "invalid_target", "resource.not_absolute"),
        ({"resource": [API, PAYMENTS], "scope": "drafts:write"}, "invalid_scope", "scope.unknown_or_not_the_clients"),
        ({"scope": "unknown"}, "invalid_scope", "scope.unknown_or_not_the_clients"),
        ({"resource": ISSUER, "scope": "openid"}, "invalid_scope", "scope.nothing_left"),
        ({"lifetime": 9}, "invalid_request", "fields.unknown"),
        ({"scope": {"a": 1}}, "invalid_request", "fields.value"),
    ],
)
def test_what_is_asked_has_to_be_registered(
    world: World, browser: BrowserOf, asked: dict[str, Any], error: str, reason: str
) -> None:
    answer = ask(browser, **asked)
    assert (answer.status_code, answer.json["error"]) == (400, error)
    if error != "invalid_request":
        refused(world, answer, error, reason)


def test_scope_is_cut_to_what_the_person_has(world: World, browser: BrowserOf) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("customer"), roles=[])
    refused(world, ask(browser), "invalid_scope", "scope.nothing_left")


@pytest.mark.parametrize("kind", ["act", "person", "nonsense"])
def test_a_token_is_no_session(world: World, browser: BrowserOf, kind: str) -> None:
    """A token with `act` gets 403 at /session (design section 2), even beside a living session."""
    token = {"act": world.way_a().json["access_token"], "person": world.token("customer"), "nonsense": "x"}[kind]
    answer = ask(browser, headers={"Authorization": f"Bearer {token}"})
    expected = (401, "invalid_token") if kind == "nonsense" else (403, "insufficient_scope")
    assert (answer.status_code, answer.json["error"]) == expected
    assert not world.events("session-token:issued")


def test_nobody_is_configured_as_shipped(make_sqlite_world: MakeWorld) -> None:
    shipped = make_sqlite_world()
    browser = BrowserOf(shipped)
    browser.sign_in("customer")
    assert ask(browser).status_code == 403


def test_other_content_types_are_refused(browser: BrowserOf) -> None:
    """A page elsewhere can post text/plain without a preflight."""
    answer = browser.http.post("/session/token", data="{}", content_type="text/plain", headers={"Origin": APP})
    assert answer.status_code == 400


def test_a_disabled_client_ends_its_session_tokens(world: World, browser: BrowserOf) -> None:
    token = ask(browser).json["access_token"]
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "web-bank", enabled=False)
    assert not world.introspect(token)["active"]
