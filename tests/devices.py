"""A device in a test, which asks and polls, and the person who types its code."""

from typing import Any

from tests.signing_in import BrowserOf, token
from tests.world import Answer, World

TELEVISION = "Mozilla/5.0 (Web0S; Linux/SmartTV) Chrome/94.0 Safari/537.36"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def ask(world: World, client: str = "backend", **form: Any) -> Answer:
    """Ask as a device of this client (RFC 8628 §3.1); None leaves a parameter out."""
    form = {"scope": "openid accounts:read", **form}
    headers = {"User-Agent": TELEVISION}
    if client in world.credentials["clients"]:
        return world.post("/oauth/device_authorization", form, client=client, headers=headers)
    return world.post("/oauth/device_authorization", {"client_id": client, **form}, client=None, headers=headers)


def asked(world: World, client: str = "backend", **form: Any) -> dict[str, Any]:
    """Return what a device is given."""
    answer = ask(world, client, **form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def poll(world: World, given: dict[str, Any], client: str = "backend", **form: Any) -> Answer:
    """Poll as the device (§3.4)."""
    return token(world, {"grant_type": GRANT, "device_code": given["device_code"], **form}, client)


def enter(browser: BrowserOf, user_code: str) -> Answer:
    """Type a code as a person who is signed in; return the page that asks for a decision."""
    return browser.submit(browser.get("/device"), "/device", user_code=user_code)


def decide(browser: BrowserOf, given: dict[str, Any], decision: str = "allow") -> Answer:
    """Type a device's code and decide."""
    shown = enter(browser, given["user_code"])
    assert shown.status_code == 200, shown.text
    return browser.submit(shown, "/device/decision", decision=decision)
