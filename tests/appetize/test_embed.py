"""The embed page: opened once, by a ticket, in the actor's browser, at an origin of its own (design section 6)."""

import pytest

from tests.appetize.handing_off import (
    EMBED,
    SECTIONS,
    EmbedPage,
    at_page,
    hand_off,
    redeem,
    ticket_of,
    unopened,
)
from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf, stranger_reasons
from tests.world import ISSUER, REASON, World, claims

CALLS = ("config", "code", "events", "state", "end")


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**SECTIONS)


def strange(page: EmbedPage, world: World) -> EmbedPage:
    """The same handoff in another browser."""
    return EmbedPage(BrowserOf(world), page.handoff)


# --- the way there


def test_handoff_names_the_page_at_the_issuer(world: World) -> None:
    handoff = hand_off(world)
    assert handoff["embed_url"] == f"{ISSUER}/appetize/embed/{handoff['id']}"


def test_page_opens_by_a_form_that_the_issuer_gives_the_actor(world: World) -> None:
    page = unopened(world)
    asked = page.ask()
    policy = asked.headers["Content-Security-Policy"]
    assert f"form-action {EMBED};" in policy
    assert asked.headers["Referrer-Policy"] == "strict-origin"
    assert asked.headers["Cache-Control"] == "no-store"
    assert f'action="{EMBED}{page.path}"' in asked.text
    opened = page.present(ticket_of(asked))
    assert (opened.status_code, opened.headers["Location"]) == (303, page.path)
    cookie = opened.headers["Set-Cookie"]
    assert cookie.startswith(f"authserver-embed-{page.handoff['id']}=")
    assert {"HttpOnly", f"Path={page.path}", "SameSite=Strict"} <= set(cookie.split("; "))
    shown = page.show()
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    policy = shown.headers["Content-Security-Policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f"script-src 'nonce-{nonce}' https://js.appetize.io;" in policy
    assert shown.text.count("<script") == shown.text.count(f'nonce="{nonce}"') == 1
    assert f"'nonce-{nonce}'" not in page.show().headers["Content-Security-Policy"]
    assert "frame-src https://appetize.io;" in shown.headers["Content-Security-Policy"]
    for words in ("Agent", "Customer", REASON["reason"], REASON["ticket_id"]):
        assert words in shown.text
    [event] = world.events("handoff:opened")
    assert (event["handoff_id"], event["actor"]) == (page.handoff["id"], world.id("agent"))


def test_cookie_is_a_host_cookie_where_the_page_is_https(make_sqlite_world: MakeWorld) -> None:
    issuer, embed = "https://login.example.com", "https://device.example.net"
    handoff = hand_off(make_sqlite_world(**SECTIONS))
    world = make_sqlite_world(**{**SECTIONS, "server": {"issuer": issuer}, "appetize": {"embed_origin": embed}})
    browser = BrowserOf(world)
    browser.sign_in()
    page = EmbedPage(browser, handoff)
    opened = page.present(ticket_of(page.ask()), origin=issuer, base_url=embed)
    cookie = opened.headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-authserver-embed-{handoff['id']}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))


def test_who_is_not_signed_in_signs_in_first_and_comes_back(world: World) -> None:
    page = EmbedPage(BrowserOf(world), hand_off(world))
    asked = page.ask()
    assert asked.status_code == 303
    assert asked.headers["Location"] == f"/login?return_to=%2Fappetize%2Fembed%2F{page.handoff['id']}"
    back = page.browser.log_in(page.browser.follow(asked))
    assert back.headers["Location"] == page.path
    assert page.present(ticket_of(page.browser.follow(back))).status_code == 303


@pytest.mark.parametrize("who", ["agent2", "lead", "admin", "customer"])
def test_nobody_else_gets_a_ticket(world: World, who: str) -> None:
    page = unopened(world, who=who)
    known, unknown = page.ask(), page.browser.get("/appetize/embed/hnd_unknown")
    assert (known.status_code, known.text) == (404, unknown.text)
    assert "ticket" not in known.text
    assert world.events("request:refused")[-1]["actor"] == world.id(who)


def test_asking_for_the_page_consumes_nothing_and_only_the_newest_ticket_counts(world: World) -> None:
    page = unopened(world)
    first, second = ticket_of(page.ask()), ticket_of(page.ask())
    assert page.present(first).status_code == 410
    assert page.present(second).status_code == 303


# --- wrong, late, second


@pytest.mark.parametrize("ticket", ["", "x", "x" * 43, "ü"])
def test_wrong_ticket_opens_nothing_and_spoils_nothing(world: World, ticket: str) -> None:
    page = unopened(world)
    right = ticket_of(page.ask())
    refused = page.present(ticket)
    assert (refused.status_code, "Set-Cookie" in refused.headers) == (410, False)
    assert stranger_reasons(world) == {"embed.ticket"}
    assert page.present(right).status_code == 303


def test_ticket_of_another_handoff_opens_nothing(world: World) -> None:
    page, other = unopened(world), unopened(world)
    page.ask()
    assert page.present(ticket_of(other.ask())).status_code == 410


@pytest.mark.parametrize(("seconds", "status"), [(29, 303), (30, 410)])
def test_ticket_lives_half_a_minute(world: World, seconds: int, status: int) -> None:
    page = unopened(world)
    ticket = ticket_of(page.ask())
    world.clock.pass_(seconds)
    assert page.present(ticket).status_code == status


def test_page_is_opened_once(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    page = unopened(world)
    ticket = ticket_of(page.ask())
    assert page.present(ticket).status_code == 303
    for again in (page.present(ticket), page.ask(), strange(page, world).present(ticket)):
        assert (again.status_code, "Set-Cookie" in again.headers) == (410, False)
        assert "opened before" in again.text
    assert page.show().status_code == 200


def test_page_cannot_be_asked_for_late_nor_once_all_is_over(world: World) -> None:
    late, ended = unopened(world), unopened(world, started=world.start("agent", "vip").json["id"])
    world.end(ended.handoff["impersonation_id"])
    assert ended.ask().status_code == 410
    world.clock.pass_(60)
    assert late.ask().status_code == 410


def test_page_can_be_opened_while_the_customer_is_asked(world: World) -> None:
    page = at_page(world, target="customer-ask")
    assert page.call("state").json["state"] == "awaiting_consent"
    assert page.call("config").status_code == 409
    world.decide(page.handoff["impersonation_id"], "consent", "customer-ask")
    assert page.call("config").status_code == 200


def test_other_browser_sees_nothing(world: World) -> None:
    page = at_page(world)
    other = strange(page, world)
    shown = other.show()
    assert (shown.status_code, "not opened in this browser" in shown.text) == (410, True)
    assert "Customer" not in shown.text
    assert {other.call(name).status_code for name in CALLS} == {404}
    assert page.call("config").status_code == 200


def test_page_that_the_issuers_form_led_to_asks_for_itself_again(world: World) -> None:
    """A Strict cookie does not come along with what another site led to: the page loads itself from its own."""
    page = at_page(world)
    bare = strange(page, world)
    bounced = bare.show(**{"Sec-Fetch-Site": "cross-site"})
    assert (bounced.status_code, f'content="0;url={page.path}"' in bounced.text) == (200, True)
    assert bare.show(**{"Sec-Fetch-Site": "same-origin"}).status_code == 410


def test_cookie_of_another_handoff_is_none(world: World) -> None:
    page, other = at_page(world), at_page(world)
    name = "authserver-embed-"
    held = other.browser.http.get_cookie(f"{name}{other.handoff['id']}", domain="localhost", path=other.path)
    assert held is not None
    thief = strange(page, world)
    thief.browser.http.set_cookie(f"{name}{page.handoff['id']}", held.value, domain="localhost", path=page.path)
    assert thief.show().status_code == 410
    assert {thief.call(call).status_code for call in CALLS} == {404}


def test_signing_out_closes_the_page(world: World) -> None:
    page = at_page(world)
    page.browser.submit(page.browser.get("/logout"), "/logout")
    refused = page.call("state")
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    assert page.call("config").status_code == 403
    assert page.show().status_code == 410


def test_page_leads_back_to_the_console_where_there_is_one(make_sqlite_world: MakeWorld) -> None:
    assert "/console/" not in at_page(make_sqlite_world(**SECTIONS)).show().text
    world = make_sqlite_world(**SECTIONS, console={"enabled": True, "client_secret": "x" * 43})
    page = at_page(world)
    address = f"{ISSUER}/console/impersonations/{page.handoff['impersonation_id']}"
    assert f'href="{address}" rel="noopener"' in page.show().text


# --- what the page calls


def test_page_gets_the_configuration_once(world: World) -> None:
    page = at_page(world)
    answer = page.call("config")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    code = answer.json["params"]["impersonatedUserToken"]
    assert claims(redeem(world, code).json["access_token"])["sub"] == world.id("customer")
    assert page.call("config").status_code == 410
    assert world.events("handoff:configured")[-1]["by"] == "page"


def test_token_stands_in_no_page_and_no_address(world: World) -> None:
    page = at_page(world, "demo-bank")
    token = page.call("config").json["params"]["impersonatedUserToken"]
    assert token.count(".") == 2
    for shown in (page.show(), page.call("state"), page.ask()):
        assert token not in shown.text
        assert token not in str(shown.headers)


def test_page_gets_fresh_codes_by_deep_link(world: World) -> None:
    page = at_page(world, "by-link")
    assert page.call("config").json["params"] == {}
    fresh = page.call("code").json
    assert set(fresh) == {"url", "expires_in"}
    assert redeem(world, fresh["url"].removeprefix("appetize://impersonation/")).status_code == 200
    again = page.call("code")
    assert (again.status_code, again.headers["Retry-After"]) == (429, "2")


def test_page_is_told_who_acts_as_whom_why_how_and_for_how_long(world: World) -> None:
    page = at_page(world, expires_in=600)
    world.clock.pass_(10)
    shown = page.call("state").json
    assert {name: shown[name] for name in ("state", "seconds_left", "mode", "reason", "ticket_id", "app", "build")} == {
        "state": "active",
        "seconds_left": 590,
        "mode": "read_only",
        "reason": REASON["reason"],
        "ticket_id": REASON["ticket_id"],
        "app": "by-code",
        "build": "code-build",
    }
    assert (shown["actor"], shown["subject"]) == ("Avery Agent", "Casey Customer")
    world.clock.pass_(590)
    assert (page.call("state").json["state"], page.call("state").json["seconds_left"]) == ("ended", 0)


def test_page_ends_the_impersonation_and_ending_it_twice_is_ending_it_once(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    page = at_page(world)
    token = redeem(world, page.call("config").json["params"]["impersonatedUserToken"]).json["access_token"]
    assert [page.call("end").json["state"] for _ in range(2)] == ["ended", "ended"]
    assert world.introspect(token) == {"active": False}
    [event] = world.events("impersonation:ended")
    assert (event["ended_by"], event["end_reason"]) == (world.id("agent"), "actor")
    assert {page.call(name).status_code for name in ("config", "code")} == {410}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("origin", [None, ISSUER, "null", f"{EMBED}/", "http://localhost", "https://evil.example"])
def test_call_of_another_origin_is_refused(world: World, name: str, origin: str | None) -> None:
    page = at_page(world)
    assert page.call(name, origin=origin).status_code == 403
    assert page.call("config").status_code == 200


@pytest.mark.parametrize("name", CALLS)
def test_form_calls_nothing(world: World, name: str) -> None:
    page = at_page(world)
    refused = page.call(name, json=None, data={"a": "b"})
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert page.call("config").status_code == 200


@pytest.mark.parametrize("name", CALLS)
def test_token_is_no_cookie(world: World, name: str) -> None:
    page = unopened(world)
    authorization = {"Authorization": f"Bearer {world.token('agent')}", "Origin": EMBED}
    assert page.call(name, headers=authorization).status_code == 404
