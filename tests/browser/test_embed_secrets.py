"""What the handoff must keep: its secrets leave no trace, and nothing at the embed origin reaches the issuer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Response, expect

from tests.browser.chromium import opened
from tests.browser.embed_visits import post, running
from tests.browser.entrance import sign_in
from tests.conftest import Demo, running_demo
from tests.world import API, REASON

_STORED = """async () => JSON.stringify([
  {...localStorage}, {...sessionStorage}, document.cookie, history.state, window.name, location.href, document.referrer,
  (await indexedDB.databases()).map((each) => each.name), await caches.keys(), document.documentElement.outerHTML,
  performance.getEntries().map((each) => each.name),
])"""


@dataclass
class Heard:
    """Everything that a browser sent by address and header, said on its console, and was told in confidence."""

    said: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def listen(self, page: Page) -> None:
        page.on("console", lambda message: self.said.append(message.text))
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.on("framenavigated", lambda frame: self.said.append(frame.url))

    def _asked(self, request: Request) -> None:
        self.said += [request.url, request.headers.get("referer", "")]
        if request.method == "POST" and "ticket=" in (request.post_data or ""):
            self.secrets["ticket"] = parse_qs(request.post_data or "")["ticket"][0]
        if request.url.endswith("/app/redeem"):
            self.secrets["code"] = json.loads(request.post_data or "")["code"]
        bearer = request.headers.get("authorization", "")
        if bearer:
            self.secrets["token"] = bearer.removeprefix("Bearer ")

    def _answered(self, response: Response) -> None:
        self.said.append(response.headers.get("location", ""))


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose app gets a one-time code by deep link, and whose log says all it can."""
    folder = tmp_path_factory.mktemp("linked")
    settings = folder / "more.toml"
    settings.write_text(
        '[appetize.apps.demo-bank]\nhow = "deep_link"\nallowed_origins = ["https://desk.example.com"]\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHSERVER_CONFIG", str(settings))
        with running_demo(folder) as demo:
            yield demo


def handed_off(demo: Demo, subject: str) -> dict[str, Any]:
    person = demo.credentials["users"][subject]["id"]
    started = post(demo, "/api/v1/impersonations", {"subject": person, "resource": [API], **REASON})
    return {**post(demo, "/appetize/handoffs", {"impersonation": started["id"], "app": "demo-bank"}), **started}


def traces(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what the server wrote: its log, its database with the trail, its messages."""
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "credentials.json":
            yield file.name, file.read_bytes()


def test_device_starts_signed_out_gets_its_code_with_the_yes_and_no_secret_leaves_a_trace(
    chromium: Browser, linked: Demo
) -> None:
    heard = Heard()
    with opened(chromium) as page, opened(chromium) as customer:
        heard.listen(page)
        handoff = handed_off(linked, "customer-ask")
        heard.secrets["config_secret"] = handoff["config_secret"]
        sign_in(page, linked, "agent", urlsplit(handoff["embed_url"]).path)
        phone = page.frame_locator("#appetize-device")
        expect(phone.get_by_text("Nobody is signed in")).to_be_visible(timeout=15000)
        expect(page.get_by_text("You ask to act as Charlie Customer")).to_be_visible()
        expect(page.get_by_text("Waiting for the customer to allow it").first).to_be_visible()
        assert "code" not in heard.secrets
        sign_in(customer, linked, "customer-ask", f"/account/requests/{handoff['id']}")
        customer.get_by_role("button", name=str(handoff["consent_number"])).click()
        running(page)
        expect(page.get_by_text("You act as Charlie Customer")).to_be_visible()
        assert set(heard.secrets) == {"config_secret", "ticket", "code", "token"}
        cookies = page.context.cookies()
        heard.secrets |= {each["name"]: each["value"] for each in cookies if "embed" in each.get("name", "")}
        kept = [*heard.said, *(frame.evaluate(_STORED) for frame in page.frames)]
        page.get_by_role("button", name="End", exact=True).click()
        expect(page.get_by_role("heading", name="This is over")).to_be_visible()
        page.go_back()
        kept += [page.url, page.content()]
    assert len(heard.secrets) == 5
    for name, secret in heard.secrets.items():
        assert not [each for each in kept if secret in each], name
        assert not [file for file, content in traces(linked.folder) if secret.encode() in content], name


def test_nothing_at_the_embed_origin_reaches_the_issuer(chromium: Browser, linked: Demo) -> None:
    """Even without the page's policy: no cookie goes along, no answer is read, no window leads back."""
    issuer, users = linked.issuer, linked.credentials["users"]
    context = chromium.new_context(bypass_csp=True)
    try:
        opener, handoff = context.new_page(), handed_off(linked, "customer")
        sign_in(opener, linked, "agent")
        with context.expect_page() as popup:
            opener.evaluate("url => { window.open(url) }", handoff["embed_url"])
        page = popup.value
        page.locator("#appetize-device").wait_for(timeout=15000)
        assert page.evaluate("[window.opener, document.referrer.includes('/')]")[0] is None
        sent: list[dict[str, str]] = []
        page.on(
            "request", lambda request: sent.append(request.all_headers()) if request.url.startswith(issuer) else None
        )
        paths = ["/account", "/userinfo", "/api/v1/impersonations", "/.well-known/jwks.json", "/oauth/token"]
        reach = """async ([issuer, path, method]) => {
          const options = {method, credentials: "include", ...(method === "POST" && {body: "a=b"})};
          return fetch(issuer + path, options).then((answer) => answer.text(), () => "refused");
        }"""
        config = f"/appetize/handoffs/{handoff['id']}/config"
        for path, method in [*((each, "GET") for each in paths[:3]), ("/oauth/token", "POST"), (config, "POST")]:
            found = page.evaluate(reach, [issuer, path, method])
            assert found == "refused", (path, found[:200])
        assert sent
        assert not [each for each in sent if "cookie" in each]
        framed = """(url) => new Promise((resolve) => {
          const frame = document.body.appendChild(document.createElement("iframe"));
          frame.onload = () => resolve(frame.contentDocument?.body.innerText ?? "opaque");
          frame.src = url;
        })"""
        assert page.evaluate(framed, f"{issuer}/account") == "opaque"
        assert users["agent"]["username"] not in page.content()
    finally:
        context.close()
