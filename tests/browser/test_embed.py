"""From the issuer to the embed page in a real browser: another site, a Strict cookie, and no script but our own."""

from typing import Any

import requests
from playwright.sync_api import Browser, Page

from tests.browser.chromium import opened
from tests.conftest import Demo
from tests.world import API, REASON


def embed_url(demo: Demo) -> str:
    """Start an impersonation, hand it off, and return where its page is."""
    return str(handed_off(demo)["embed_url"])


def handed_off(demo: Demo) -> dict[str, Any]:
    """Start an impersonation and hand it off."""
    headers = {"Authorization": f"Bearer {demo.credentials['users']['agent']['access_token']}"}
    body = {"subject": demo.credentials["users"]["customer"]["id"], "resource": [API], **REASON}
    started = requests.post(f"{demo.issuer}/api/v1/impersonations", json=body, headers=headers, timeout=10).json()
    handoff = {"impersonation": started["id"], "app": "demo-bank"}
    created: dict[str, Any] = requests.post(
        f"{demo.issuer}/appetize/handoffs", json=handoff, headers=headers, timeout=10
    ).json()
    return created


def sign_in(page: Page, demo: Demo) -> None:
    agent = demo.credentials["users"]["agent"]
    page.locator("[name=username]").fill(agent["username"])
    page.locator("[name=password]").fill(agent["password"])
    page.locator("[name=password]").press("Enter")


def call(page: Page, name: str) -> int:
    """Call as the page's script does, and return the status."""
    script = """name => fetch(location.pathname + "/" + name, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"
    }).then(answer => answer.status)"""
    return int(page.evaluate(script, name))


def test_agent_comes_from_the_issuer_to_the_page_and_only_once(chromium: Browser, demo: Demo) -> None:
    url = embed_url(demo)
    with opened(chromium) as page:
        page.goto(url)
        sign_in(page, demo)
        page.wait_for_url("http://localhost:*/appetize/embed/*")
        page.get_by_role("heading", name="Casey Customer's app").wait_for()
        page.frame_locator("#appetize-device").get_by_text("Casey Customer").first.wait_for()
        assert [call(page, name) for name in ("state", "config")] == [200, 410]
        [cookie] = [each for each in page.context.cookies() if "embed" in each.get("name", "")]
        assert (cookie.get("sameSite"), cookie.get("httpOnly")) == ("Strict", True)
        assert page.evaluate("document.cookie") == ""
        page.reload()
        page.get_by_role("heading", name="Casey Customer's app").wait_for()
        page.goto(url)
        assert "opened before" in page.get_by_role("alert").inner_text()


def test_page_cannot_reach_the_issuer(chromium: Browser, demo: Demo) -> None:
    with opened(chromium) as page:
        page.goto(embed_url(demo))
        sign_in(page, demo)
        page.get_by_role("heading", name="Casey Customer's app").wait_for()
        reached = """url => fetch(url).then(answer => answer.status, () => 0)"""
        assert page.evaluate(reached, "/account") == 400


def test_form_is_sent_by_its_button_where_there_are_no_scripts(chromium: Browser, demo: Demo) -> None:
    url = embed_url(demo)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    sign_in(page, demo)
    page.get_by_role("button", name="Open the device").click()
    page.get_by_role("heading", name="Casey Customer's app").wait_for()
    context.close()
