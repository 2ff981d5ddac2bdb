"""The embed page's device: what it shows, what it reports, and how fast its picture ends (design section 6)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Page, Response, expect

from tests.browser.chromium import opened
from tests.browser.test_embed import embed_url, sign_in
from tests.browser.test_pages import serious
from tests.browser.visits import sign_in as sign_in_at
from tests.conftest import Demo
from tests.resource.test_sample import bearer

TIMEOUT = 10


@dataclass
class Shown:
    """An embed page with its device, and everything that its console said."""

    page: Page
    url: str
    demo: Demo
    said: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    impersonation: str = ""

    @property
    def phone(self) -> FrameLocator:
        return self.page.frame_locator("#appetize-device")

    def running(self) -> None:
        expect(self.phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible(timeout=15000)

    def actions(self) -> list[str]:
        token = self.demo.credentials["users"]["agent"]["access_token"]
        url = f"{self.demo.issuer}/api/v1/impersonations/{self.impersonation}/actions"
        found = requests.get(url, headers=bearer(token), timeout=TIMEOUT).json()
        return [each["action"] for each in found["items"]]


@contextmanager
def device_page(browser: Browser, demo: Demo) -> Iterator[Shown]:
    with opened(browser) as page:
        shown = Shown(page, embed_url(demo), demo)
        page.on("console", lambda message: shown.said.append(message.text))

        def heard(response: Response) -> None:
            url = response.url
            if url.endswith("/config") and response.ok:
                shown.secrets.append(response.json()["params"]["impersonatedUserToken"])
            if url.endswith("/state") and response.ok and not shown.impersonation:
                shown.impersonation = response.json()["impersonation_id"]

        page.on("response", heard)
        page.goto(shown.url)
        sign_in(page, demo)
        page.wait_for_url("http://localhost:*/appetize/embed/*")
        yield shown


def order(standin: str, **what: object) -> None:
    assert requests.post(f"{standin}/control", json=what, timeout=TIMEOUT).status_code == 204


@pytest.mark.usefixtures("standin")
def test_customer_ends_it_and_the_picture_stops_within_two_seconds(chromium: Browser, demo: Demo) -> None:
    with device_page(chromium, demo) as shown, opened(chromium) as customer:
        shown.running()
        page = shown.page
        expect(shown.phone.get_by_text("Read-only")).to_be_visible()
        for words in ("You act as Casey Customer", "Avery Agent", "Look only, change nothing"):
            expect(page.get_by_text(words).first).to_be_visible()
        shown.phone.get_by_role("button", name="Rename account").click()
        sign_in_at(customer, demo, "customer", "/account")
        page.wait_for_timeout(1500)
        found = shown.actions()
        assert {"device.appLaunch", "device.tap"} <= set(found)
        [secret] = shown.secrets
        stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert secret not in "".join([*(frame.content() + frame.url for frame in page.frames), stored, *shown.said])
        assert serious(page) == []
        customer.reload()
        customer.get_by_role("button", name="End it now").first.click()
        customer.get_by_role("button", name="End it now").first.or_(customer.locator("h1")).first.wait_for()
        ended = time.monotonic()
        expect(page.locator("#appetize-device")).to_have_count(0, timeout=2000)
        assert time.monotonic() - ended < 2
        expect(page.get_by_role("heading", name="This is over")).to_be_focused()
        expect(page.get_by_text("The customer ended it.")).to_be_visible()
        page.goto(shown.url)
        expect(page.get_by_role("alert")).to_be_visible()
        assert page.locator("iframe").count() == 0


def test_queue_is_shown_and_a_failure_is_tried_again_by_hand(chromium: Browser, demo: Demo, standin: str) -> None:
    order(standin, next="queue", positions=1, seconds=2)
    order(standin, next="sessionError")
    with device_page(chromium, demo) as shown:
        expect(shown.page.get_by_text("number 1 in the queue").first).to_be_visible()
        shown.running()
    with device_page(chromium, demo) as shown:
        expect(shown.page.get_by_text("The device did not become ready.").first).to_be_visible()
        shown.page.get_by_role("button", name="Try again").click()
        shown.running()


def test_agent_ends_it_by_keyboard(chromium: Browser, demo: Demo, standin: str) -> None:
    del standin
    with device_page(chromium, demo) as shown:
        shown.running()
        shown.page.get_by_role("button", name="Restart app").press("Enter")
        shown.running()
        shown.page.get_by_role("button", name="End", exact=True).press("Enter")
        expect(shown.page.locator("#appetize-device")).to_have_count(0, timeout=2000)
        expect(shown.page.get_by_text("You ended it.")).to_be_visible()


def test_device_that_nobody_touches_is_kept_or_closed(chromium: Browser, demo: Demo, standin: str) -> None:
    order(standin, inactivity_seconds=6)
    with device_page(chromium, demo) as shown:
        shown.running()
        shown.page.get_by_role("button", name="Keep it running").click()
        expect(shown.page.get_by_role("button", name="Keep it running")).to_be_hidden()
        expect(shown.page.get_by_text("The device was closed.")).to_be_visible(timeout=10000)
        expect(shown.page.get_by_role("button", name="End", exact=True)).to_be_visible()


def test_page_loaded_again_says_so_and_starts_nothing(chromium: Browser, demo: Demo, standin: str) -> None:
    del standin
    with device_page(chromium, demo) as shown:
        shown.running()
        shown.page.reload()
        expect(shown.page.get_by_text("before it was loaded again")).to_be_visible()
        assert shown.page.locator("iframe").count() == 0
