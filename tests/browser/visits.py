"""Every page in each of its states, as a person comes to it: for the accessibility tests and the pictures.

A page more is a function more and a line in VISITS.
"""

import itertools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import pyotp
import pytest
from playwright.sync_api import Page

from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_IMPERSONATION, TYPE_USER_ID
from tests.browser.chromium import Authenticator
from tests.browser.configuration_visits import CONFIGURATION
from tests.browser.console_visits import CONSOLE, somebody
from tests.browser.directory_visits import DIRECTORY
from tests.browser.embed_visits import EMBED_VISITS
from tests.browser.entrance import sign_in
from tests.browser.lead_visits import LEAD
from tests.conftest import Demo
from tests.world import REASON

_SPECIMEN = Path(__file__).with_name("specimen.html")
_with_app: set[str] = set()
_asked = itertools.count(1)


class _Application(BaseHTTPRequestHandler):
    """Takes the code that a browser brings."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"back")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@cache
def callback() -> str:
    """Return the redirect URI of an application that really answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Application)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/callback"


def authorize_path(**changes: str) -> str:
    """Return an authorization request of `backend`."""
    query = {
        "response_type": "code",
        "client_id": "backend",
        "scope": "openid",
        "state": "s",
        "redirect_uri": callback(),
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        **changes,
    }
    return f"/oauth/authorize?{urlencode(query)}"


def login(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/login")


def login_error(page: Page, demo: Demo) -> None:
    login(page, demo)
    page.get_by_label("Email or user name").fill("mistyped@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").wait_for()


def login_again(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "agent2")
    login(page, demo)


def enrolment(page: Page, demo: Demo, who: str = "agent2") -> str:
    """Come to the enrolment of an authenticator app; return its secret."""
    sign_in(page, demo, who)
    page.get_by_role("button", name="Set up authenticator app").click()
    page.get_by_role("heading", name="Set up an authenticator app").wait_for()
    return (page.locator("details code").text_content() or "").replace(" ", "")


def enrolment_error(page: Page, demo: Demo) -> None:
    enrolment(page, demo)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("alert").wait_for()


def recovery_codes(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "agent2")
    page.get_by_role("button", name="Make new ones").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()


def factor(page: Page, demo: Demo) -> None:
    """Come to the second step of a person who has an authenticator app and recovery codes."""
    who = somebody(demo, "with-app")
    if demo.issuer not in _with_app:
        secret = enrolment(page, demo, who)
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(int(time.time())))
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url("**/account")
        page.get_by_role("button", name="Make new ones").click()
        page.get_by_role("heading", name="Your recovery codes").wait_for()
        _with_app.add(demo.issuer)
        page.context.clear_cookies()
    sign_in(page, demo, who)
    page.get_by_role("heading", name="Second step").wait_for()


def factor_error(page: Page, demo: Demo) -> None:
    factor(page, demo)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").wait_for()


def factor_recovery(page: Page, demo: Demo) -> None:
    factor(page, demo)
    page.get_by_text("Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill("NOT-A-CODE")
    page.get_by_role("button", name="Use this code").click()
    page.get_by_role("alert").wait_for()


def consent(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "customer", authorize_path(prompt="consent", scope="openid profile email accounts:read"))
    page.get_by_role("button", name="Allow").wait_for()


def account(page: Page, demo: Demo) -> None:
    """Come to the account of a customer of whom nobody has asked anything."""
    sign_in(page, demo, somebody(demo, "new-here", "customer"))
    page.get_by_role("heading", name="Your account", exact=True).wait_for()


def account_history_empty(page: Page, demo: Demo) -> None:
    sign_in(page, demo, somebody(demo, "new-here", "customer"), "/account/history")
    page.get_by_role("heading", name="Nobody so far").wait_for()


def account_sign_in(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "customer-ask", "/account/sign-in")
    page.get_by_role("heading", name="Where you are signed in").wait_for()


def account_permissions(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "customer-ask", "/account/permissions")
    page.get_by_role("heading", name="What you allow").wait_for()


def account_permissions_error(page: Page, demo: Demo) -> None:
    """Come to the form after what was no choice, with what was chosen."""
    account_permissions(page, demo)
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_label("For how long?").select_option("30")
    page.get_by_role("button", name="Make a code").click()
    page.get_by_role("alert").wait_for()


def account_permissions_in_use(page: Page, demo: Demo) -> None:
    """Come to the page of a customer who is not asked each time, and who has made a code."""
    sign_in(page, demo, "customer", "/account/permissions")
    page.get_by_role("button", name="Make a code").click()
    page.get_by_role("link", name="To your account").click()
    page.get_by_role("link", name="What you allow").click()
    page.get_by_text("A code that can be used").first.wait_for()


def account_in_use(page: Page, demo: Demo) -> None:
    """Come to an account with a passkey, an application and more than one session."""
    Authenticator.of(page)
    sign_in(page, demo, somebody(demo, "with-passkey"), authorize_path(prompt="consent"))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{callback()}**")
    page.goto(f"{demo.issuer}/account")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Remove passkey").first.wait_for()


def passkey_error(page: Page, demo: Demo) -> None:
    Authenticator.of(page)
    login(page, demo)
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("No passkey was used").wait_for()


def sign_out(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "agent2")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("heading", name="Sign out?").wait_for()


def sign_out_asked(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "agent2")
    page.goto(f"{demo.issuer}/oauth/logout")
    page.get_by_role("heading", name="Sign out?").wait_for()


def signed_out(page: Page, demo: Demo) -> None:
    sign_out(page, demo)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out").wait_for()


def error(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/oauth/authorize?client_id=nobody")


def interaction(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/interactions/imp_1")


def interaction_of_the_actor(page: Page, demo: Demo) -> None:
    asked = ask(demo)
    sign_in(page, demo, "agent")
    page.get_by_role("link", name="Sign out").wait_for()
    page.goto(f"{demo.issuer}/interactions/{asked.id}")
    page.get_by_role("heading", name="Waiting for the customer").wait_for()


def device(page: Page, demo: Demo) -> str:
    """Come to the page where a device's code is typed; return the code of a device that waits."""
    known = demo.credentials["clients"]["backend"]
    body = urlencode({**known, "scope": "openid accounts:read"}).encode()
    with urllib.request.urlopen(f"{demo.issuer}/oauth/device_authorization", body, timeout=10) as answer:
        code: str = json.load(answer)["user_code"]
    sign_in(page, demo, "customer-ask", "/device")
    page.get_by_role("heading", name="Connect a device").wait_for()
    return code


def device_error(page: Page, demo: Demo) -> None:
    device(page, demo)
    page.get_by_label("Code on your device").fill("BBBB-BBBB")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").wait_for()


def device_confirm(page: Page, demo: Demo) -> None:
    code = device(page, demo)
    page.get_by_label("Code on your device").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Is this code what your device shows?").wait_for()


def device_done(page: Page, demo: Demo) -> None:
    device_confirm(page, demo)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="Your device is connected").wait_for()


def support_code(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "customer", "/account/permissions")
    page.get_by_role("button", name="Make a code").click()
    page.get_by_role("heading", name="Your support code").wait_for()


@dataclass(frozen=True)
class Asked:
    """What an agent asked for, and the number that they read out."""

    id: str
    number: str
    handle: str


def ask(demo: Demo, *, reason: str = "the last payment is not shown") -> Asked:
    """Have the agent ask for the customer who is asked each time."""
    users, known = demo.credentials["users"], demo.credentials["clients"]["backend"]
    form = {
        **known,
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": users["customer-ask"]["id"],
        "subject_token_type": TYPE_USER_ID,
        "actor_token": users["agent"]["access_token"],
        "actor_token_type": TYPE_ACCESS_TOKEN,
        **REASON,
        "reason": f"{reason} ({next(_asked)})",
    }
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{demo.issuer}/oauth/token", urlencode(form).encode(), timeout=10)
    answer = json.load(refused.value)
    return Asked(answer["impersonation_id"], str(answer["consent_number"]), answer["impersonation"])


def act(demo: Demo, asked: Asked, kinds: list[str]) -> None:
    """Have what was done reported, by the token that the handle of a running impersonation gives."""
    users, known = demo.credentials["users"], demo.credentials["clients"]["backend"]
    form = {
        **known,
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": asked.handle,
        "subject_token_type": TYPE_IMPERSONATION,
        "actor_token": users["agent"]["access_token"],
        "actor_token_type": TYPE_ACCESS_TOKEN,
    }
    with urllib.request.urlopen(f"{demo.issuer}/oauth/token", urlencode(form).encode(), timeout=10) as answer:
        bearer = json.load(answer)["access_token"]
    now = datetime.now(UTC)
    done = [
        {
            "id": f"a{at}-{asked.id}"[:64],
            "kind": kind,
            "at": (now - timedelta(seconds=len(kinds) - at)).isoformat(),
            "details": {"count": 2} if kind.startswith("view.") else {},
        }
        for at, kind in enumerate(kinds)
    ]
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    path = f"{demo.issuer}/api/v1/impersonations/{asked.id}/actions"
    sent = urllib.request.Request(path, json.dumps({"actions": done}).encode(), headers)
    urllib.request.urlopen(sent, timeout=10).close()


def account_asked(page: Page, demo: Demo) -> Asked:
    """Come to the account first; what is asked then arrives by itself."""
    sign_in(page, demo, "customer-ask")
    asked = ask(demo)
    page.locator(f"[data-key='answer-{asked.id}']").wait_for()
    return asked


def account_running(page: Page, demo: Demo) -> Asked:
    """Come to what runs, and has done something."""
    asked = account_asked(page, demo)
    page.locator(f"[data-key='answer-{asked.id}']").click()
    page.get_by_role("button", name=asked.number).click()
    page.get_by_role("link", name="See what they do").click()
    taps = ["device.tap"] * 4
    act(demo, asked, ["open.app", "view.accounts", *taps, "view.transactions", "refused.read_only"])
    page.get_by_text("Tapped the screen, 4 times").wait_for()
    return asked


def account_ended(page: Page, demo: Demo) -> None:
    account_running(page, demo)
    page.get_by_role("button", name="End it now").click()
    page.get_by_role("heading", name="Avery Agent could see your account").wait_for()


def account_history(page: Page, demo: Demo) -> None:
    account_ended(page, demo)
    page.get_by_role("link", name="Who saw it").click()
    page.get_by_role("heading", name="Who has seen your account").wait_for()


def account_lost(page: Page, demo: Demo) -> None:
    """Come to the account, and lose the connection."""
    account(page, demo)
    page.context.set_offline(True)
    page.get_by_text("No connection").wait_for()


def asked_for_consent(page: Page, demo: Demo) -> str:
    """Come to the request as its customer; return the number that the agent reads out."""
    asked = ask(demo)
    sign_in(page, demo, "customer-ask", f"/account/requests/{asked.id}")
    page.get_by_role("heading", name="May support see your account?").wait_for()
    return asked.number


def consent_given(page: Page, demo: Demo) -> None:
    number = asked_for_consent(page, demo)
    page.get_by_role("button", name=number).click()
    page.get_by_role("heading", name="You have allowed it").wait_for()


def consent_mismatch(page: Page, demo: Demo) -> None:
    number = asked_for_consent(page, demo)
    page.locator("button.number").filter(has_not_text=number).first.click()
    page.get_by_role("heading", name="Nothing was allowed").wait_for()


def account_in_support(page: Page, demo: Demo) -> None:
    """Come to the account of a customer whom somebody helps now, and others helped before."""
    consent_given(page, demo)
    page.get_by_role("link", name="To your account").click()
    page.get_by_role("button", name="End it now").first.wait_for()


def specimen(page: Page, demo: Demo) -> None:
    """Show every part of the design system, also those that no page has yet."""
    address = f"{demo.issuer}/specimen"
    page.route(address, lambda route: route.fulfill(body=_SPECIMEN.read_text(), content_type="text/html"))
    page.goto(address)


VISITS: dict[str, Callable[[Page, Demo], object]] = {
    "login": login,
    "login-error": login_error,
    "login-again": login_again,
    "login-passkey-error": passkey_error,
    "factor": factor,
    "factor-error": factor_error,
    "factor-recovery-error": factor_recovery,
    "consent": consent,
    "account": account,
    "account-history-empty": account_history_empty,
    "account-sign-in": account_sign_in,
    "account-permissions": account_permissions,
    "account-permissions-error": account_permissions_error,
    "account-permissions-in-use": account_permissions_in_use,
    "account-asked": account_asked,
    "account-running": account_running,
    "account-ended": account_ended,
    "account-history": account_history,
    "account-lost": account_lost,
    "account-in-use": account_in_use,
    "totp": enrolment,
    "totp-error": enrolment_error,
    "recovery-codes": recovery_codes,
    "sign-out": sign_out,
    "sign-out-asked": sign_out_asked,
    "signed-out": signed_out,
    "device": device,
    "device-error": device_error,
    "device-confirm": device_confirm,
    "device-done": device_done,
    "support-code": support_code,
    "consent-request": asked_for_consent,
    "consent-given": consent_given,
    "consent-mismatch": consent_mismatch,
    "account-in-support": account_in_support,
    "error": error,
    "interaction": interaction,
    "interaction-actor": interaction_of_the_actor,
    "specimen": specimen,
    **CONSOLE,
    **CONFIGURATION,
    **LEAD,
    **EMBED_VISITS,
    **DIRECTORY,
}
