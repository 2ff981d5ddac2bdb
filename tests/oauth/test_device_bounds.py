"""What a device can never get, and how many may ask (RFC 8628 §5): whoever begins it is not who types the code."""

from typing import Any

import pytest
from sqlalchemy import update

from authserver.accounts import devices as devices_module
from authserver.protocol.access import SCOPES_OF_ROLES
from authserver.protocol.names import GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN, TYPE_ID_TOKEN
from authserver.storage.tables import DeviceCode
from tests.devices import TELEVISION, ask, asked, decide, enter, poll
from tests.signing_in import BrowserOf, new_client, refresh, stranger_reasons
from tests.world import API, ISSUER, Answer, World, claims, error


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


# --- scopes of roles


@pytest.mark.parametrize("scope", sorted(SCOPES_OF_ROLES))
def test_a_device_may_not_ask_to_decide_as_its_person(world: World, scope: str) -> None:
    for named in (scope, f"openid {scope}", f"{scope} accounts:read"):
        assert error(ask_of_both(world, scope=named)) == "invalid_scope"
        assert world.events("request:refused")[-1]["reason"] == "scope.never_by_device"
    assert error(ask(world, scope=scope, resource=ISSUER)) == "invalid_scope"


def ask_of_both(world: World, **form: str) -> Answer:
    """Ask as a device of `backend`, of the API and of the issuer itself."""
    resources = [("resource", API), ("resource", ISSUER)]
    return world.post("/oauth/device_authorization", [*form.items(), *resources], headers={"User-Agent": TELEVISION})


def test_all_that_a_client_has_is_all_but_the_scopes_of_roles(world: World, browser: BrowserOf) -> None:
    given = ask_of_both(world).json
    assert "consent:grant" not in enter(browser, given["user_code"]).text
    decide(browser, given)
    body = poll(world, given).json
    assert not SCOPES_OF_ROLES & set(body["scope"].split())
    assert "accounts:read" in body["scope"]
    made = world.api("POST", "/session/support-codes", token=body["access_token"], json={})
    assert made.status_code == 403
    assert not SCOPES_OF_ROLES & set(refresh(world, body["refresh_token"]).json["scope"].split())


def test_what_was_stored_with_them_gives_none_of_them(world: World, browser: BrowserOf) -> None:
    """Asked before it was refused, or approved before: checked again at the code, at the token and at each refresh."""
    waiting, approved = asked(world), asked(world)
    decide(browser, approved)
    names = ["openid", "accounts:read", "consent:grant"]
    with world.work() as work:
        work.lock()
        work.session.execute(update(DeviceCode).values(scopes=names, resources=[API, ISSUER]))
    shown = enter(browser, waiting["user_code"])
    assert "consent:grant" not in shown.text
    browser.submit(shown, "/device/decision", decision="allow")
    for given in (waiting, approved):
        body = poll(world, given).json
        assert body["scope"] == "openid accounts:read"
        again = refresh(world, body["refresh_token"]).json
        assert again["scope"] == "openid accounts:read"
        more = refresh(world, again["refresh_token"], scope="openid accounts:read consent:grant")
        assert more.json.get("scope") in {None, "openid accounts:read"}


def test_nobody_impersonates_by_an_id_token_that_a_device_got(world: World) -> None:
    """An ID token has no scopes: where it counts for its person, that of a device would be `impersonate`."""
    agent = BrowserOf(world)
    agent.sign_in("agent")
    own = agent.tokens(scope="openid")["id_token"]
    assert world.way_a(actor_token=own, actor_token_type=TYPE_ID_TOKEN).status_code == 200
    given = asked(world, scope="openid")
    decide(agent, given)
    body = poll(world, given).json
    for tokens in (body, refresh(world, body["refresh_token"]).json):
        refused = world.way_a(actor_token=tokens["id_token"], actor_token_type=TYPE_ID_TOKEN)
        assert error(refused) == "access_denied"
        assert world.events("request:refused")[-1]["reason"] == "actor.by_device"


def test_a_client_that_has_them_may_still_be_registered_for_devices(world: World, browser: BrowserOf) -> None:
    scopes = ["openid", "accounts:read", "consent:grant"]
    new_client(world, "tv", public=True, scopes=scopes, grant_types=[GRANT_DEVICE_CODE, GRANT_REFRESH_TOKEN])
    given = asked(world, "tv", scope="openid accounts:read")
    decide(browser, given)
    assert claims(poll(world, given, "tv").json["access_token"])["scope"] == "openid accounts:read"


# --- how many wait


def ask_from(world: World, address: str, client: str = "tv", scope: str = "accounts:read") -> Answer:
    """Ask as a device at an address; a public client says who it is, and no more."""
    form: dict[str, Any] = {"client_id": client, "scope": scope}
    return Answer.of(
        world.http.post(
            "/oauth/device_authorization",
            data=form,
            headers={"User-Agent": TELEVISION},
            environ_overrides={"REMOTE_ADDR": address},
            base_url=ISSUER,
        )
    )


@pytest.fixture
def television(world: World) -> World:
    """The world with two public clients for devices."""
    for name in ("tv", "radio"):
        new_client(world, name, public=True, grant_types=[GRANT_DEVICE_CODE])
    return world


def test_a_site_of_ipv6_counts_as_one(television: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "_MAX_WAITING_OF_SITE", 2)
    inside = ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:0:1:2:3:4", "2001:db8::")
    assert [ask_from(television, address).status_code for address in inside] == [200, 200, 429, 429]
    refused = ask_from(television, inside[0])
    assert refused.json["error"] == "slow_down"
    assert refused.headers["Retry-After"] == "600"
    assert ask_from(television, "2001:db8:0:1::1").status_code == 200
    assert ask_from(television, inside[0], "radio").status_code == 200
    television.clock.pass_(600)
    assert ask_from(television, inside[0]).status_code == 200


def test_an_address_of_ipv4_counts_by_itself(television: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "_MAX_WAITING_OF_SITE", 1)
    addresses = ("198.51.100.1", "::ffff:198.51.100.1", "198.51.100.10", "198.51.100.11")
    assert [ask_from(television, address).status_code for address in addresses] == [200, 429, 200, 200]


def test_one_client_does_not_take_the_room_of_all(television: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "_MAX_WAITING_OF_CLIENT", 2)
    monkeypatch.setattr(devices_module, "_MAX_WAITING", 3)
    asked_from = [ask_from(television, f"198.51.100.{number}") for number in range(3)]
    assert [answer.status_code for answer in asked_from] == [200, 200, 503]
    assert ask_from(television, "198.51.100.1", "radio").status_code == 200
    assert error(ask(television)) == "temporarily_unavailable"
    assert television.events("request:refused")[-1]["reason"] == "device.too_many"
    television.clock.pass_(600)
    assert ask_from(television, "198.51.100.2").status_code == 200
    assert error(poll(television, asked_from[0].json, "tv")) == "expired_token"


def test_an_address_is_shown_as_people_know_it(television: World, browser: BrowserOf) -> None:
    given = ask_from(television, "2001:db8::7").json
    assert "<dd>2001:db8::7, which is not" in enter(browser, given["user_code"]).text


def test_who_only_says_which_client_it_is_adds_nothing_to_the_chain(
    television: World, browser: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are recorded once somebody decides on them; refusals of a public client as one sum an address."""
    monkeypatch.setattr(devices_module, "_MAX_WAITING_OF_SITE", 3)
    before = len(television.events())
    given = [ask_from(television, "198.51.100.1") for _ in range(5)]
    assert [answer.status_code for answer in given] == [200, 200, 200, 429, 429]
    assert error(ask_from(television, "198.51.100.1", scope="unknown")) == "invalid_scope"
    assert error(poll(television, {"device_code": "x"}, "tv")) == "invalid_grant"
    assert len(television.events()) == before
    assert stranger_reasons(television) == {
        "device.too_many_of_address",
        "scope.unknown_or_not_the_clients",
        "device.unknown_or_not_the_clients",
    }
    sums = [(event["client_ids"], event["count"]) for event in television.events("strangers:refused")]
    assert sorted(sums) == [(["tv"], 1), (["tv"], 3)]
    decide(browser, given[0].json, "deny")
    names = [event["name"] for event in television.events()[-2:]]
    assert names == ["device:requested", "device:denied"]
