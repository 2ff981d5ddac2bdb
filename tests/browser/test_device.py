"""Connecting a device with a real browser: the code, the question, the answer; the device polls over real HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import opened
from tests.conftest import Demo
from tests.devices import GRANT


def post(demo: Demo, path: str, **form: str) -> tuple[int, dict[str, Any]]:
    """Send a form as the demo's backend, by HTTP."""
    known = demo.credentials["clients"]["backend"]
    body = urlencode({**known, **form}).encode()
    try:
        with urllib.request.urlopen(demo.issuer + path, body, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


@pytest.mark.parametrize("by", ["link", "code"])
def test_a_person_connects_a_device(chromium: Browser, demo: Demo, by: str) -> None:
    status, given = post(demo, "/oauth/device_authorization", scope="openid accounts:read")
    assert status == 200
    polled = {"grant_type": GRANT, "device_code": given["device_code"]}
    assert post(demo, "/oauth/token", **polled)[1]["error"] == "authorization_pending"
    customer = demo.credentials["users"]["customer"]
    with opened(chromium) as page:
        page.goto(given["verification_uri_complete" if by == "link" else "verification_uri"])
        page.get_by_label("Email or user name").fill(customer["username"])
        page.get_by_label("Password").fill(customer["password"])
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("heading", name="Connect a device").wait_for()
        code = page.get_by_label("Code on your device")
        if by == "link":
            assert code.input_value() == given["user_code"]
            page.get_by_role("button", name="Continue").click()
        else:
            code.fill("BBBB BBBB")
            page.keyboard.press("Enter")
            page.get_by_role("alert").wait_for()
            code.fill(given["user_code"].lower())
            page.keyboard.press("Enter")
        page.get_by_role("heading", name="Is this code what your device shows?").wait_for()
        page.get_by_role("button", name="Allow").click()
        page.get_by_role("heading", name="Your device is connected").wait_for()
    status, body = post(demo, "/oauth/token", **polled)
    assert (status, body["scope"]) == (200, "openid accounts:read")
    assert post(demo, "/oauth/introspect", token=body["access_token"])[1]["sub"] == customer["id"]
