"""The device stand-in in a real browser: the SDK's surface, the phone, and the app that signs in with what it gets."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Error, FrameLocator, Page, expect

from tests.browser.chromium import opened
from tests.browser.test_pages import serious
from tests.conftest import Demo
from tests.resource.test_sample import bearer, impersonate

BUILD = "demo-bank-standin"
TIMEOUT = 10
_WATCH = """async ([selector, config]) => {
  const plain = (value) => JSON.parse(JSON.stringify(value ?? null));
  const told = ["queue", "queueEnd", "sessionRequested", "sessionEnded", "app", "deviceInfo", "error"];
  const within = ["action", "interaction", "appLaunch", "firstFrameReceived", "inactivityWarning", "network", "log",
    "orientationChanged", "error", "end", "openUrlCompleted"];
  window.seen = [];
  const client = await appetize.getClient(selector, config ?? undefined);
  window.client = client;
  for (const name of told) client.on(name, (value) => seen.push([name, plain(value)]));
  client.on("sessionError", (error) => seen.push(["sessionError", error instanceof Error && error.message]));
  client.on("session", (session) => {
    seen.push(["session", null]);
    window.session = session;
    for (const name of within) session.on(name, (value) => seen.push([`session.${name}`, plain(value)]));
  });
}"""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Desk:
    """A page that embeds a device, as an agent's page does."""

    page: Page
    phone: FrameLocator
    standin: str

    def watch(self, selector: str = "#device", **config: Any) -> None:
        """Make a client that listens to everything; without a configuration where none is given."""
        self.page.evaluate(_WATCH, [selector, config or None])

    def start(self, **config: Any) -> None:
        self.page.evaluate("(config) => client.startSession(config).then(() => undefined)", config)

    def sign_in(self, value: str, **config: Any) -> None:
        self.watch(buildId=BUILD, params={"impersonatedUserToken": value}, **config)
        self.start()

    def seen(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in self.page.evaluate("seen")]

    def names(self) -> list[str]:
        return [name for name, _ in self.seen()]

    def wait_for(self, name: str, seconds: float = TIMEOUT) -> Any:
        """Wait for an event; return what came with it."""
        happened = "(name) => window.seen.find(([each]) => each === name)"
        return self.page.wait_for_function(happened, arg=name, timeout=seconds * 1000).json_value()[1]

    def order(self, **order: Any) -> None:
        assert requests.post(f"{self.standin}/control", json=order, timeout=TIMEOUT).status_code == 204


@pytest.fixture
def standin(demo: Demo) -> Iterator[str]:
    """The address of the demo's device stand-in, whose devices wait for a hand as long as ever."""
    address = demo.credentials["appetize"]["device_stand_in"]
    yield address
    requests.post(f"{address}/control", json={"inactivity_seconds": 120}, timeout=TIMEOUT)


@contextmanager
def embedding(browser: Browser, standin: str, markup: str = "<iframe id=device></iframe>") -> Iterator[Desk]:
    with opened(browser) as page:
        style = "<style>iframe { width: 22rem; height: 46rem; border: 0 }</style>"
        script = f'<script src="{standin}/embed.js"></script>'
        body = f"<!doctype html><title>Desk</title>{style}{markup.format(standin=standin)}{script}"
        page.route("http://127.0.0.1:1/desk", lambda route: route.fulfill(body=body, content_type="text/html"))
        page.goto("http://127.0.0.1:1/desk")
        yield Desk(page, page.frame_locator("#device"), standin)


@pytest.fixture
def desk(chromium: Browser, standin: str) -> Iterator[Desk]:
    with embedding(chromium, standin) as desk:
        yield desk


@pytest.fixture
def given(demo: Demo) -> dict[str, Any]:
    """An impersonation of Casey by Avery, with its token."""
    return impersonate(demo, "agent", reason=f"seen on the device ({next(_numbers)})")


def end(demo: Demo, given: dict[str, Any]) -> None:
    token = demo.credentials["users"]["agent"]["access_token"]
    url = f"{demo.issuer}/api/v1/impersonations/{given['impersonation_id']}/end"
    assert requests.post(url, headers=bearer(token), timeout=TIMEOUT).status_code == 200


# --- the client


def test_client_needs_an_iframe_without_src_when_it_is_given_a_configuration(chromium: Browser, standin: str) -> None:
    with embedding(chromium, standin, '<iframe id=device src="{standin}/embed/b"></iframe>') as desk:
        with pytest.raises(Error, match="without src"):
            desk.watch(buildId=BUILD)
        desk.watch()
        assert desk.page.evaluate("client.app.buildId") == "b"


@pytest.mark.parametrize("markup", ["<iframe id=device></iframe>", "<iframe id=device src=about:blank></iframe>"])
def test_client_without_a_configuration_needs_the_devices_src(chromium: Browser, standin: str, markup: str) -> None:
    with embedding(chromium, standin, markup) as desk, pytest.raises(Error, match="needs src="):
        desk.watch()


def test_client_is_refused_what_is_no_iframe_or_has_no_build(desk: Desk) -> None:
    with pytest.raises(Error, match="no <iframe>"):
        desk.watch("title", buildId=BUILD)
    with pytest.raises(Error, match="needs a buildId"):
        desk.watch(platform="ios")


def test_base_address_of_a_private_cloud_is_honoured(chromium: Browser, standin: str) -> None:
    other = standin.replace("localhost", "127.0.0.1")
    with embedding(chromium, standin, f'<iframe id=device data-appetize-url="{other}"></iframe>') as desk:
        desk.watch(buildId=BUILD)
        assert desk.page.get_attribute("#device", "src") == f"{other}/embed/{BUILD}"
        desk.start()


def test_client_tells_the_app_the_device_and_its_configuration(desk: Desk) -> None:
    desk.watch(buildId=BUILD, platform="ios", params={"k": "v"})
    assert desk.page.evaluate("client.getConfig()") == {
        "record": True, "debug": False, "platform": "ios", "params": {"k": "v"},
    }  # fmt: skip
    assert desk.wait_for("app")["buildId"] == BUILD
    device = desk.wait_for("deviceInfo")
    assert device["name"] == "iPhone 14 Pro"
    assert device["embed"]["screen"]["offset"]["x"] > 0


# --- a session


def test_session_signs_in_with_the_token_and_shows_whose_account_it_is(
    desk: Desk, demo: Demo, given: dict[str, Any]
) -> None:
    desk.watch(buildId=BUILD, params={"impersonatedUserToken": given["access_token"]})
    expect(desk.phone.get_by_text("Device stand-in, not Appetize")).to_be_visible()
    desk.page.evaluate("void client.startSession()")
    expect(desk.phone.get_by_role("heading", name="Signed in as Dana")).to_be_visible()
    expect(desk.phone.get_by_role("heading", name="Signing Dana out")).to_be_visible()
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()
    expect(desk.phone.get_by_text(demo.credentials["users"]["customer"]["id"])).to_be_visible()
    expect(desk.phone.get_by_text("Avery Agent is looking at this account")).to_be_visible()
    expect(desk.phone.get_by_text("Read-only")).to_be_visible()
    expect(desk.phone.get_by_text("1204.50 SEK")).to_be_visible()
    expect(desk.phone.get_by_text("isAppetize: true")).to_be_visible()
    told = [name for name in desk.names() if name not in {"app", "deviceInfo"}]
    assert told == ["sessionRequested", "session", "session.firstFrameReceived", "session.appLaunch"]
    desk.phone.get_by_role("button", name="Rename account").click()
    expect(desk.phone.get_by_text("The bank refused (insufficient_scope)")).to_be_visible()
    for frame in desk.page.frames:
        assert given["access_token"] not in frame.content() + frame.url
    assert serious(desk.page) == []


def test_transfer_is_refused_by_the_bank(desk: Desk, given: dict[str, Any]) -> None:
    desk.sign_in(given["access_token"])
    desk.phone.get_by_role("button", name="Transfer").click()
    expect(desk.phone.get_by_text("The bank refused")).to_be_visible()


def test_app_is_signed_out_within_two_seconds_of_the_impersonations_end(
    desk: Desk, demo: Demo, given: dict[str, Any]
) -> None:
    desk.sign_in(given["access_token"])
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()
    end(demo, given)
    gone = desk.phone.get_by_role("heading", name="Signed out: the session was ended")
    expect(gone).to_be_visible(timeout=2000)
    expect(desk.phone.get_by_text("1204.50 SEK")).to_have_count(0)


def test_code_that_nobody_knows_signs_nobody_in_and_is_sent_once(desk: Desk) -> None:
    desk.sign_in("not-a-code")
    expect(desk.phone.get_by_text("The one-time code was refused.")).to_be_visible()
    desk.page.evaluate("session.restartApp()")
    expect(desk.phone.get_by_text("The one-time code was used already")).to_be_visible()


def test_app_launched_again_takes_its_parameters_again_and_installed_anew_knows_nobody(
    desk: Desk, given: dict[str, Any]
) -> None:
    desk.sign_in(given["access_token"])
    expect(desk.phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible()
    desk.page.evaluate("session.restartApp()")
    expect(desk.phone.get_by_role("heading", name="Signing Casey Customer out")).to_be_visible()
    expect(desk.phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible()
    desk.page.evaluate("session.reinstallApp()")
    expect(desk.phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible()
    assert desk.names().count("session.appLaunch") == 3


def test_deep_link_signs_in_while_the_app_runs(desk: Desk, given: dict[str, Any]) -> None:
    desk.watch(buildId=BUILD)
    desk.start()
    expect(desk.phone.get_by_role("heading", name="Nobody is signed in")).to_be_visible()
    url = f"appetize://impersonation/{given['access_token']}"
    assert desk.page.evaluate("(url) => session.openUrl(url)", url) == {"url": url, "success": True, "type": "deeplink"}
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()
    assert desk.wait_for("session.openUrlCompleted")["success"] is True
    assert desk.page.evaluate("session.openUrl('other://x')")["success"] is False
    assert desk.page.evaluate("session.openUrl('https://example.com/')")["type"] == "url"


@pytest.mark.parametrize(("platform", "length"), [("ios", 2048), ("android", 3000)])
def test_deep_link_is_cut_on_ios(desk: Desk, platform: str, length: int) -> None:
    desk.watch(buildId=BUILD, platform=platform)
    desk.start()
    arrived = desk.page.evaluate("(url) => session.openUrl(url)", "appetize://impersonation/".ljust(3000, "x"))
    assert len(arrived["url"]) == length


def test_launch_url_signs_in(desk: Desk, given: dict[str, Any]) -> None:
    desk.watch(buildId=BUILD, launchUrl=f"appetize://impersonation/{given['access_token']}")
    desk.start()
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()


def test_person_taps_to_play_and_the_page_hears_of_the_session(desk: Desk) -> None:
    desk.watch(buildId=BUILD)
    desk.phone.get_by_role("button", name="Tap to play").click()
    desk.wait_for("session.appLaunch")
    desk.page.evaluate("client.endSession()")
    assert desk.names()[-2:] == ["session.end", "sessionEnded"]
    expect(desk.phone.get_by_role("button", name="Tap to play")).to_be_visible()


def test_configuration_ends_a_session(desk: Desk) -> None:
    desk.watch(buildId=BUILD)
    desk.start()
    desk.page.evaluate("client.setConfig({debug: true})")
    assert "sessionEnded" in desk.names()
    assert desk.page.evaluate("client.getConfig().debug") is True


# --- what is done on the screen


def test_taps_are_told_with_text_values_and_coordinates(desk: Desk, given: dict[str, Any]) -> None:
    desk.sign_in(given["access_token"])
    desk.phone.get_by_text("Everyday").click()
    tap = desk.wait_for("session.action")
    assert (tap["type"], tap["appId"]) == ("tap", "com.example.bank")
    assert tap["element"]["type"] == "android.view.ViewGroup"
    assert tap["element"]["attributes"]["resource-id"] == "com.example.bank:id/account_acc_1"
    assert "1204.50" in tap["element"]["attributes"]["content-desc"]
    assert tap["coordinates"]["y"] > 0
    assert desk.wait_for("session.interaction")["xPos"] > 0


def test_page_taps_types_and_takes_a_picture(desk: Desk, given: dict[str, Any]) -> None:
    desk.sign_in(given["access_token"], platform="ios")
    field = desk.phone.get_by_label("New name")
    expect(field).to_be_visible()
    element = {"element": {"attributes": {"accessibilityIdentifier": "nickname"}}}
    desk.page.evaluate("(element) => session.tap(element)", element)
    desk.page.evaluate("session.type('Mine')")
    desk.page.evaluate("session.keypress('Backspace')")
    expect(field).to_have_value("Min")
    keys = [value["key"] for name, value in desk.seen() if name == "session.action" and value["type"] == "keypress"]
    assert keys == ["M", "i", "n", "e", "Backspace"]
    assert desk.page.evaluate("session.screenshot('base64').then(({data}) => data.slice(0, 22))").startswith(
        "data:image/png;base64,"
    )
    with pytest.raises(Error, match="1000 characters"):
        desk.page.evaluate("session.type('x'.repeat(1001))")
    with pytest.raises(Error, match="No element found"):
        desk.page.evaluate("session.tap({element: {attributes: {accessibilityIdentifier: 'nothing'}}})")


def test_actions_log_and_network_are_told_only_where_they_are_wanted(desk: Desk, given: dict[str, Any]) -> None:
    desk.sign_in(given["access_token"], record=False)
    desk.phone.get_by_text("Everyday").click()
    desk.wait_for("session.interaction")
    assert not {"session.action", "session.log", "session.network"} & set(desk.names())
    desk.page.evaluate("client.startSession({debug: true, proxy: 'intercept'}).then(() => undefined)")
    assert desk.wait_for("session.log")["message"].startswith("ActivityManager")
    assert "Authorization" in str(desk.wait_for("session.network"))


# --- what goes wrong


def test_queue_is_told_position_by_position(desk: Desk) -> None:
    desk.order(next="queue", positions=2, seconds=0.2, type="concurrent", name="standard")
    desk.watch(buildId=BUILD)
    desk.start()
    told = [(name, value) for name, value in desk.seen() if name not in {"app", "deviceInfo"}][:5]
    places = [{"type": "concurrent", "name": "standard", "position": position} for position in (2, 1)]
    assert told == [
        ("sessionRequested", None), ("queue", places[0]), ("queue", places[1]), ("queueEnd", None), ("session", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "event", "words"),
    [("error", "error", "No device can be had now."), ("sessionError", "sessionError", "did not become ready")],
)
def test_session_that_cannot_be_had_is_refused_and_a_person_may_try_again(
    desk: Desk, order: str, event: str, words: str
) -> None:
    desk.order(next=order)
    desk.watch(buildId=BUILD)
    with pytest.raises(Error, match=words):
        desk.start()
    assert words in str(dict(desk.seen())[event])
    expect(desk.phone.get_by_text(words)).to_be_visible()
    desk.start()
    assert "session" in desk.names()


def test_device_that_dies_ends_the_session(desk: Desk) -> None:
    desk.order(next="die", seconds=0.2)
    desk.watch(buildId=BUILD)
    desk.start()
    desk.wait_for("sessionEnded")
    assert desk.names()[-3:] == ["session.error", "session.end", "sessionEnded"]


def test_request_can_be_cancelled_while_the_device_starts(desk: Desk) -> None:
    desk.order(next="slow", seconds=30)
    desk.watch(buildId=BUILD)
    desk.page.evaluate("void (window.asked = client.startSession().catch((error) => error.message))")
    desk.wait_for("sessionRequested")
    desk.page.evaluate("client.endSession()")
    assert desk.page.evaluate("asked") == "Session request was cancelled"
    assert "session" not in desk.names()


def test_device_that_nobody_touches_warns_and_ends_and_a_heartbeat_keeps_it(desk: Desk) -> None:
    desk.order(inactivity_seconds=2)
    desk.watch(buildId=BUILD)
    desk.start()
    desk.page.evaluate("window.beat = setInterval(() => session.heartbeat(), 300)")
    desk.page.wait_for_timeout(2500)
    assert not {"sessionEnded", "session.inactivityWarning"} & set(desk.names())
    desk.page.evaluate("clearInterval(beat)")
    assert desk.wait_for("session.inactivityWarning") == {"secondsRemaining": 1}
    desk.wait_for("sessionEnded")


# --- who may speak


def test_messages_of_others_change_nothing(desk: Desk) -> None:
    """Neither can a frame of another origin speak to the phone, nor to the page in the phone's name."""
    desk.watch(buildId=BUILD)
    forged = """<script>
      for (const target of [parent, parent.frames[0]]) for (const standin of ["hello", "ask", "connect"])
        target.postMessage({standin, call: "requestSession", id: 1, to: "client", event: "error",
          value: {message: "forged"}}, "*", [new MessageChannel().port2]);
    </script>"""
    desk.page.route("http://127.0.0.2:1/", lambda route: route.fulfill(body=forged, content_type="text/html"))
    desk.page.evaluate(
        """() => new Promise((loaded) => {
        const frame = Object.assign(document.createElement("iframe"), {src: "http://127.0.0.2:1/", onload: loaded});
        document.body.append(frame);
        })"""
    )
    desk.page.wait_for_timeout(200)
    assert set(desk.names()) <= {"app", "deviceInfo"}
    desk.start()  # the link is still the page's own
    assert "session" in desk.names()


def test_page_of_an_origin_that_may_not_embed_gets_no_device(chromium: Browser, standin: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    body = f'<iframe id=device src="{standin}/embed/{BUILD}"></iframe>'
    page.route("http://127.0.0.2:1/", lambda route: route.fulfill(body=body, content_type="text/html"))
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto("http://127.0.0.2:1/")
    context.close()


def test_two_devices_run_in_one_page(chromium: Browser, standin: str) -> None:
    markup = "<iframe id=device></iframe><iframe id=other></iframe>"
    with embedding(chromium, standin, markup) as desk:
        desk.watch(buildId=BUILD)
        desk.start()
        desk.watch("#other", buildId=BUILD)
        expect(desk.page.frame_locator("#other").get_by_role("button", name="Tap to play")).to_be_visible()
        expect(desk.phone.get_by_role("heading", name="Nobody is signed in")).to_be_visible()
