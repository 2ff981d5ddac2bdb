"""The device stand-in in a real browser: what it tells of what is done, what goes wrong, and who may speak to it."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect

from tests.browser.desk import BUILD, Desk, embedding, served

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


def test_who_may_only_look_cannot_touch(desk: Desk, given: dict[str, Any]) -> None:
    desk.sign_in(given["access_token"], userInteractionDisabled=True)
    desk.phone.get_by_role("button", name="Transfer").click()
    desk.phone.get_by_label("New name").press("x")
    assert not {"session.action", "session.interaction"} & set(desk.names())
    expect(desk.phone.get_by_text("The bank refused")).to_have_count(0)


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
    frame = """(src) => new Promise((loaded) => {
      document.body.append(Object.assign(document.createElement("iframe"), {src, onload: loaded}));
    })"""
    with served(forged, "127.0.0.2") as foreign:
        desk.page.evaluate(frame, foreign)
        desk.page.wait_for_timeout(200)
    assert set(desk.names()) <= {"app", "deviceInfo"}
    desk.start()  # the link is still the page's own
    assert "session" in desk.names()


def test_page_of_an_origin_that_may_not_embed_gets_no_device(chromium: Browser, standin: str) -> None:
    body = f'<iframe title=Device id=device src="{standin}/embed/{BUILD}"></iframe>'
    context = chromium.new_context()
    page = context.new_page()
    with (
        served(body, "127.0.0.2") as foreign,
        page.expect_console_message(lambda message: "frame-ancestors" in message.text),
    ):
        page.goto(foreign)
    context.close()


def test_two_devices_run_in_one_page(chromium: Browser, standin: str) -> None:
    markup = "<iframe title=Device id=device></iframe><iframe title=Other id=other></iframe>"
    with embedding(chromium, standin, markup) as desk:
        desk.watch(buildId=BUILD)
        desk.start()
        desk.watch("#other", buildId=BUILD)
        expect(desk.page.frame_locator("#other").get_by_role("button", name="Tap to play")).to_be_visible()
        expect(desk.phone.get_by_role("heading", name="Nobody is signed in")).to_be_visible()
