"""The embed page's device: what it shows, what it reports, and how fast its picture ends (design section 6)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests
from playwright.sync_api import Browser, FloatRect, FrameLocator, Page, Response, expect

from tests.browser.chromium import SCHEMES, Scheme, opened
from tests.browser.embed_visits import embed, switched_off
from tests.browser.entrance import sign_in as sign_in_at
from tests.browser.test_embed import embed_url, handed_off, sign_in
from tests.browser.test_pages import serious
from tests.conftest import Demo, running_demo
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
        return [each["kind"] for each in found["items"]]


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


@contextmanager
def sample() -> Iterator[str]:
    """Serve the sample page at an origin of its own; give that."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    folder = Path(__file__).parents[2] / "examples" / "web"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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


@pytest.mark.usefixtures("standin")
def test_app_that_is_switched_off_closes_its_devices_and_end_still_ends(chromium: Browser, demo: Demo) -> None:
    with opened(chromium) as page:
        switched_off(page, demo)
        expect(page.locator("#appetize-device")).to_have_count(0, timeout=2000)
        page.get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_text("You ended it.")).to_be_visible()
        page.get_by_role("link", name="See it in the console").click()
        page.wait_for_url("**/console/impersonations/*")


@pytest.mark.usefixtures("standin")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_page_shows_through_behind_the_phones_corners(chromium: Browser, demo: Demo, scheme: Scheme) -> None:
    with opened(chromium) as page:
        page.emulate_media(color_scheme=scheme)
        embed(page, demo)
        frame = page.locator("#appetize-device").bounding_box()
        assert frame is not None
        at = {"inside": (24, 4), "beside": (-6, 4), "screen": (frame["width"] / 2, frame["height"] / 2)}
        seen = {name: page.screenshot(clip=one_pixel(frame["x"] + x, frame["y"] + y)) for name, (x, y) in at.items()}
        assert seen["inside"] == seen["beside"] != seen["screen"]


def one_pixel(x: float, y: float) -> FloatRect:
    return {"x": x, "y": y, "width": 1, "height": 1}


def test_page_of_another_origin_runs_a_device_by_the_module(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with sample() as origin:
        folder = tmp_path_factory.mktemp("module")
        settings = folder / "settings.toml"
        settings.write_text(f'[appetize.apps.demo-bank]\nallowed_origins = ["{origin}"]\n')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUTHSERVER_CONFIG", str(settings))
            with running_demo(folder) as demo, opened(chromium) as page:
                given = handed_off(demo)
                page.goto(f"{origin}/index.html")
                page.get_by_label("config_url").fill(given["config_url"])
                page.get_by_label("config_secret").fill(given["config_secret"])
                device = demo.credentials["appetize"]["device_stand_in"]
                page.get_by_label("The SDK's address").fill(f"{device}/embed.js")
                page.get_by_role("button", name="Start the device").click()
                phone = page.frame_locator("#appetize-device")
                expect(phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible(timeout=15000)
                expect(page.get_by_role("status")).to_have_text("Device: running ")
                page.get_by_role("button", name="Close the device").click()
                expect(page.locator("iframe")).to_have_count(0)
