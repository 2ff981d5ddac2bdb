"""Signing in at the company's IdP in the browser, against a real one over real HTTP (OIDC Core §3.1)."""

import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.real_idp import NAME
from tests.signing_in import BrowserOf, answer_of, handed_over, redeem, stranger_reasons
from tests.world import ISSUER, Answer, World, claims


def begin(browser: BrowserOf) -> Answer:
    """Press the IdP's button on the sign-in page, with an application waiting behind it."""
    asked = browser.authorize(scope="openid impersonate", resource=ISSUER)
    shown = browser.get(asked.headers["Location"])
    assert "Sign in with" in shown.text
    return browser.submit(shown, f"/login/at/{NAME}")


def there(sent: Answer) -> str:
    """Sign in at the IdP; return the path of our callback with what it sends back."""
    answer = requests.post(handed_over(sent), data={"sub": "42"}, allow_redirects=False, timeout=10)
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/login/at/{NAME}/callback"
    return f"{parts.path}?{parts.query}"


def test_agent_signs_in_at_the_idp_and_the_application_gets_a_token_that_may_impersonate(real_world: World) -> None:
    browser = BrowserOf(real_world)
    callback = there(begin(browser))
    real_world.clock.seconds = time.time()
    back = browser.get(callback)
    assert back.status_code == 303, back.text
    code = answer_of(browser.get(back.headers["Location"]))["code"]
    tokens = redeem(real_world, code)
    assert tokens.status_code == 200, tokens.text
    said = claims(tokens.json["access_token"])
    assert (said["sub"], said["scope"].split()) == (real_world.id("agent"), ["openid", "impersonate"])
    real_world.credentials["users"]["agent"]["access_token"] = tokens.json["access_token"]
    assert real_world.way_a().status_code == 200
    started = real_world.events("session:started")[-1]
    assert (started["user_id"], started["issuer"]) == (said["sub"], there_issuer(real_world))


def there_issuer(world: World) -> str:
    return str(world.wired.settings.federation.issuers[NAME].issuer)


@pytest.mark.parametrize("trick", ["replayed", "another browser", "another state", "no code", "repeated", "an error"])
def test_a_callback_that_is_not_this_sign_in_signs_nobody_in(real_world: World, trick: str) -> None:
    browser = BrowserOf(real_world)
    callback = there(begin(browser))
    real_world.clock.seconds = time.time()
    if trick == "replayed":
        assert browser.get(callback).status_code == 303
    asking = BrowserOf(real_world) if trick == "another browser" else browser
    refused = asking.get(
        {
            "another state": callback.replace("state=", "state=x"),
            "no code": callback.replace("code=", "kode="),
            "repeated": f"{callback}&state=x",
            "an error": f"/login/at/{NAME}/callback?error=access_denied",
        }.get(trick, callback)
    )
    assert refused.status_code == 400
    assert "did not work" in refused.text
    if trick != "replayed":
        assert not real_world.events("session:started")
        assert asking.get("/account").headers["Location"].startswith("/login")
    known_as_this_browsers = {"no code"}
    assert bool(real_world.events("sign-in:failed")) == (trick in known_as_this_browsers)
    assert bool(stranger_reasons(real_world)) == (trick not in known_as_this_browsers)


def test_the_idp_is_only_left_for_by_a_form_of_ours(real_world: World) -> None:
    browser = BrowserOf(real_world)
    browser.get("/login")
    refused = browser.post(f"/login/at/{NAME}")
    assert (refused.status_code, refused.headers.get("Location")) == (403, None)
    unknown = browser.submit(browser.get("/login"), "/login/at/nobody")
    assert unknown.status_code == 400
