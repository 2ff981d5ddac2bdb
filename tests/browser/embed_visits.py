"""The embed page in each of its states: what the agent sees from the request to the end."""

import itertools
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

from tests.browser.entrance import sign_in
from tests.conftest import Demo
from tests.world import API, REASON

_LONG = 15_000
_numbers = itertools.count(1)


def post(demo: Demo, path: str, body: dict[str, object], who: str = "agent", *, method: str = "POST") -> dict[str, Any]:
    """Call the API as a person."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {demo.credentials['users'][who]['access_token']}",
    }
    asked = urllib.request.Request(demo.issuer + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def order(demo: Demo, **what: object) -> None:
    """Have something befall the stand-in's next session."""
    address = f"{demo.credentials['appetize']['device_stand_in']}/control"
    asked = urllib.request.Request(address, json.dumps(what).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=10).close()


def opened(page: Page, demo: Demo, subject: str = "customer", who: str = "agent", **more: object) -> str:
    """Come to the page of a new impersonation; return that. `app`, `build` and `mode` may be given."""
    build, app = {"build": more.pop("build")} if "build" in more else {}, more.pop("app", "demo-bank")
    person = demo.credentials["users"][subject]["id"]
    reason = {**REASON, "reason": f"the last payment is not shown ({next(_numbers)})"}
    started = post(demo, "/api/v1/impersonations", {"subject": person, "resource": [API], **reason, **more}, who)
    created = post(demo, "/appetize/handoffs", {"impersonation": started["id"], "app": app, **build}, who)
    sign_in(page, demo, who, urlsplit(created["embed_url"]).path)
    page.locator("#embed").wait_for()
    return str(started["id"])


def running(page: Page) -> None:
    phone = page.frame_locator("#appetize-device")
    phone.locator(".owner h2").wait_for(timeout=_LONG)


def embed(page: Page, demo: Demo) -> None:
    """Come to the embed page, with its device running."""
    opened(page, demo)
    running(page)


def waiting(page: Page, demo: Demo) -> None:
    opened(page, demo, "customer-ask")
    page.get_by_text("Waiting for the customer to allow it").first.wait_for()


def full(page: Page, demo: Demo) -> None:
    opened(page, demo, who="lead", mode="full")
    running(page)


def mismatch(page: Page, demo: Demo) -> None:
    opened(page, demo, build="4.0.0")
    running(page)


def queue(page: Page, demo: Demo) -> None:
    order(demo, next="queue", positions=7, seconds=60)
    opened(page, demo)
    page.get_by_text("number 7 in the queue").first.wait_for()


def starting(page: Page, demo: Demo) -> None:
    order(demo, next="slow", seconds=120)
    opened(page, demo)
    page.frame_locator("#appetize-device").get_by_text("The device starts").wait_for(timeout=_LONG)


def failed(page: Page, demo: Demo) -> None:
    order(demo, next="error")
    opened(page, demo)
    page.get_by_role("button", name="Try again").wait_for()


def no_sdk(page: Page, demo: Demo) -> None:
    sdk = f"{demo.credentials['appetize']['device_stand_in']}/embed.js"
    page.route(sdk, lambda route: route.abort())
    opened(page, demo)
    page.get_by_role("button", name="Try again").wait_for()


def unanswered(page: Page, demo: Demo) -> None:
    embed(page, demo)
    page.route("**/state", lambda route: route.abort())
    page.get_by_text("The server does not answer. Trying again").first.wait_for(timeout=_LONG)


def warned(page: Page, demo: Demo) -> None:
    order(demo, inactivity_seconds=31)
    embed(page, demo)
    order(demo, inactivity_seconds=120)
    page.get_by_role("button", name="Keep it running").wait_for()


def closed(page: Page, demo: Demo) -> None:
    order(demo, next="die", seconds=2)
    embed(page, demo)
    page.get_by_text("The device was closed.").first.wait_for()


def over(page: Page, demo: Demo) -> None:
    embed(page, demo)
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_role("heading", name="This is over").wait_for()


def over_by(by: str) -> Callable[[Page, Demo], None]:
    def visit(page: Page, demo: Demo) -> None:
        impersonation = opened(page, demo)
        running(page)
        post(demo, f"/api/v1/impersonations/{impersonation}/end", {}, by)
        page.get_by_role("heading", name="This is over").wait_for()

    return visit


def over_by_clock(page: Page, demo: Demo) -> None:
    """Have the server's next answer be the one that it gives once the time is over."""
    embed(page, demo)

    def late(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer, json={**answer.json(), "state": "ended", "end_reason": "clock", "seconds_left": 0}
        )

    page.route("**/state", late)
    page.get_by_role("heading", name="This is over").wait_for()


def switched_off(page: Page, demo: Demo) -> None:
    """Have the app disabled while its device runs."""
    device, name = demo.credentials["appetize"]["device_stand_in"], f"shortlived-{next(_numbers)}"
    where = {"base_url": device, "sdk_url": f"{device}/embed.js"}
    settings = {"build_id": "demo-bank-standin", "platform": "android", **where}
    post(demo, "/api/v1/appetize/apps", {"name": name, "settings": settings}, "admin")
    opened(page, demo, app=name)
    running(page)
    post(demo, f"/api/v1/appetize/apps/{name}", {}, "admin", method="DELETE")
    page.get_by_text("This app was switched off").first.wait_for()


def reloaded(page: Page, demo: Demo) -> None:
    embed(page, demo)
    page.reload()
    page.get_by_text("before it was loaded again").wait_for()


def opened_twice(page: Page, demo: Demo) -> None:
    """Come by the same address again, as one does who comes late."""
    embed(page, demo)
    page.goto(demo.issuer + urlsplit(page.url).path)
    page.get_by_role("alert").wait_for()


def other_browser(page: Page, demo: Demo) -> None:
    embed(page, demo)
    address = page.url
    page.goto("about:blank")
    page.context.clear_cookies()
    page.goto(address)
    page.get_by_role("alert").wait_for()


EMBED_VISITS: dict[str, Callable[[Page, Demo], object]] = {
    "embed": embed,
    "embed-waiting": waiting,
    "embed-queue": queue,
    "embed-starting": starting,
    "embed-full": full,
    "embed-mismatch": mismatch,
    "embed-inactive": warned,
    "embed-failed": failed,
    "embed-no-sdk": no_sdk,
    "embed-unanswered": unanswered,
    "embed-closed": closed,
    "embed-over": over,
    "embed-over-by-customer": over_by("customer"),
    "embed-over-by-lead": over_by("lead"),
    "embed-over-by-clock": over_by_clock,
    "embed-switched-off": switched_off,
    "embed-reloaded": reloaded,
    "embed-opened-twice": opened_twice,
    "embed-other-browser": other_browser,
}
