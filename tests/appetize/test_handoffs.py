"""Handoffs: an impersonation's token reaches a device by a configuration that comes once (design section 6)."""

from typing import Any

import pytest

from authserver.storage import people
from tests.conftest import MakeWorld
from tests.world import API, ISSUER, PAYMENTS, START, Answer, World, claims

PAGE, FOREIGN = "https://support.bank.example", "https://support.other.example"
APPS: dict[str, dict[str, Any]] = {
    "appetize.apps.own-bank": {"build_id": "own-build", "platform": "ios", "allowed_origins": [PAGE]},
    "appetize.apps.other-bank": {
        "build_id": "other-build",
        "platform": "android",
        "debug": True,
        "proxy": "intercept",
        "param": "token",
        "allowed_origins": [FOREIGN],
    },
}


def create(world: World, impersonation_id: str, who: str = "agent", **body: Any) -> Answer:
    shown = {"impersonation": impersonation_id, "app": "demo-bank", **body}
    return world.api("POST", "/appetize/handoffs", who, json=shown)


def config(world: World, handoff: dict[str, Any], who: str | None = "agent", **more: Any) -> Answer:
    """Fetch the configuration: with the actor's token, or without one."""
    path = handoff["config_url"].removeprefix(ISSUER)
    return world.api("POST", path, who, **{"json": {}, **more})


def by_secret(world: World, handoff: dict[str, Any], origin: str | None = PAGE, secret: str | None = None) -> Answer:
    """Fetch the configuration as a page does that embeds the device itself."""
    body = {"config_secret": handoff["config_secret"] if secret is None else secret}
    return config(world, handoff, None, json=body, headers={} if origin is None else {"Origin": origin})


def handed(world: World, **body: Any) -> dict[str, Any]:
    """Start an impersonation and hand it off."""
    created = create(world, world.start().json["id"], **body)
    assert created.status_code == 201, created.text
    return created.json


# --- create


def test_handoff_of_ones_own_impersonation_is_created(world: World) -> None:
    started = world.start().json["id"]
    created = create(world, started)
    assert (created.status_code, created.headers["Cache-Control"]) == (201, "no-store")
    handoff = created.json
    assert handoff == {
        "id": handoff["id"],
        "embed_url": None,
        "expires_in": 60,
        "config_url": f"{ISSUER}/appetize/handoffs/{handoff['id']}/config",
        "config_secret": handoff["config_secret"],
    }
    assert len(handoff["config_secret"]) >= 43
    [event] = world.events("handoff:created", started)
    assert (event["actor"], event["app"]) == (world.id("agent"), "demo-bank")


@pytest.mark.parametrize(
    ("who", "status"),
    [("agent2", 404), ("vip", 404), ("customer", 403), ("lead", 403), ("admin", 403), ("auditor", 403)],
)
def test_handoff_of_anothers_impersonation_is_refused(world: World, who: str, status: int) -> None:
    assert create(world, world.start().json["id"], who).status_code == status
    assert world.events("handoff:created") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"app": "nobodys-bank"}, "invalid_request"),
        ({"resource": PAYMENTS}, "invalid_target"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"build": "../../build"}, "invalid_request"),
    ],
)
def test_handoff_to_an_unknown_app_or_of_what_was_not_granted_is_400(
    world: World, body: dict[str, str], code: str
) -> None:
    refused = create(world, world.start().json["id"], **body)
    assert (refused.status_code, refused.json["error"]) == (400, code)


def test_handoff_of_what_is_over_is_409(make_world: MakeWorld) -> None:
    world = make_world()
    ended = world.start().json["id"]
    world.end(ended)
    overdue = world.start(expires_in=30).json["id"]
    world.clock.pass_(30)
    assert [create(world, each).status_code for each in (ended, overdue)] == [409, 409]


# --- the configuration


def test_configuration_carries_a_fresh_token_of_the_impersonation(world: World) -> None:
    started = world.start(resource=[API, PAYMENTS]).json["id"]
    handoff = create(world, started, resource=API).json
    world.clock.pass_(10)
    answer = config(world, handoff)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    token = answer.json["params"]["impersonatedUserToken"]
    assert answer.json == {
        "buildId": "demo-bank-standin",
        "platform": "android",
        "device": "pixel7",
        "record": True,
        "debug": False,
        "params": {"impersonatedUserToken": token},
        "language": "sv",
        "locale": "sv_SE",
        "timezone": "Europe/Stockholm",
        "appearance": "dark",
    }
    shown = claims(token)
    assert {name: shown[name] for name in ("sub", "aud", "scope", "client_id", "iat", "exp")} == {
        "sub": world.id("customer"),
        "aud": API,
        "scope": "accounts:read",
        "client_id": "backend",
        "iat": START + 10,
        "exp": START + 3600,
    }
    assert shown["act"] == {"sub": world.id("agent"), "iss": ISSUER}
    assert shown["impersonation"] == {"id": started, "mode": "read_only", "ticket_id": "BANK-1042"}
    assert not {"auth_time", "acr", "amr"} & set(shown)
    assert world.introspect(token)["active"]
    [event] = world.events("handoff:configured", started)
    assert (event["by"], event["jti"]) == ("actor", shown["jti"])
    world.end(started)
    assert world.introspect(token) == {"active": False}


def test_handoff_without_a_resource_is_for_all_that_were_granted_and_needs_no_body(world: World) -> None:
    handoff = create(world, world.start(resource=[API, PAYMENTS]).json["id"]).json
    token = config(world, handoff, json=None).json["params"]["impersonatedUserToken"]
    assert claims(token)["aud"] == [API, PAYMENTS]


def test_recording_debugging_and_the_proxy_are_off_unless_the_app_opts_in(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**APPS)
    plain = config(world, handed(world, app="own-bank", build="build-7")).json
    assert (plain["record"], plain["debug"], plain["buildId"]) == (False, False, "build-7")
    assert not {"proxy", "device"} & set(plain)
    opted = config(world, handed(world, app="other-bank")).json
    assert (opted["record"], opted["debug"], opted["proxy"]) == (False, True, "intercept")
    assert set(opted["params"]) == {"token"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("agent2", 404), ("vip", 404), ("customer", 403), ("lead", 403), ("admin", 403), (None, 401)],
)
def test_configuration_is_for_the_actor_alone(world: World, who: str | None, status: int) -> None:
    handoff = handed(world)
    assert config(world, handoff, who).status_code == status
    assert config(world, handoff).status_code == 200


def test_impersonations_own_token_gets_no_configuration(world: World) -> None:
    exchanged = world.way_a().json
    handoff = create(world, exchanged["impersonation_id"]).json
    assert config(world, handoff, None, token=exchanged["access_token"]).status_code == 403


# --- by its secret


def test_secret_gives_the_configuration_to_an_allow_listed_origin(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**APPS)
    handoff = handed(world, app="own-bank")
    answer = by_secret(world, handoff)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert claims(answer.json["params"]["impersonatedUserToken"])["sub"] == world.id("customer")
    assert world.events("handoff:configured")[-1]["by"] == "config_secret"
    assert by_secret(world, handoff).status_code == 410


@pytest.mark.parametrize(
    "origin",
    [None, ISSUER, FOREIGN, "null", f"{PAGE}/", f"{PAGE}:443", PAGE.upper(), f"{PAGE}.evil.example", "https://x.test"],
)
def test_secret_gives_nothing_to_any_other_origin(make_sqlite_world: MakeWorld, origin: str | None) -> None:
    """Exactly the app's own: not the issuer's, and not one that is allow-listed for another app."""
    world = make_sqlite_world(**APPS)
    handoff = handed(world, app="own-bank")
    refused = by_secret(world, handoff, origin)
    assert (refused.status_code, "Origin" in refused.json["detail"]) == (403, True)
    assert by_secret(world, handoff).status_code == 200


def test_wrong_secret_is_as_an_unknown_handoff(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**APPS)
    handoff, other = handed(world, app="own-bank"), handed(world, app="own-bank")
    wrong = by_secret(world, handoff, secret=other["config_secret"])
    unknown = by_secret(world, {**handoff, "config_url": "/appetize/handoffs/hnd_unknown/config"})
    assert (wrong.status_code, wrong.text) == (404, unknown.text)
    assert by_secret(world, handoff, secret="").status_code == 404
    assert by_secret(world, handoff).status_code == 200


def test_without_any_credential_a_known_handoff_is_as_an_unknown_one(world: World) -> None:
    known = config(world, handed(world), None)
    unknown = config(world, {"config_url": "/appetize/handoffs/hnd_unknown/config"}, None)
    assert (known.status_code, known.text) == (401, unknown.text)


def test_page_of_an_allow_listed_origin_may_ask_and_read(make_sqlite_world: MakeWorld) -> None:
    """The Fetch standard's preflight, and the header without which a browser hides the answer from the page."""
    world = make_sqlite_world(**APPS)
    handoff = handed(world, app="own-bank")
    path = handoff["config_url"].removeprefix(ISSUER)
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    asked = world.api("OPTIONS", path, headers=asks)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == PAGE
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "Content-Type"
    answer = by_secret(world, handoff)
    assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (PAGE, "Origin")
    assert "Access-Control-Allow-Credentials" not in answer.headers
    foreign = world.api("OPTIONS", path, headers={**asks, "Origin": "https://x.test"})
    assert "Access-Control-Allow-Origin" not in foreign.headers
    other = world.api("OPTIONS", "/appetize/handoffs", "agent", headers=asks)
    assert "Access-Control-Allow-Origin" not in other.headers


# --- once, and in time


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_no_other_method_consumes_anything(world: World, method: str) -> None:
    handoff = handed(world)
    refused = world.api(method, handoff["config_url"].removeprefix(ISSUER), "agent")
    assert refused.status_code == 405
    assert config(world, handoff).status_code == 200


def test_configuration_comes_once(make_world: MakeWorld) -> None:
    world = make_world()
    handoff = handed(world)
    assert config(world, handoff).status_code == 200
    again = config(world, handoff)
    assert (again.status_code, again.json["error"]) == (410, "gone")
    assert len(world.events("handoff:configured")) == 1


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 410)])
def test_configuration_comes_within_a_minute(world: World, seconds: int, status: int) -> None:
    handoff = handed(world)
    world.clock.pass_(seconds)
    assert config(world, handoff).status_code == status


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 410)])
def test_minute_begins_when_what_waited_becomes_active(make_world: MakeWorld, seconds: int, status: int) -> None:
    world = make_world()
    waiting = world.start(target="customer-ask").json["id"]
    handoff = create(world, waiting).json
    world.clock.pass_(200)
    assert config(world, handoff).status_code == 409
    world.decide(waiting, "consent", "customer-ask")
    world.clock.pass_(seconds)
    assert config(world, handoff).status_code == status


def test_what_is_over_gives_no_configuration(world: World) -> None:
    ended, denied = world.start().json["id"], world.start(target="customer-ask").json["id"]
    handoffs = [create(world, each).json for each in (ended, denied)]
    world.end(ended)
    world.decide(denied, "consent", "customer-ask", "deny")
    assert [config(world, each).status_code for each in handoffs] == [410, 410]
    assert world.events("handoff:configured") == []


def test_everything_is_checked_again_before_the_token_leaves(world: World) -> None:
    handoff = handed(world)
    with world.work() as work:
        work.lock()
        people.set_enabled(work.session, world.id("customer"), enabled=False)
    assert config(world, handoff).status_code == 403
    with world.work() as work:
        work.lock()
        people.set_enabled(work.session, world.id("customer"), enabled=True)
    assert config(world, handoff).status_code == 200


def test_actors_session_that_ended_gives_the_secret_nothing(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**APPS)
    handoff = handed(world, app="own-bank")
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("agent"), now=world.clock.now())
    assert by_secret(world, handoff).status_code == 403
