"""Signing in with a real browser, by keyboard, at desk and phone width, in light and dark."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.conftest import Demo

Scheme = Literal["light", "dark"]


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desk", "phone"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = request.param
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert not refused


def accessible(page: Page) -> None:
    """Check that axe finds nothing serious, and that nothing is wider than the screen."""
    found = Axe().run(page).response["violations"]
    assert not [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_person_signs_in_by_keyboard_and_out_again(page: Page, demo: Demo) -> None:
    agent = demo.credentials["users"]["agent2"]
    page.goto(f"{demo.issuer}/account")
    accessible(page)
    page.keyboard.type(agent["username"])
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    accessible(page)
    page.get_by_label("Password").fill(agent["password"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")
    assert page.get_by_role("heading", level=1).inner_text() == "Your account"
    accessible(page)
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out").wait_for()
    accessible(page)
    page.goto(f"{demo.issuer}/account")
    assert "/login" in page.url


def test_an_application_gets_its_code_through_a_real_browser(page: Page, demo: Demo) -> None:
    agent = demo.credentials["users"]["customer"]
    callback = "http://127.0.0.1:1/callback"
    page.route("http://127.0.0.1:1/**", lambda route: route.fulfill(body="back"))
    page.goto(
        f"{demo.issuer}/oauth/authorize?response_type=code&client_id=backend&scope=openid&state=s"
        f"&redirect_uri={callback}&code_challenge={'a' * 43}&code_challenge_method=S256"
    )
    page.get_by_label("Email or user name").fill(agent["username"])
    page.get_by_label("Password").fill(agent["password"])
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{callback}?**")
    assert "code=" in page.url
    assert "state=s" in page.url


def test_pages_of_errors_and_waiting_are_accessible(page: Page, demo: Demo) -> None:
    for path in ("/oauth/authorize?client_id=nobody", "/interactions/imp_1", "/logout"):
        page.goto(demo.issuer + path)
        accessible(page)
