"""The device authorization grant (RFC 8628) over HTTP: what a device asks, is told, and gets once."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from authserver.accounts.devices import LETTERS, Devices
from authserver.impersonation.enablement import Enablement
from authserver.protocol.names import GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN
from authserver.storage import people
from authserver.storage.tables import DeviceCode
from tests.conftest import MakeWorld
from tests.devices import GRANT, ask, asked, decide, enter, poll
from tests.signing_in import BrowserOf, change_client, new_client, refresh, token
from tests.world import API, ISSUER, PAYMENTS, World, claims, error

THIRD: dict[str, Any] = {"grant_types": [GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN]}


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


# --- asking


def test_a_device_is_given_both_codes_and_where_to_go(world: World) -> None:
    """RFC 8628 §3.2, §5.2 (entropy of the device code), §6.1 (the user code)."""
    answer = ask(world)
    assert answer.headers["Cache-Control"] == "no-store"
    given = answer.json
    assert re.fullmatch(rf"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", given["user_code"])
    assert not set(LETTERS) & set("AEIOUY0123456789")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", given["device_code"])
    assert given["verification_uri"] == f"{ISSUER}/device"
    assert given["verification_uri_complete"] == f"{ISSUER}/device?user_code={given['user_code']}"
    assert (given["expires_in"], given["interval"]) == (600, 5)
    assert set(given) == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
    }
    assert given["device_code"] not in str(world.events())
    assert given["user_code"] not in str(world.events())


def test_codes_are_stored_hashed_and_never_the_same(world: World) -> None:
    given = [asked(world) for _ in range(3)]
    assert len({each["user_code"] for each in given}) == len({each["device_code"] for each in given}) == 3
    with world.work() as work:
        stored = str(work.session.execute(select(DeviceCode.__table__)).all())
    assert not any(each[name] in stored for each in given for name in ("device_code", "user_code"))
    assert not any(each["user_code"].replace("-", "") in stored for each in given)


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        ({"scope": "accounts:read unknown"}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"scope": "audit:read", "resource": API}, "invalid_scope"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"resource": "api"}, "invalid_target"),
        ({"resource": PAYMENTS}, "invalid_scope"),
    ],
)
def test_what_is_asked_is_resolved_as_at_the_authorization_endpoint(
    world: World, form: dict[str, Any], refused: str
) -> None:
    assert error(ask(world, **form)) == refused
    assert world.events("request:refused")[-1]["endpoint"] == "oauth.device_authorization"


@pytest.mark.parametrize("scope", ["", None])
def test_without_words_for_it_a_device_asks_for_all_that_its_client_has(
    world: World, browser: BrowserOf, scope: str | None
) -> None:
    decide(browser, asked(world, scope=scope))
    assert "accounts:read" in world.events("device:requested")[-1]["scopes"]


@pytest.mark.parametrize(
    "body", [b"scope=%00", b"scope=a&scope=b", b"%ff=1", b"scope=+", b"x" * 5000, b"scope=" + b"a " * 9000]
)
def test_what_is_no_form_of_ours_is_refused(world: World, body: bytes) -> None:
    answer = world.http.post(
        "/oauth/device_authorization",
        data=body,
        headers=world.basic(),
        base_url=ISSUER,
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 400
    assert answer.get_json()["error"] in {"invalid_request", "invalid_scope"}


def test_who_may_ask_is_a_client_that_authenticates_and_is_registered_for_it(world: World) -> None:
    assert error(world.post("/oauth/device_authorization", {}, client=None)) == "invalid_client"
    assert error(world.post("/oauth/device_authorization", {"client_id": "backend"}, client=None)) == "invalid_client"
    assert error(ask(world, "other-backend", scope="accounts:read")) == "unauthorized_client"
    assert error(ask(world, client_id="other-backend")) == "invalid_request"
    assert error(token(world, {"grant_type": GRANT, "device_code": "x"}, "other-backend")) == "unauthorized_client"
    assert world.http.get("/oauth/device_authorization", base_url=ISSUER).status_code == 405
    query = "/oauth/device_authorization?client_id=backend&scope=openid"
    assert error(world.post(query, {}, client=None)) == "invalid_client"


def test_a_code_that_is_taken_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["BBBBBBBB", "BBBBBBBB", "CCCCCCCC"])
    monkeypatch.setattr(Devices, "_letters", lambda _self: next(drawn))
    assert [asked(world)["user_code"] for _ in range(2)] == ["BBBB-BBBB", "CCCC-CCCC"]


# --- polling


def test_a_device_gets_its_persons_tokens_once_they_allow_it(world: World, browser: BrowserOf) -> None:
    """RFC 8628 §3.5, and the answer of the code grant."""
    given = asked(world)
    assert error(poll(world, given)) == "authorization_pending"
    assert decide(browser, given).headers["Location"] == "/device/allowed"
    answer = poll(world, given)
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert body["scope"] == "openid accounts:read"
    shown, identity = claims(body["access_token"]), claims(body["id_token"])
    assert (shown["sub"], shown["client_id"]) == (world.id("customer"), "backend")
    assert set(shown["aud"]) == {API, ISSUER}
    session_id = world.events("session:started")[-1]["session_id"]
    assert (identity["aud"], identity["sid"], "nonce" in identity) == ("backend", session_id, False)
    assert (identity["acr"], identity["auth_time"]) == (shown["acr"], shown["auth_time"])
    assert world.introspect(body["access_token"])["active"]
    assert refresh(world, body["refresh_token"]).status_code == 200
    issued = [event["way"] for event in world.events("token:issued")]
    assert GRANT_DEVICE_CODE in issued


def test_as_with_codes_no_openid_no_id_token_and_a_resource_narrows(world: World, browser: BrowserOf) -> None:
    given = asked(world, scope="accounts:read")
    decide(browser, given)
    assert "id_token" not in poll(world, given).json
    given = asked(world)
    decide(browser, given)
    assert error(poll(world, given, resource=PAYMENTS)) == "invalid_target"
    assert claims(poll(world, given, resource=API).json["access_token"])["aud"] == API


def test_a_public_client_polls_by_its_id_alone(world: World, browser: BrowserOf) -> None:
    new_client(world, "tv", public=True, first_party=True, **THIRD)
    given = asked(world, "tv")
    decide(browser, given)
    assert error(poll(world, given)) == "invalid_grant"
    body = poll(world, given, "tv").json
    assert refresh(world, body["refresh_token"], "tv").status_code == 200


def test_who_polls_too_fast_waits_five_seconds_longer_each_time(world: World) -> None:
    """RFC 8628 §3.5 `slow_down`: "for this and all subsequent requests"."""
    given = asked(world)
    assert error(poll(world, given)) == "authorization_pending"
    world.clock.pass_(4.9)
    slower = poll(world, given)
    assert (error(slower), slower.json["interval"]) == ("slow_down", 10)
    world.clock.pass_(9.9)
    slower = poll(world, given)
    assert (error(slower), slower.json["interval"]) == ("slow_down", 15)
    world.clock.pass_(15)
    assert error(poll(world, given)) == "authorization_pending"
    world.clock.pass_(14)
    assert error(poll(world, given)) == "slow_down"
    assert not [event for event in world.events("request:refused") if event["error"] == "slow_down"]


def test_a_decision_is_told_even_to_who_polls_too_fast(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    poll(world, given)
    decide(browser, given)
    assert poll(world, given).status_code == 200


def test_a_denied_device_is_told_so_and_nothing_else_ever(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    assert decide(browser, given, "deny").headers["Location"] == "/device/denied"
    assert [error(poll(world, given)) for _ in range(2)] == ["access_denied"] * 2
    event = world.events("device:denied")[-1]
    assert (event["user_id"], event["client_id"]) == (world.id("customer"), "backend")
    assert world.events("request:refused")[-1]["reason"] == "device.denied"
    world.clock.pass_(600)
    assert error(poll(world, given)) == "expired_token"


@pytest.mark.parametrize("was", ["allowed", "waiting"])
def test_after_its_time_a_code_is_worth_nothing(world: World, browser: BrowserOf, was: str) -> None:
    given = asked(world)
    world.clock.pass_(599)
    if was == "allowed":
        decide(browser, given)
    world.clock.pass_(1)
    assert error(poll(world, given)) == "expired_token"
    assert enter(browser, given["user_code"]).status_code == 400


def test_a_device_code_serves_once_and_a_replay_kills_what_it_gave(make_world: MakeWorld) -> None:
    """As authorization codes do: RFC 6749 §4.1.2, RFC 9700 §4.5."""
    world = make_world()
    browser = BrowserOf(world)
    browser.sign_in("customer")
    given = asked(world)
    decide(browser, given)
    first = poll(world, given).json
    second = refresh(world, first["refresh_token"]).json
    assert world.introspect(second["access_token"])["active"]
    assert error(poll(world, given)) == "invalid_grant"
    assert not world.introspect(first["access_token"])["active"]
    assert not world.introspect(second["access_token"])["active"]
    assert error(refresh(world, second["refresh_token"])) == "invalid_grant"
    assert world.events("request:refused")[-2]["reason"] == "device.replayed"


def test_a_device_code_is_for_its_client_alone(world: World, browser: BrowserOf) -> None:
    new_client(world, "app", first_party=True, **THIRD)
    given = asked(world)
    decide(browser, given)
    assert error(poll(world, given, "app")) == "invalid_grant"
    assert poll(world, given).status_code == 200
    assert error(poll(world, given, "app")) == "invalid_grant"


def test_one_kind_of_code_is_never_another(world: World, browser: BrowserOf) -> None:
    """CVE-2026-4282: one-time stores are separate by kind."""
    given = asked(world)
    decide(browser, given)
    for wrong in (given["user_code"], browser.code(), given["device_code"][:-1], given["device_code"] + "A", "ä"):
        assert error(poll(world, {"device_code": wrong})) == "invalid_grant"
    assert error(token(world, {"grant_type": GRANT}, "backend")) == "invalid_request"
    as_code = {"grant_type": "authorization_code", "code": given["device_code"], "redirect_uri": "http://127.0.0.1/x"}
    assert error(token(world, {**as_code, "code_verifier": "a" * 43}, "backend")) == "invalid_grant"
    assert error(refresh(world, given["device_code"])) == "invalid_grant"
    assert enter(browser, given["device_code"]).status_code == 400


# --- between the decision and the token


@pytest.mark.parametrize("what", ["signed out", "disabled", "session too old"])
def test_a_person_who_is_gone_gives_nothing(world: World, browser: BrowserOf, what: str) -> None:
    given = asked(world)
    decide(browser, given)
    match what:
        case "signed out":
            browser.submit(browser.get("/logout"), "/logout")
        case "disabled":
            with world.work() as work:
                wired = world.wired
                Enablement(wired.lifecycle, wired.trail, wired.clock).disable_person(
                    work, world.id("customer"), by="test"
                )
        case _:
            with world.work() as work:
                work.lock()
                session = people.find_session(work.session, world.events("session:started")[-1]["session_id"])
                assert session is not None
                session.expires_at = world.clock.now()
    assert error(poll(world, given)) == "invalid_grant"
    assert world.events("request:refused")[-1]["reason"] == "person.not_signed_in_any_more"


def test_signing_out_kills_what_a_device_got(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    decide(browser, given)
    body = poll(world, given).json
    browser.submit(browser.get("/logout"), "/logout")
    assert not world.introspect(body["access_token"])["active"]
    assert error(refresh(world, body["refresh_token"])) == "invalid_grant"


def test_scopes_that_client_or_person_lost_meanwhile_are_not_given(world: World, browser: BrowserOf) -> None:
    given = asked(world, scope="openid accounts:read cards:write")
    decide(browser, given)
    change_client(world, scopes=["openid", "accounts:read"])
    assert poll(world, given).json["scope"] == "openid accounts:read"
    given = asked(world, scope="accounts:read")
    decide(browser, given)
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("customer"), roles=[])
    assert error(poll(world, given)) == "invalid_scope"


def test_roles_gained_after_the_decision_give_no_more_than_was_shown(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in("agent")
    given = asked(world, scope="openid accounts:read")
    assert "accounts:read" not in enter(browser, given["user_code"]).text
    decide(browser, given)
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), roles=["support", "customer"])
    assert poll(world, given).json["scope"] == "openid"


def test_a_disabled_client_and_one_without_the_grant_get_nothing(world: World, browser: BrowserOf) -> None:
    new_client(world, "app", first_party=True, **THIRD)
    given, waiting = asked(world, "app"), asked(world, "app")
    decide(browser, given)
    change_client(world, "app", grant_types=[GRANT_REFRESH_TOKEN])
    assert error(poll(world, given, "app")) == "unauthorized_client"
    assert enter(browser, waiting["user_code"]).status_code == 400
    change_client(world, "app", **THIRD)
    with world.work() as work:
        Enablement(world.wired.lifecycle, world.wired.trail, world.clock).disable_client(work, "app", by="test")
    assert error(poll(world, given, "app")) == "invalid_client"
    assert enter(browser, waiting["user_code"]).status_code == 400
    with world.work() as work:
        Enablement(world.wired.lifecycle, world.wired.trail, world.clock).enable_client(work, "app", by="test")
    assert [error(poll(world, each, "app")) for each in (given, waiting)] == ["invalid_grant"] * 2


def test_what_a_person_withdraws_from_a_third_party_ends_its_device_codes(world: World, browser: BrowserOf) -> None:
    new_client(world, "app", **THIRD)
    given = asked(world, "app")
    decide(browser, given)
    assert world.events("application:allowed")[-1]["scopes"] == ["openid", "accounts:read"]
    browser.submit(browser.get("/account/permissions"), "/account/applications/app/withdraw")
    assert error(poll(world, given, "app")) == "invalid_grant"
    given = asked(world, "app")
    decide(browser, given)
    assert poll(world, given, "app").json["scope"] == "openid accounts:read"


def test_old_device_codes_are_forgotten_a_day_after_their_end(world: World) -> None:
    asked(world)
    for seconds, left in ((600 + 86400, 1), (600, 0)):
        world.clock.pass_(seconds)
        world.wired.jobs.tick()
        with world.work() as work:
            assert work.session.scalar(select(func.count()).select_from(DeviceCode)) == left
