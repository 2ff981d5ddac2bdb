"""The customer's main journey, as they see it: asked while the page is open, a number, what is done, an end."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser import visits
from tests.browser.chromium import HEIGHT, WIDTHS, opened
from tests.browser.entrance import sign_in
from tests.conftest import Demo

SECONDS = 8000
HOSTILE = '"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'


def unloaded(page: Page) -> bool:
    """Tell whether the page was loaded anew since `page.evaluate("window.kept = 1")`."""
    return bool(page.evaluate("window.kept === undefined"))


def test_a_customer_is_asked_live_picks_the_number_sees_what_is_done_and_ends_it(
    chromium: Browser, named_demo: Demo
) -> None:
    with opened(chromium) as page:
        page.set_viewport_size({"width": WIDTHS["phone"], "height": HEIGHT})
        sign_in(page, named_demo, "customer-ask")
        page.evaluate("window.kept = 1")
        asked = visits.ask(named_demo)
        answer = page.locator(f"[data-key='answer-{asked.id}']")
        expect(answer).to_be_visible(timeout=SECONDS)
        assert not unloaded(page)
        expect(page).to_have_title(re.compile(r"\(\d+\) Your answer is wanted"))
        expect(page.locator("[data-live-news]")).to_contain_text("asks to see your account")
        answer.click()
        page.get_by_role("button", name=asked.number).click()
        page.get_by_role("link", name="See what they do").click()
        expect(page.get_by_text("Nothing so far")).to_be_visible()
        page.evaluate("window.kept = 1")
        page.get_by_role("button", name="End it now").focus()
        visits.act(named_demo, asked, ["view.accounts", "view.transactions"])
        expect(page.get_by_text("Looked at: transactions (2)")).to_be_visible(timeout=SECONDS)
        assert not unloaded(page)
        assert page.evaluate("document.activeElement.dataset.key") == f"end-{asked.id}", "the focus stays"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Avery Agent could see your account")).to_be_visible()
        expect(page.get_by_text("You ended it")).to_be_visible()
        page.get_by_role("link", name="Who saw it").click()
        expect(page.locator(f"a[href$='{asked.id}']")).to_be_visible()


def test_an_open_request_follows_what_happens_elsewhere(chromium: Browser, named_demo: Demo) -> None:
    """It is answered in another window: the numbers are gone from this one."""
    with opened(chromium) as page:
        number = visits.asked_for_consent(page, named_demo)
        other = page.context.new_page()
        other.goto(page.url)
        other.get_by_role("button", name=number).click()
        expect(page.get_by_role("heading", name="You have allowed it")).to_be_visible(timeout=SECONDS)
        assert page.locator("button.number").count() == 0
        other.get_by_role("button", name="Take it back, and end it now").click()
        expect(page.get_by_role("heading", name="It is over")).to_be_visible(timeout=SECONDS)


def test_a_lost_connection_shows_and_heals(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        sign_in(page, named_demo, "customer-ask")
        lost = page.get_by_text("No connection")
        page.context.set_offline(True)
        expect(lost).to_be_visible(timeout=SECONDS)
        asked = visits.ask(named_demo)
        page.context.set_offline(False)
        expect(page.locator(f"[data-key='answer-{asked.id}']")).to_be_visible(timeout=SECONDS)
        expect(lost).to_be_hidden()


def test_who_was_signed_out_elsewhere_is_told(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        sign_in(page, named_demo, "customer-ask")
        page.get_by_role("heading", name="Your account", exact=True).wait_for()
        page.context.clear_cookies()
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # they come back to this tab
        expect(page.get_by_text("You are signed out")).to_be_visible(timeout=SECONDS)


def test_what_an_agent_typed_never_runs(chromium: Browser, named_demo: Demo) -> None:
    """It arrives live, too: what a script puts in place is as harmless as what was loaded."""
    with opened(chromium) as page:
        sign_in(page, named_demo, "customer-ask")
        asked = visits.ask(named_demo, reason=HOSTILE)
        link = page.locator(f"[data-key='answer-{asked.id}']")
        expect(link).to_be_visible(timeout=SECONDS)
        expect(page.get_by_text("<img src=x")).not_to_have_count(0)
        link.click()
        page.get_by_role("button", name=asked.number).click()
        for path in (f"/account/impersonations/{asked.id}", "/account/history", "/account"):
            page.goto(named_demo.issuer + path)
            assert page.evaluate("window.hurt") is None
            assert page.locator("main img").count() == 0


def test_without_scripts_everything_can_be_done(chromium: Browser, named_demo: Demo) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    asked = visits.ask(named_demo)
    sign_in(page, named_demo, "customer-ask")
    page.locator(f"[data-key='answer-{asked.id}']").click()
    page.get_by_role("button", name=asked.number).click()
    page.get_by_role("link", name="See what they do").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("You ended it")).to_be_visible()
    context.close()
