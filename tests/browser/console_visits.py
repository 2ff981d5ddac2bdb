"""The console's pages in each of their states, as staff come to them."""

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from tests.conftest import Demo

_tickets = itertools.count(2000)


def enter(page: Page, demo: Demo, who: str = "agent2", path: str = "/") -> None:
    """Come to a page of the console, signing in on the way."""
    person = demo.credentials["users"][who]
    page.goto(demo.credentials["console"] + path)
    page.get_by_label("Email or user name").fill(person["username"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/console/**")


def call(demo: Demo, who: str, method: str, path: str, body: Any = None) -> Any:
    """Call the API as one of the cast."""
    token = demo.credentials["users"][who]["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(demo.issuer + path, data, headers, method=method)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


def somebody(demo: Demo, who: str, role: str = "support") -> str:
    """Have one more person, whose second factor or history is in nobody's way."""
    if who not in demo.credentials["users"]:
        wanted = {"username": f"{who}@example.com", "name": "Sasha Agent", "roles": [role]}
        demo.credentials["users"][who] = call(demo, "admin", "POST", "/api/v1/users", wanted)
    return who


def end_all(demo: Demo, who: str = "agent2") -> None:
    """End what somebody has open."""
    mine = demo.credentials["users"][who]["id"]
    for it in call(demo, who, "GET", f"/api/v1/impersonations?open=true&actor={mine}")["items"]:
        call(demo, who, "POST", f"/api/v1/impersonations/{it['id']}/end", {})


def link(demo: Demo, whom: str, **more: str) -> str:
    """Return the link of a CRM."""
    ticket = f"BANK-{next(_tickets)}"
    query = {"subject": demo.credentials["users"][whom]["id"], "ticket": ticket, **more}
    return f"/start?{urlencode(query)}"


def ask(page: Page, demo: Demo, whom: str) -> None:
    """Ask to act as a customer."""
    end_all(demo)
    enter(page, demo, path=link(demo, whom, reason="The balance looks wrong"))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/console/impersonations/*")


def desk(page: Page, demo: Demo) -> None:
    end_all(demo)
    enter(page, demo)
    page.get_by_role("heading", name="Find a customer").wait_for()


def desk_asked(page: Page, demo: Demo) -> None:
    """Come to the desk as by a page elsewhere that would have searched."""
    enter(page, demo, path="/?q=casey&ask=first")
    page.get_by_text("Another page led you here").wait_for()


def start_asked(page: Page, demo: Demo) -> None:
    """Come to a customer by a page elsewhere."""
    enter(page, demo, path=f"{link(demo, 'customer')}&ask=first")
    page.get_by_role("heading", name="Look up this customer?").wait_for()


def found(page: Page, demo: Demo) -> None:
    desk(page, demo)
    page.get_by_role("combobox").press_sequentially("cust")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")


def start(page: Page, demo: Demo) -> None:
    enter(page, demo, "lead", link(demo, "customer-ask", reason_code="security_review"))
    page.get_by_role("heading", name="Charlie Customer").wait_for()


def start_error(page: Page, demo: Demo) -> None:
    enter(page, demo, path=link(demo, "customer", ticket="not a ticket"))
    page.evaluate("document.querySelector('#start-form').noValidate = true")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("alert").wait_for()


def start_closed(page: Page, demo: Demo) -> None:
    enter(page, demo, path=link(demo, "admin"))
    page.get_by_role("alert").wait_for()


def number(page: Page, demo: Demo) -> None:
    ask(page, demo, "customer-ask")
    page.get_by_role("heading", name="Read this number out").wait_for()


def approval(page: Page, demo: Demo) -> None:
    ask(page, demo, "vip")
    page.get_by_role("heading", name="Somebody approves it first").wait_for()


def active_of(demo: Demo, **more: str) -> Any:
    """Have the second agent start one that is active at once, and return it."""
    end_all(demo)
    subject = demo.credentials["users"]["customer"]["id"]
    body = {"subject": subject, "ticket_id": f"BANK-{next(_tickets)}", "reason_code": "security_review"}
    return call(demo, "agent2", "POST", "/api/v1/impersonations", {**body, "reason": "The balance looks wrong", **more})


def active(page: Page, demo: Demo) -> None:
    """Come to one that is active, and whose device is not to open by itself."""
    started = active_of(demo)
    enter(page, demo, path=f"/impersonations/{started['id']}")
    page.get_by_role("button", name="Open the device").wait_for()


def ended(page: Page, demo: Demo) -> None:
    active(page, demo)
    page.get_by_role("main").get_by_role("button", name="End").click()
    page.get_by_role("heading", name="This is over").wait_for()


def listing(page: Page, demo: Demo) -> None:
    active(page, demo)
    page.get_by_role("link", name="My impersonations").click()
    page.get_by_role("heading", name="My impersonations").wait_for()


def menu(page: Page, demo: Demo) -> None:
    """Come to the places as a phone shows them."""
    page.set_viewport_size({"width": 390, "height": 844})
    enter(page, demo, "admin", "/users")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Health").wait_for()


def nothing_there(page: Page, demo: Demo) -> None:
    enter(page, demo, path="/nowhere")
    page.get_by_role("heading", name="There is nothing here").wait_for()


def nothing_for(page: Page, demo: Demo) -> None:
    enter(page, demo, "customer")
    page.get_by_text("There is nothing for you here").wait_for()


def refused(demo: Demo) -> None:
    """Have the second agent refused the trail."""
    with pytest.raises(urllib.error.HTTPError):
        call(demo, "agent2", "GET", "/api/v1/audit/events")


def trail(page: Page, demo: Demo) -> None:
    """Come to the trail, with one of its events open."""
    active_of(demo)
    enter(page, demo, "auditor", "/trail")
    page.locator(".events summary").filter(has_text="asked for").first.click()
    page.locator("details[open]").wait_for()


def trail_nothing(page: Page, demo: Demo) -> None:
    enter(page, demo, "auditor", "/trail?q=nobody-wrote-this")
    page.get_by_text("Nothing fits").wait_for()


def trail_error(page: Page, demo: Demo) -> None:
    enter(page, demo, "auditor", "/trail?q=ab&person=Nobody+of+that+name")
    page.get_by_role("alert").wait_for()


def event(page: Page, demo: Demo) -> None:
    trail(page, demo)
    page.locator("details[open]").get_by_role("link", name="alone").click()
    page.get_by_role("heading", name="Its place").wait_for()


def proof(page: Page, demo: Demo) -> None:
    enter(page, demo, "auditor", "/trail")
    page.get_by_role("button", name="Verify the trail").click()
    page.get_by_role("heading", name="The trail is intact").wait_for()


def timeline(page: Page, demo: Demo) -> None:
    """Come to the timeline of one that ended, as an auditor."""
    started = active_of(demo)
    end_all(demo)
    enter(page, demo, "auditor", f"/impersonations/{started['id']}")
    page.get_by_role("heading", name="What happened").wait_for()
    page.locator(".timeline summary").first.click()


def reports(page: Page, demo: Demo) -> None:
    active_of(demo)
    refused(demo)
    enter(page, demo, "auditor", "/reports?days=7")
    page.get_by_role("heading", name="Reports").wait_for()


def reports_error(page: Page, demo: Demo) -> None:
    enter(page, demo, "auditor", "/reports?since=2026-02-01&until=2026-01-01")
    page.get_by_role("alert").wait_for()


CONSOLE: dict[str, Callable[[Page, Demo], object]] = {
    "console-desk": desk,
    "console-desk-asked": desk_asked,
    "console-start-asked": start_asked,
    "console-found": found,
    "console-start": start,
    "console-start-error": start_error,
    "console-start-closed": start_closed,
    "console-number": number,
    "console-approval": approval,
    "console-active": active,
    "console-ended": ended,
    "console-listing": listing,
    "console-trail": trail,
    "console-trail-nothing": trail_nothing,
    "console-trail-error": trail_error,
    "console-event": event,
    "console-proof": proof,
    "console-timeline": timeline,
    "console-reports": reports,
    "console-reports-error": reports_error,
    "console-menu": menu,
    "console-nothing-there": nothing_there,
    "console-nothing-for": nothing_for,
}
