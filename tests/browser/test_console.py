"""The agent at the console, in real Chromium, with the demo's credentials: what they do all day."""

import itertools
import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import console_visits as console
from tests.browser.chromium import opened
from tests.browser.desk import served
from tests.browser.entrance import sign_in
from tests.conftest import Demo

HOSTILE = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>{{7*7}}\u202e'
_reasons = itertools.count(1)


def impersonation_of(page: Page) -> str:
    return page.url.rpartition("/")[2]


def test_from_a_crms_link_one_click_and_the_agents_words_lead_to_a_pending_consent(
    chromium: Browser, named_demo: Demo
) -> None:
    console.end_all(named_demo)
    with opened(chromium) as page:
        console.enter(page, named_demo, path=console.link(named_demo, "customer-ask"))
        page.evaluate(
            "window.addEventListener('click', () => sessionStorage.clicks = 1 + +(sessionStorage.clicks ?? 0))"
        )
        assert page.evaluate("document.activeElement.id") == "reason"
        page.keyboard.type("a card payment is missing")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("heading", name="Read this number out").wait_for()
        assert page.evaluate("sessionStorage.clicks") == "1"
        asked = console.call(named_demo, "agent2", "GET", f"/api/v1/impersonations/{impersonation_of(page)}")
        assert (asked["state"], asked["reason"]) == ("awaiting_consent", "a card payment is missing")


def test_a_link_that_brings_the_words_leaves_one_click(chromium: Browser, named_demo: Demo) -> None:
    console.end_all(named_demo)
    with opened(chromium) as page:
        console.enter(page, named_demo, path=console.link(named_demo, "customer-ask", reason="a payment is missing"))
        page.wait_for_function("document.activeElement.id === 'start'")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Read this number out").wait_for()


def test_on_a_phone_the_places_open_by_a_button(chromium: Browser, named_demo: Demo) -> None:
    """By touch and by keyboard, and without scripts: Escape closes them and gives the focus back."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    console.enter(page, named_demo, "admin", "/users")
    health = page.get_by_role("link", name="Health")
    assert not health.is_visible()
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    health.wait_for()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Active now"
    page.keyboard.press("Escape")
    health.wait_for(state="hidden")
    assert page.locator(":focus").inner_text() == "Menu"
    page.get_by_role("button", name="Menu").click()
    health.click()
    page.get_by_role("heading", name="Health", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_a_link_changes_nothing(chromium: Browser, named_demo: Demo) -> None:
    console.end_all(named_demo)
    mine = f"/api/v1/impersonations?actor={named_demo.credentials['users']['agent2']['id']}"
    before = console.call(named_demo, "agent2", "GET", mine)["items"]
    with opened(chromium) as page:
        console.enter(page, named_demo, path=console.link(named_demo, "customer", reason_code="legal_request"))
        assert page.get_by_label("Reason", exact=True).input_value() == "legal_request"
        assert page.get_by_label("In your words").input_value() == ""
        assert page.get_by_label("Ticket").input_value().startswith("BANK-")
    assert console.call(named_demo, "agent2", "GET", mine)["items"] == before


def test_the_whole_journey_without_a_mouse(chromium: Browser, named_demo: Demo) -> None:
    """Find, ask, read the number out, and the device opens by itself; End is in reach on every page."""
    console.end_all(named_demo)
    with opened(chromium) as page, opened(chromium) as theirs:
        console.enter(page, named_demo)
        page.get_by_role("combobox").wait_for()
        assert page.evaluate("document.activeElement.id") == "q"
        page.keyboard.type("charlie", delay=20)
        page.get_by_role("option", name="Charlie Customer").wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/start?**")
        page.wait_for_function("document.activeElement.id === 'ticket_id'")
        page.keyboard.type("BANK-7")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type("a card payment is missing")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/impersonations/*")
        number = page.locator("#number").inner_text()
        sign_in(theirs, named_demo, "customer-ask", f"/account/requests/{impersonation_of(page)}")
        theirs.locator("button.number").filter(has_text=number).click()
        page.wait_for_url("**/appetize/embed/*")
        phone = page.frame_locator("#appetize-device")
        phone.get_by_role("heading", name="Charlie Customer", exact=True).wait_for(timeout=20000)
        other = page.context.new_page()
        other.goto(named_demo.credentials["console"] + "/mine")
        banner = other.get_by_role("region", name="You act as Charlie Customer")
        assert re.fullmatch(r"(1:00:00|\d\d?:\d\d)", banner.get_by_role("timer").inner_text())
        banner.get_by_role("button", name="End").press("Enter")
        other.get_by_role("heading", name="This is over").wait_for()
        page.get_by_role("heading", name="This is over").wait_for(timeout=10000)


def test_a_refusal_is_said_in_the_form_and_nothing_typed_is_lost(chromium: Browser, named_demo: Demo) -> None:
    console.end_all(named_demo)
    with opened(chromium) as page:
        console.enter(page, named_demo, path=console.link(named_demo, "customer"))
        page.get_by_label("In your words").fill(HOSTILE)
        page.get_by_label("For how long").select_option("900")
        page.get_by_label("Ticket").fill("nonsense")
        page.evaluate("document.querySelector('#start-form').noValidate = true")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("alert").wait_for()
        assert page.evaluate("document.activeElement.id") == "error"
        assert page.title().startswith("Error: ")
        assert page.get_by_label("In your words").input_value() == HOSTILE
        assert page.get_by_label("For how long").input_value() == "900"
        assert page.get_by_label("Ticket").input_value() == "nonsense"


def test_hostile_words_stay_words(chromium: Browser, named_demo: Demo) -> None:
    """Reflected by links and searches, stored in reasons."""
    console.end_all(named_demo)
    hostile = f"{HOSTILE}{next(_reasons)}"
    with opened(chromium) as page:
        console.enter(page, named_demo, path=console.link(named_demo, "customer", reason=hostile, reason_code=HOSTILE))
        assert page.get_by_label("In your words").input_value() == hostile
        for path in ("/?q=", "/find?q=", "/mine?state=", "/impersonations?since=", "/start?subject=", "/"):
            page.goto(named_demo.credentials["console"] + path + HOSTILE.replace("#", "").replace("{", "%7B"))
            assert page.evaluate("window.hit") is None
        body = {"subject": named_demo.credentials["users"]["customer"]["id"], "ticket_id": "BANK-8", "reason": hostile}
        body["reason_code"] = "security_review"
        started = console.call(named_demo, "agent2", "POST", "/api/v1/impersonations", body)
        for path in (f"/impersonations/{started['id']}", f"/impersonations/{started['id']}/now", "/mine", "/banner"):
            page.goto(named_demo.credentials["console"] + path)
            assert page.evaluate("window.hit") is None
        page.goto(f"{named_demo.credentials['console']}/impersonations/{started['id']}")
        assert HOSTILE[:20] in page.locator("main").inner_text()


def test_the_code_is_sent_at_its_last_digit(chromium: Browser, named_demo: Demo) -> None:
    """The demo asks by number; the form for a code is put into its place."""
    console.end_all(named_demo)
    form = '<form method="post" action="/console/typed"><input class="code" id="code" name="code"></form>'
    with opened(chromium) as page:
        page.route("**/now", lambda route: route.fulfill(status=304))
        console.number(page, named_demo)
        page.evaluate("(form) => { document.querySelector('#number').outerHTML = form; }", form)
        page.route("**/console/typed", lambda route: route.fulfill(body=route.request.post_data or ""))
        page.locator("#code").press_sequentially("12 34-5")
        assert page.locator("#code").input_value() == "12345"
        page.locator("#code").press_sequentially("6")
        page.wait_for_url("**/console/typed")
        assert page.inner_text("body") == "code=123456"


def test_what_has_not_changed_is_not_touched(chromium: Browser, named_demo: Demo) -> None:
    """Neither at the first event of the stream, nor when the page comes into view again."""
    mark = "addEventListener('DOMContentLoaded', () => { (document.querySelector('#number') ?? {}).mine = true; })"
    with opened(chromium) as page:
        page.add_init_script(mark)
        with page.expect_response("**/now"):
            console.number(page, named_demo)
        with page.expect_response("**/now") as again:
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert again.value.status in {200, 304}
        page.wait_for_timeout(200)
        assert page.evaluate("document.querySelector('#number').mine") is True


def test_a_lost_connection_shows_and_heals(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        console.number(page, named_demo)
        lost = page.get_by_text("The connection is lost")
        assert not lost.is_visible()
        page.context.set_offline(True)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # its stream is opened anew, in vain
        lost.wait_for(timeout=15000)
        page.context.set_offline(False)
        lost.wait_for(state="hidden", timeout=15000)


def test_without_streams_it_is_asked_again_and_again(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        page.route("**/console/live/**", lambda route: route.fulfill(status=503))
        console.number(page, named_demo)
        console.call(named_demo, "agent2", "POST", f"/api/v1/impersonations/{impersonation_of(page)}/end", {})
        page.get_by_role("heading", name="This is over").wait_for(timeout=8000)


def test_no_page_holds_a_token(chromium: Browser, named_demo: Demo) -> None:
    """Not in the page, not in storage, not in a script's reach."""
    with opened(chromium) as page:
        seen: list[str] = []
        page.on("response", lambda answer: seen.append(json.dumps(answer.headers)))
        console.active(page, named_demo)
        held = page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, history.state])")
        assert "eyJ" not in page.content() + held + page.url
        assert held == '["",{},{},null]'
        assert not any("eyJ" in each for each in seen)


@pytest.mark.parametrize("visit", [console.desk, console.active], ids=["desk", "active"])
def test_the_first_view_is_small_and_still(chromium: Browser, named_demo: Demo, visit: Any) -> None:
    with opened(chromium) as page:
        visit(page, named_demo)
        page.reload(wait_until="load")
        page.wait_for_timeout(400)
        sizes = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((entry) => entry.encodedBodySize)"
        )
        assert sum(sizes) < 100_000
        shift = page.evaluate("""() => new Promise((resolve) => {
          let shift = 0;
          new PerformanceObserver((list) => { for (const entry of list.getEntries()) shift += entry.value; })
            .observe({ type: "layout-shift", buffered: true });
          setTimeout(() => resolve(shift), 200);
        })""")
        assert shift < 0.02


def test_nobody_frames_the_console(chromium: Browser, named_demo: Demo) -> None:
    context = chromium.new_context()
    page = context.new_page()
    console.enter(page, named_demo)
    address = named_demo.credentials["console"]
    with (
        served(f'<iframe src="{address}/mine"></iframe>') as elsewhere,
        page.expect_console_message(lambda message: "frame-ancestors" in message.text),
    ):
        page.goto(elsewhere)
    assert "My impersonations" not in page.frames[-1].content()
    context.close()


def test_the_console_works_without_scripts(chromium: Browser, named_demo: Demo) -> None:
    console.end_all(named_demo)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    console.enter(page, named_demo, path="/?q=casey")
    page.get_by_role("option", name="Casey Customer").click()
    page.get_by_label("Ticket").fill("BANK-9")
    page.get_by_label("In your words").fill("a card payment is missing")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Opening the device").click()
    page.wait_for_url("**/appetize/embed/*")
    context.close()
    console.end_all(named_demo)
