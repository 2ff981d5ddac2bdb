"""The console's pages of the configuration in each of their states, as an admin comes to them."""

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

from playwright.sync_api import Page

from tests.browser.console_visits import call, enter
from tests.conftest import Demo

_APP = {"build_id": "b_541", "platform": "ios", "version": "5.4.1", "device": "iphone15pro", "groups": ["tier-2"]}


def stored(demo: Demo, name: str = "pocket-bank", settings: Any = _APP) -> str:
    """Have an app that is changed here; return its name."""
    try:
        call(demo, "admin", "POST", "/api/v1/appetize/apps", {"name": name, "settings": settings})
    except HTTPError:
        call(demo, "admin", "PUT", f"/api/v1/appetize/apps/{name}", {"settings": settings, "enabled": True})
    return name


def key(demo: Demo, alg: str) -> str:
    """Return the key that signs in an algorithm."""
    found = call(demo, "admin", "GET", "/api/v1/keys")["items"]
    return str(next(each["kid"] for each in found if (each["alg"], each["state"]) == (alg, "signing")))


def at(path: str, heading: str) -> Callable[[Page, Demo], None]:
    """Return a visit to a page that needs nothing."""

    def visit(page: Page, demo: Demo) -> None:
        enter(page, demo, "admin", path)
        page.get_by_role("heading", name=heading, exact=True).first.wait_for()

    return visit


def apps(page: Page, demo: Demo) -> None:
    stored(demo)
    at("/apps", "Apps")(page, demo)


def app(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", f"/apps/{stored(demo)}")
    page.get_by_role("button", name="Save").wait_for()


def app_of_files(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", "/apps/demo-bank")
    page.get_by_text("is changed there alone").wait_for()


def app_error(page: Page, demo: Demo) -> None:
    app(page, demo)
    page.get_by_label("Build", exact=False).first.fill("no build/")
    page.get_by_label("Pages that may show it").fill("https://crm.example.com\nnonsense")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()


def app_disable(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", f"/apps/{stored(demo)}/disable")
    page.get_by_role("heading", name="Disable pocket-bank?").wait_for()


def key_rotate(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", f"/keys/rotate?kid={key(demo, 'ES256')}")
    page.get_by_role("button", name="Rotate").wait_for()


def key_forced(page: Page, demo: Demo) -> None:
    key_rotate(page, demo)
    page.get_by_text("It was rotated lately").click()
    page.get_by_label("Why it cannot wait").fill("A disk with the folder of keys is gone.")


def policy_tried(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", "/policy/try?target.tier=vip&facts.consent=none")
    page.get_by_role("heading", name="An approval comes first").wait_for()


def policy_error(page: Page, demo: Demo) -> None:
    enter(page, demo, "admin", "/policy/try?facts.hour=noon")
    page.get_by_role("alert").wait_for()


CONFIGURATION: dict[str, Callable[[Page, Demo], object]] = {
    "console-issuers": at("/issuers", "Trusted issuers"),
    "console-apps": apps,
    "console-app": app,
    "console-app-new": at("/apps/_new", "New app"),
    "console-app-error": app_error,
    "console-app-of-files": app_of_files,
    "console-app-disable": app_disable,
    "console-keys": at("/keys", "Keys"),
    "console-key-rotate": key_rotate,
    "console-key-forced": key_forced,
    "console-policy": at("/policy", "Policy"),
    "console-policy-try": at("/policy/try", "Try a case"),
    "console-policy-tried": policy_tried,
    "console-policy-error": policy_error,
    "console-health": at("/health", "Health"),
}
