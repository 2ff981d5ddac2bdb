"""A lead's pages at the console in each of their states."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.console_visits import call, end_all, enter
from tests.conftest import Demo
from tests.world import REASON


def wait_for_approval(demo: Demo, reason: str = "a payment is missing, and she is abroad") -> str:
    """Have an agent ask for what a lead has to approve; return its id."""
    end_all(demo, "agent")
    body = {**REASON, "subject": demo.credentials["users"]["vip"]["id"], "reason": reason, "client_id": "backend"}
    return str(call(demo, "agent", "POST", "/api/v1/impersonations", body)["id"])


def run(demo: Demo) -> str:
    """Have an agent act as somebody; return the id."""
    end_all(demo)
    body = {
        **REASON,
        "subject": demo.credentials["users"]["customer"]["id"],
        "reason": "it runs",
        "client_id": "backend",
    }
    return str(call(demo, "agent2", "POST", "/api/v1/impersonations", body)["id"])


def queue(page: Page, demo: Demo) -> None:
    wait_for_approval(demo)
    enter(page, demo, "lead", "/queue")
    page.get_by_role("button", name="Approve").first.wait_for()


def queue_empty(page: Page, demo: Demo) -> None:
    end_all(demo, "agent")
    enter(page, demo, "lead", "/queue")
    page.get_by_text("Nothing waits for you").wait_for()


def queue_changed(page: Page, demo: Demo) -> None:
    """Somebody else decided first."""
    queue(page, demo)
    page.get_by_label("Remark").first.fill("checked with the branch")
    # in one go, or the live queue may have put another button there
    page.evaluate(
        "() => { const form = document.querySelector('form.decide');"
        " form.digest.value = '0'.repeat(64); form.querySelector('[value=approve]').click(); }"
    )
    page.get_by_role("alert").wait_for()


def active(page: Page, demo: Demo) -> None:
    run(demo)
    enter(page, demo, "lead", "/active")
    page.get_by_role("button", name="End").first.wait_for()


def end_everything(page: Page, demo: Demo) -> None:
    active(page, demo)
    page.get_by_text("End everything").click()


LEAD: dict[str, Callable[[Page, Demo], object]] = {
    "console-queue": queue,
    "console-queue-empty": queue_empty,
    "console-queue-changed": queue_changed,
    "console-running": active,
    "console-end-everything": end_everything,
}
