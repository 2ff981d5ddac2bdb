"""The link in a notice: it shows, the button ends, and nothing else does."""

import re

import pytest

from authserver.impersonation.notify.objections import notice_token
from authserver.storage import impersonations
from tests.conftest import MakeWorld
from tests.notify.post_office import post_office
from tests.notify.seeing import change_person, deliver, html_of, link_in, text_of
from tests.signing_in import BrowserOf, hidden, stranger_reasons
from tests.world import ISSUER, World

FORGED = "imp_00000000000000000000000000000000.0000000000000000000000000000000000000000000000000000000000000000"


def link(world: World, impersonation_id: str) -> str:
    return "/notice/" + notice_token(world.wired.hasher, impersonation_id)


def test_link_of_a_real_mail_shows_and_ends(make_sqlite_world: MakeWorld) -> None:
    with post_office() as office:
        world = make_sqlite_world(notification=office.settings())
        started = world.way_a().json
        deliver(world)
        path = link_in(text_of(office))
        assert f'href="{ISSUER}{path}"' in html_of(office)
    browser = BrowserOf(world)
    page = browser.get(path)
    assert page.status_code == 200
    for words in ("Agent", "a wrong balance", "BANK-1042", "It goes on now", "End it now", "Sign in to your account"):
        assert words in page.text
    assert re.search(r'<td><time datetime="[-0-9T:]+Z"', page.text), "times are put into the reader's own zone"
    assert "times.js" in page.text or re.search(r"/times\.[0-9a-f]+\.js", page.text)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    ended = browser.submit(page, path)
    again = browser.follow(ended)
    assert "It is over" in again.text
    assert "End it now" not in again.text
    assert world.introspect(started["access_token"]) == {"active": False}
    [event] = world.events("impersonation:ended")
    assert (event["end_reason"], event["ended_by"]) == ("subject_notice", world.id("customer"))
    assert browser.submit(page, path).status_code == 303
    assert len(world.events("impersonation:ended")) == 1


@pytest.mark.parametrize("withheld", [0, 60 * 86_400])
def test_link_expires_a_while_after_all_is_over_and_told(make_sqlite_world: MakeWorld, withheld: int) -> None:
    world = make_sqlite_world(notification={"link_seconds": 1000})
    started = world.start().json["id"]
    path, browser = link(world, started), BrowserOf(world)
    with world.work() as work:
        work.lock()
        until = world.clock.now() + withheld if withheld else None
        impersonations.change(work.session, started, notice_withheld_until=until)
    page = browser.get(path)
    world.end(started)
    world.clock.pass_(withheld + 999)
    assert browser.get(path).status_code == 200
    world.clock.pass_(1)
    for late in (browser.get(path), browser.post(path, csrf=hidden(page)["csrf"])):
        assert late.status_code == 410
        assert "has expired" in late.text
        assert "a wrong balance" not in late.text


def test_looking_changes_nothing(world: World) -> None:
    started = world.start().json["id"]
    before = world.events()
    for _ in range(3):
        assert BrowserOf(world).get(link(world, started)).status_code == 200
    assert BrowserOf(world).http.head(link(world, started), base_url=ISSUER).status_code == 200
    assert world.events() == before


def test_button_wants_the_forms_own_proof(world: World) -> None:
    started = world.start().json["id"]
    path, browser = link(world, started), BrowserOf(world)
    page = browser.get(path)
    assert browser.post(path).status_code == 403
    assert browser.post(path, csrf="wrong").status_code == 403
    assert BrowserOf(world).post(path, csrf=hidden(page)["csrf"]).status_code == 403
    assert browser.post(path, _origin="https://evil.example", csrf=hidden(page)["csrf"]).status_code == 403
    assert world.events("impersonation:ended") == []
    assert browser.post(path, csrf=hidden(page)["csrf"]).status_code == 303


def test_link_that_is_not_ours_is_not_found_and_counted(world: World) -> None:
    first, second = world.start().json["id"], world.start(ticket_id="BANK-2").json["id"]
    token = notice_token(world.wired.hasher, first)
    browser = BrowserOf(world)
    wrong = [FORGED, token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), token + "0", first, f"{first}.", "é"]
    wrong.append(token.replace(first, second))
    for each in wrong:
        assert browser.get(f"/notice/{each}").status_code == 404
        assert browser.post(f"/notice/{each}", csrf="x").status_code == 404
    assert stranger_reasons(world) == {"notice.link"}
    assert [event["count"] for event in world.events("strangers:refused")] == [2 * len(wrong)]
    assert world.events("impersonation:ended") == []


def test_what_somebody_typed_is_text_on_the_page(world: World) -> None:
    change_person(world, "agent", name="<b>Anna</b>")
    started = world.start(reason='"><script>alert(1)</script>').json["id"]
    page = BrowserOf(world).get(link(world, started))
    assert "<script>alert" not in page.text
    assert "<b>Anna" not in page.text
    assert "&lt;b&gt;Anna" in page.text


def test_page_is_kept_nowhere_and_framed_nowhere(world: World) -> None:
    page = BrowserOf(world).get(link(world, world.start().json["id"]))
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "HttpOnly" in page.headers["Set-Cookie"]


@pytest.mark.parametrize(("target", "words"), [("vip", "It has not begun yet"), ("customer", "It goes on now")])
def test_what_waits_can_be_ended_too(world: World, target: str, words: str) -> None:
    started = world.start(target=target).json["id"]
    path, browser = link(world, started), BrowserOf(world)
    page = browser.get(path)
    assert words in page.text
    browser.submit(page, path)
    assert world.api("GET", f"/api/v1/impersonations/{started}", "agent").json["state"] == "ended"


def test_what_ran_out_has_no_button(world: World) -> None:
    started = world.start(expires_in=60).json["id"]
    world.clock.pass_(60)
    page = BrowserOf(world).get(link(world, started))
    assert "It is over" in page.text
    assert "End it now" not in page.text
