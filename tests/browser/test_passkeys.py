"""Passkeys with Chromium's own authenticator: added at `/account`, used alone or after a password, and refused."""

import base64

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Page

from tests.browser import visits
from tests.browser.chromium import Authenticator, opened
from tests.browser.entrance import sign_in
from tests.browser.visits import authorize_path, callback
from tests.conftest import Demo
from tests.signing_in import CHALLENGE, VERIFIER
from tests.world import claims

OWNER = "vip"
_NOT_RIGHT = "is not right"


@pytest.fixture(scope="module")
def passkey(chromium: Browser, named_demo: Demo) -> dict[str, object]:
    """A passkey that its owner has added at `/account`."""
    with opened(chromium) as page:
        authenticator = Authenticator.of(page)
        sign_in(page, named_demo, OWNER, "/account/sign-in")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_role("button", name="Remove passkey Chrome on Linux").wait_for()
        (credential,) = authenticator.credentials()
        assert credential["rpId"] == "localhost"
        return credential


def holding(page: Page, credential: dict[str, object]) -> Authenticator:
    authenticator = Authenticator.of(page)
    authenticator.put(credential)
    return authenticator


def use_passkey(page: Page) -> None:
    page.get_by_role("button", name="Use a passkey").click()


def other_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def id_token(demo: Demo, page: Page) -> dict[str, object]:
    """Redeem the code that the browser came back with."""
    code = page.url.partition("code=")[2].partition("&")[0]
    client = demo.credentials["clients"]["backend"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback(), "code_verifier": VERIFIER}
    pair = (client["client_id"], client["client_secret"])
    answer = requests.post(f"{demo.issuer}/oauth/token", data=form, auth=pair, timeout=10)
    assert answer.status_code == 200, answer.text
    return claims(answer.json()["id_token"])


def test_a_passkey_alone_signs_in_without_a_user_name(
    chromium: Browser, named_demo: Demo, passkey: dict[str, object]
) -> None:
    """The client asked for phishing resistance; the ID token tells of it (OIDC Core §2)."""
    with opened(chromium) as page:
        authenticator = holding(page, passkey)
        page.goto(named_demo.issuer + authorize_path(acr_values="phr", code_challenge=CHALLENGE))
        use_passkey(page)
        page.wait_for_url(f"{callback()}?**")
        told = id_token(named_demo, page)
        assert told["sub"] == named_demo.credentials["users"][OWNER]["id"]
        assert (told["acr"], told["amr"]) == ("phr", ["hwk", "user", "mfa"])
        passkey.update(authenticator.credentials()[0])
        page.goto(f"{named_demo.issuer}/account")
        page.get_by_role("link", name="Signing in").click()
        page.get_by_text(", last used").wait_for()


def test_a_passkey_is_the_second_step_of_its_owner(
    chromium: Browser, named_demo: Demo, passkey: dict[str, object]
) -> None:
    with opened(chromium) as page:
        authenticator = holding(page, passkey)
        sign_in(page, named_demo, OWNER, authorize_path(code_challenge=CHALLENGE))
        page.get_by_role("heading", name="Second step").wait_for()
        assert not page.get_by_label("Code", exact=True).is_visible()
        use_passkey(page)
        page.wait_for_url(f"{callback()}?**")
        told = id_token(named_demo, page)
        assert (told["acr"], told["amr"]) == ("phr", ["pwd", "hwk", "user", "mfa"])
        passkey.update(authenticator.credentials()[0])


@pytest.mark.parametrize("changed", ["its key", "its id", "its owner"])
def test_an_authenticator_that_is_not_the_owners_is_refused(
    chromium: Browser, named_demo: Demo, passkey: dict[str, object], changed: str
) -> None:
    agent = named_demo.credentials["users"]["agent"]["id"]
    forged = {
        "its key": {"privateKey": other_key()},
        "its id": {"credentialId": base64.b64encode(b"nobody's passkey").decode()},
        "its owner": {"userHandle": base64.b64encode(agent.encode()).decode()},
    }[changed]
    with opened(chromium) as page:
        holding(page, {**passkey, **forged, "signCount": 1000})
        visits.login(page, named_demo)
        use_passkey(page)
        page.get_by_role("status").filter(has_text=_NOT_RIGHT).wait_for()
        page.goto(f"{named_demo.issuer}/account")
        assert "/login" in page.url


def test_a_second_step_takes_the_owners_passkey_alone(
    chromium: Browser, named_demo: Demo, passkey: dict[str, object]
) -> None:
    """The password was one person's: an authenticator with another's passkey has nothing to answer with."""
    stranger = named_demo.credentials["users"]["customer"]["id"]
    with opened(chromium) as page:
        handle = base64.b64encode(stranger.encode()).decode()
        another = base64.b64encode(b"another passkey!").decode()
        holding(page, {**passkey, "credentialId": another, "userHandle": handle, "privateKey": other_key()})
        sign_in(page, named_demo, OWNER)
        use_passkey(page)
        page.get_by_role("status").filter(has_text="No passkey was used").wait_for()
        assert "/login/factor" in page.url


def test_a_user_who_is_not_recognised_is_refused(
    chromium: Browser, named_demo: Demo, passkey: dict[str, object]
) -> None:
    with opened(chromium) as page:
        holding(page, passkey).verifies(user=False)
        visits.login(page, named_demo)
        use_passkey(page)
        page.get_by_role("status").filter(has_text="No passkey was used").wait_for()


def test_a_server_that_is_reached_by_its_address_says_why_it_offers_none(chromium: Browser, demo: Demo) -> None:
    with opened(chromium) as page:
        visits.login(page, demo)
        assert page.get_by_role("button", name="Use a passkey").count() == 0
        sign_in(page, demo, "customer-ask", "/account/sign-in")
        page.get_by_text("Passkeys are not offered here").wait_for()
        assert page.get_by_role("button", name="Add a passkey").count() == 0
