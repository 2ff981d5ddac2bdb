"""The device stand-in in a real browser: the SDK's surface, the phone, and the app that signs in with what it gets."""

import json
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Error, expect

from authserver.standin import Surroundings, reserve, serving
from tests.browser.desk import BUILD, TIMEOUT, Desk, embedding, served
from tests.browser.test_pages import serious
from tests.conftest import Demo
from tests.resource.test_sample import bearer


def end(demo: Demo, given: dict[str, Any]) -> None:
    token = demo.credentials["users"]["agent"]["access_token"]
    url = f"{demo.issuer}/api/v1/impersonations/{given['impersonation_id']}/end"
    assert requests.post(url, headers=bearer(token), timeout=TIMEOUT).status_code == 200


# --- the client


def test_client_needs_an_iframe_without_src_when_it_is_given_a_configuration(chromium: Browser, standin: str) -> None:
    with embedding(chromium, standin, '<iframe title=Device id=device src="{standin}/embed/b"></iframe>') as desk:
        with pytest.raises(Error, match="without src"):
            desk.watch(buildId=BUILD)
        desk.watch()
        assert desk.page.evaluate("client.app.buildId") == "b"


@pytest.mark.parametrize(
    "markup", ["<iframe title=Device id=device></iframe>", "<iframe title=Device id=device src=about:blank></iframe>"]
)
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
    with embedding(chromium, standin, f'<iframe title=Device id=device data-appetize-url="{other}"></iframe>') as desk:
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
    desk.keep_titles()
    desk.start()
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()
    assert desk.titles() == ["Signed in as Dana", "Signing Dana out …", "Signing in …", "Casey Customer"]
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
    assert serious(desk.frame) == []


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


def test_code_is_redeemed_and_signs_in(chromium: Browser, demo: Demo, given: dict[str, Any]) -> None:
    redeemed = json.dumps({"access_token": given["access_token"], "token_type": "Bearer", "expires_in": 300})
    bank = demo.credentials["resource_server"]
    with (
        served(redeemed, content_type="application/json") as issuer,
        reserve() as held,
        serving(Surroundings(issuer.rstrip("/"), bank, {}), held) as standin,
        embedding(chromium, standin) as desk,
    ):
        desk.sign_in("one-time-code")
        expect(desk.phone.get_by_role("heading", name=demo.credentials["users"]["customer"]["id"])).to_be_visible()


def test_code_is_redeemed_with_a_key_and_its_token_is_bound_to_that(
    desk: Desk, demo: Demo, given: dict[str, Any]
) -> None:
    """The whole of it: the code, the proof, the bound token, and a proof for each call to the bank (RFC 9449)."""
    headers = bearer(demo.credentials["users"]["agent"]["access_token"])
    handed = {"impersonation": given["impersonation_id"], "app": "demo-bank-dpop"}
    handoff = requests.post(f"{demo.issuer}/appetize/handoffs", json=handed, headers=headers, timeout=TIMEOUT).json()
    config = requests.post(handoff["config_url"], json={}, headers=headers, timeout=TIMEOUT).json()
    desk.sign_in(config["params"]["impersonatedUserToken"], proxy="intercept")
    expect(desk.phone.get_by_role("heading", name="Casey Customer")).to_be_visible()
    expect(desk.phone.get_by_text("Token: bound to this device's key")).to_be_visible()
    desk.phone.get_by_role("button", name="Transfer").click()
    expect(desk.phone.get_by_text("The bank refused")).to_be_visible()
    calls = [value["request"]["headers"] for name, value in desk.seen() if name == "session.network"]
    proofs = [{each["name"]: each["value"] for each in sent} for sent in calls]
    assert all(each["Authorization"].startswith("DPoP ") for each in proofs)
    assert len({each["DPoP"] for each in proofs}) >= 3


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
    signed_in = ["Signing in …", "Casey Customer"]
    for call, before in (
        ("restartApp", ["Signed in as Casey Customer", "Signing Casey Customer out …"]),
        ("reinstallApp", []),
    ):
        desk.keep_titles()
        desk.page.evaluate(f"session.{call}()")
        expect(desk.phone.get_by_role("heading", name="Casey Customer", exact=True)).to_be_visible()
        assert desk.titles() == before + signed_in
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
