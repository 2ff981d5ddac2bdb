"""Signing in with a real browser, by keyboard alone, and an application that gets its code."""

from playwright.sync_api import Browser, Page

from tests.browser.chromium import opened
from tests.browser.visits import authorize_path, callback
from tests.conftest import Demo

_FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  return { words: (at.innerText || at.name || "").trim(), ring: style.outlineStyle + " " + style.outlineWidth };
}"""


def tab(page: Page, *, until: str) -> None:
    """Go on by Tab till what is focused says `until`; whatever has the focus on the way shows it."""
    page.wait_for_load_state()
    for _ in range(25):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        assert focus["ring"] == "solid 3px", focus
        if until in focus["words"]:
            return
    raise AssertionError(until)


def test_a_person_signs_in_by_keyboard_and_out_again(chromium: Browser, demo: Demo) -> None:
    agent = demo.credentials["users"]["agent2"]
    with opened(chromium) as page:
        page.goto(f"{demo.issuer}/account")
        page.locator("#username:focus").wait_for()
        page.keyboard.type(agent["username"])
        tab(page, until="password")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.locator("#error:focus").wait_for()
        tab(page, until="username")
        tab(page, until="password")
        page.keyboard.type(agent["password"])
        tab(page, until="Show")
        tab(page, until="Continue")
        page.keyboard.press("Space")
        page.wait_for_url("**/account")
        assert page.get_by_role("heading", level=1).inner_text() == "Your account"
        tab(page, until="Skip to content")
        page.keyboard.press("Enter")
        tab(page, until="Set up")
        page.goto(f"{demo.issuer}/account")
        tab(page, until="Sign out")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Sign out?").wait_for()
        tab(page, until="Sign out")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are signed out").wait_for()
        page.goto(f"{demo.issuer}/account")
        assert "/login" in page.url


def test_an_application_gets_its_code_through_a_real_browser(chromium: Browser, demo: Demo) -> None:
    person = demo.credentials["users"]["customer"]
    with opened(chromium) as page:
        page.goto(demo.issuer + authorize_path())
        page.get_by_label("Email or user name").fill(person["username"])
        page.get_by_label("Password").fill(person["password"])
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{callback()}?**")
        assert "code=" in page.url
        assert "state=s" in page.url
