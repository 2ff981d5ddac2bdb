"""From the issuer to the embed page in a real browser: another site, a Strict cookie, and no script but our own."""

import requests
from playwright.sync_api import Browser, Page

from tests.browser.chromium import opened
from tests.conftest import Demo
from tests.world import API, REASON


def handed_off(demo: Demo) -> tuple[str, str]:
    """Start an impersonation and hand it off; return its id, and where its page is."""
    headers = {"Authorization": f"Bearer {demo.credentials['users']['agent']['access_token']}"}
    body = {"subject": demo.credentials["users"]["customer"]["id"], "resource": [API], **REASON}
    started = requests.post(f"{demo.issuer}/api/v1/impersonations", json=body, headers=headers, timeout=10).json()
    handoff = {"impersonation": started["id"], "app": "demo-bank"}
    created = requests.post(f"{demo.issuer}/appetize/handoffs", json=handoff, headers=headers, timeout=10).json()
    return str(started["id"]), str(created["embed_url"])


def embed_url(demo: Demo) -> str:
    return handed_off(demo)[1]


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
        page.get_by_role("heading", name="You act as Casey Customer").wait_for()
        page.frame_locator("#device").get_by_text("Read-only").wait_for()
        assert [call(page, name) for name in ("state", "config")] == [200, 410]
        [cookie] = [each for each in page.context.cookies() if "embed" in each.get("name", "")]
        assert (cookie.get("sameSite"), cookie.get("httpOnly")) == ("Strict", True)
        assert page.evaluate("document.cookie") == ""
        page.reload()
        page.get_by_role("heading", name="You act as Casey Customer").wait_for()
        page.goto(url)
        assert "opened before" in page.get_by_role("alert").inner_text()


def test_page_cannot_reach_the_issuer(chromium: Browser, demo: Demo) -> None:
    with opened(chromium) as page:
        page.goto(embed_url(demo))
        sign_in(page, demo)
        page.get_by_role("heading", name="You act as Casey Customer").wait_for()
        reached = """url => fetch(url).then(answer => answer.status, () => 0)"""
        assert page.evaluate(reached, "/account") == 400


def test_form_is_sent_by_its_button_where_there_are_no_scripts(chromium: Browser, demo: Demo) -> None:
    url = embed_url(demo)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    sign_in(page, demo)
    page.get_by_role("button", name="Open the device").click()
    page.get_by_role("heading", name="You act as Casey Customer").wait_for()
    context.close()


def test_device_shows_the_customers_account_and_stops_when_the_customer_ends_it(chromium: Browser, demo: Demo) -> None:
    impersonation, url = handed_off(demo)
    people = demo.credentials["users"]
    api = f"{demo.issuer}/api/v1/impersonations/{impersonation}"
    agent, customer = ({"Authorization": f"Bearer {people[who]['access_token']}"} for who in ("agent", "customer"))
    with opened(chromium) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: said.append(request.url))
        page.goto(url)
        sign_in(page, demo)
        phone = page.frame_locator("#device")
        phone.get_by_text("Avery Agent is looking at this account").wait_for()
        page.get_by_text("59:").wait_for()
        phone.get_by_role("button", name="Transfer").click()
        page.wait_for_timeout(1500)
        kept = (
            page.content() + page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") + "".join(said)
        )
        assert "eyJ" not in kept
        [done] = [
            action
            for action in requests.get(f"{api}/actions", headers=agent, timeout=10).json()["items"]
            if action["kind"] == "device.action"
        ][:1]
        assert set(done["details"]) == {"element_type", "element_id"}
        assert done["reported_by"].startswith("hnd_")
        requests.post(f"{api}/end", headers=customer, timeout=10).raise_for_status()
        page.get_by_text("The customer ended it").wait_for(timeout=2500)
        assert page.locator("iframe").count() == 0
        assert page.get_by_role("button").count() == 0


def test_agent_restarts_the_app_and_ends_it(chromium: Browser, demo: Demo) -> None:
    impersonation, url = handed_off(demo)
    with opened(chromium) as page:
        page.goto(url)
        sign_in(page, demo)
        phone = page.frame_locator("#device")
        phone.get_by_text("Read-only").wait_for()
        page.get_by_role("button", name="Restart app").click()
        phone.get_by_text("Read-only").wait_for()
        page.get_by_role("button", name="End it now").click()
        page.get_by_text("You ended it").wait_for()
    headers = {"Authorization": f"Bearer {demo.credentials['users']['agent']['access_token']}"}
    shown = requests.get(f"{demo.issuer}/api/v1/impersonations/{impersonation}", headers=headers, timeout=10).json()
    assert (shown["state"], shown["end_reason"]) == ("ended", "actor")


def test_device_that_fails_is_started_again_by_a_person_alone(chromium: Browser, demo: Demo) -> None:
    standin = demo.credentials["appetize"]["device_stand_in"]
    requests.post(f"{standin}/control", json={"next": "sessionError"}, timeout=10).raise_for_status()
    with opened(chromium) as page:
        page.goto(embed_url(demo))
        sign_in(page, demo)
        again = page.get_by_role("button", name="Try again")
        again.wait_for()
        page.get_by_text("The device could not be started").wait_for()
        again.click()
        page.frame_locator("#device").get_by_text("Read-only").wait_for()
