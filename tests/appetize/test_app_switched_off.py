"""An app that is disabled while a device of it runs: nothing more goes out, and everything that ends or tells works."""

import pytest

from tests.appetize.handing_off import EMBED, SECTIONS, EmbedPage, at_page, redeem, renew, ticket_of, unopened
from tests.conftest import MakeWorld
from tests.world import Answer, World

APPS = "/api/v1/appetize/apps"
BANK = {"build_id": "b_1", "platform": "android", "passes": "code"}
AT = "2027-01-15T08:00:00Z"
TAP = {"events": [{"id": "1", "event": "tap", "at": AT}]}


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    world = make_sqlite_world(**SECTIONS)
    world.api("POST", APPS, "admin", json={"name": "bank", "settings": BANK})
    return world


def switch_off(world: World) -> None:
    assert world.api("DELETE", f"{APPS}/bank", "admin").json["in_force"] is False


def running(world: World) -> tuple[EmbedPage, str]:
    """A page whose device runs, and the token that its app got."""
    page = at_page(world, "bank")
    code = page.call("config").json["params"]["impersonatedUserToken"]
    return page, str(redeem(world, code).json["access_token"])


def of(world: World, page: EmbedPage, below: str = "") -> Answer:
    return world.api("GET", f"/api/v1/impersonations/{page.handoff['impersonation_id']}{below}", "agent")


def test_page_of_a_disabled_app_ends_the_impersonation(world: World) -> None:
    page, token = running(world)
    switch_off(world)
    assert world.introspect(token)["active"] is True
    answer = page.call("end")
    assert (answer.status_code, answer.json["state"], answer.json["app_off"]) == (200, "ended", True)
    assert world.introspect(token) == {"active": False}
    [event] = world.events("impersonation:ended")
    assert (event["ended_by"], event["end_reason"]) == (world.id("agent"), "actor")


def test_page_of_a_disabled_app_is_told_so_and_tells_what_was_done(world: World) -> None:
    page, _ = running(world)
    assert page.call("state").json["app_off"] is False
    switch_off(world)
    told = page.call("state").json
    assert (told["state"], told["app_off"], told["how"], told["sdk_url"], told["base_url"]) == (
        "active", True, None, None, None,
    )  # fmt: skip
    assert page.call("events", TAP).json == {"accepted": 1, "known": 0, "left_out": 0}
    assert [each["kind"] for each in of(world, page, "/actions").json["items"]] == ["device.tap"]


def test_device_of_a_disabled_app_that_its_page_closes_begins_the_grace_time(world: World) -> None:
    page, _ = running(world)
    switch_off(world)
    assert page.call("events", {"stages": [{"stage": "ended", "at": AT}]}).status_code == 200
    assert page.call("state").json["seconds_left"] == 180
    assert len(world.events("handoff:closed")) == 1


def test_page_of_a_disabled_app_that_comes_back_stops_no_grace_time(world: World) -> None:
    page, _ = running(world)
    world.clock.pass_(60)
    world.wired.jobs.tick()
    switch_off(world)
    assert page.call("state").json["seconds_left"] <= 180
    assert world.events("device_session:reopened") == []


def test_page_of_a_disabled_app_gets_nothing_more(world: World) -> None:
    page, token = running(world)
    fresh = at_page(world, "bank")
    unseen = unopened(world, "bank")
    ticket = ticket_of(unseen.ask())
    switch_off(world)
    for refused in (page.call("code"), fresh.call("config"), unseen.present(ticket)):
        assert refused.status_code == 410, refused.text
    assert unseen.ask().status_code == 404
    body = {"impersonation": page.handoff["impersonation_id"], "app": "bank"}
    assert world.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 400
    assert renew(world, token).status_code == 403
    reasons = [event["reason"] for event in world.events("request:refused")]
    assert reasons.count("handoff.app_gone") >= 3


def test_page_of_a_disabled_app_lets_no_vendor_in(world: World) -> None:
    page, _ = running(world)
    switch_off(world)
    shown = page.show()
    policy = shown.headers["Content-Security-Policy"]
    assert shown.status_code == 200
    assert "frame-src 'none'; " in policy
    assert "connect-src 'self'; " in policy
    assert "appetize.io" not in policy + shown.text
    assert 'data-part="end"' in shown.text


def test_enabling_an_app_again_opens_its_pages_again(world: World) -> None:
    page = at_page(world, "bank")
    switch_off(world)
    assert page.call("config").status_code == 410
    world.api("PUT", f"{APPS}/bank", "admin", json={"settings": BANK, "enabled": True})
    assert page.call("config").status_code == 200


def test_app_that_was_taken_out_of_the_files_ends_and_tells_too(make_sqlite_world: MakeWorld) -> None:
    sections = {**SECTIONS, "appetize.apps.bank": BANK}
    page, _ = running(make_sqlite_world(**sections))
    world = make_sqlite_world(**SECTIONS)
    jar = page.browser.http.get_cookie(f"authserver-embed-{page.handoff['id']}", domain="localhost", path=page.path)
    assert jar is not None
    moved = EmbedPage(type(page.browser)(world), page.handoff)
    moved.browser.http.set_cookie(jar.key, jar.value, domain="localhost", path=page.path)
    assert moved.call("config").status_code == 410
    assert moved.call("events", TAP).json["accepted"] == 1
    assert moved.call("end", origin=EMBED).json["state"] == "ended"
