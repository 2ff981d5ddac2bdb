"""The auditor at the console, in real Chromium: from a refusal to its impersonation, the proof and the download."""

import json
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser

from tests.browser import console_visits as console
from tests.browser.chromium import opened
from tests.conftest import Demo

HOSTILE = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>{{7*7}}\u202e'


def test_the_auditors_journey(chromium: Browser, named_demo: Demo) -> None:
    """Find a refusal, open the timeline of what it was about, verify the chain, and take the evidence along."""
    started = console.active_of(named_demo)
    console.end_all(named_demo)
    console.refused(named_demo)
    with opened(chromium) as page:
        console.enter(page, named_demo, "auditor", "/trail")
        page.get_by_label("Refusals only").check()
        page.get_by_label("Person", exact=True).fill("Blake Agent")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**outcome=refusals**")
        assert parse_qs(urlsplit(page.url).query).keys() == {"person", "outcome"}
        row = page.locator(".events summary").first
        row.press("Enter")
        facts = page.locator("details[open]")
        assert "api.list_audit_events" in facts.inner_text()
        page.wait_for_url(f"**#{facts.get_attribute('id')}")
        page.reload()  # the address opens it
        page.locator("details[open]").get_by_text("api.list_audit_events").wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export JSONL").click()
        lines = download.value.path().read_text().splitlines()
        assert {json.loads(line)["name"] for line in lines} == {"request:refused"}
        assert download.value.suggested_filename == "audit.jsonl"
        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Impersonation", exact=True).fill(started["id"])
        page.keyboard.press("Enter")
        page.wait_for_url("**impersonation_id=**")
        page.locator(".events summary").filter(has_text="asked for").click()
        page.locator("details[open]").get_by_role("link", name="Its impersonation").click()
        steps = page.locator(".timeline .step strong")
        steps.first.wait_for()
        assert steps.all_inner_texts()[:3] == ["Requested", "Became active", "Ended"]
        page.locator(".timeline summary").first.click()
        page.get_by_role("link", name="Its place in the trail").first.click()
        page.get_by_role("heading", name="Impersonation asked for").wait_for()
        page.get_by_role("link", name="Audit trail").first.click()
        page.get_by_role("button", name="Verify the trail").click()
        page.get_by_role("heading", name="The trail is intact").wait_for()


def test_an_opened_step_stays_open_when_the_timeline_grows(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        started = console.active_of(named_demo)
        console.enter(page, named_demo, path=f"/impersonations/{started['id']}")
        page.locator(".timeline summary").nth(1).click()
        name = page.locator(".timeline details[open]").get_attribute("id")
        console.end_all(named_demo)
        page.locator(".timeline .step").filter(has_text="Ended by").wait_for()
        assert [each.get_attribute("id") for each in page.locator(".timeline details[open]").all()] == [name]


def test_while_it_verifies_the_page_says_so(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        console.enter(page, named_demo, "auditor", "/trail")
        page.route("**/console/trail/verify", lambda route: route.fulfill(status=204))  # nothing comes: one stays
        page.get_by_role("button", name="Verify the trail").click()
        said = page.get_by_role("status").filter(has_text="Verifying the whole trail")
        said.wait_for()
        assert page.get_by_role("button", name="Verify the trail").is_disabled()
        said.get_by_role("progressbar").wait_for()


def test_times_are_asked_for_in_the_readers_zone(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        console.enter(page, named_demo, "auditor", "/trail")
        assert "CE" in page.locator("label[for=since]").inner_text()
        page.get_by_label("From").fill("2026-07-01T12:00")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**since=2026-07-01T10%3A00%3A00Z")
        assert page.get_by_label("From").input_value() == "2026-07-01T12:00"


def test_hostile_words_stay_words(chromium: Browser, named_demo: Demo) -> None:
    started = console.active_of(named_demo, reason=HOSTILE)
    console.end_all(named_demo)
    with opened(chromium) as page:
        console.enter(page, named_demo, "auditor", f"/trail?impersonation_id={started['id']}")
        base = named_demo.credentials["console"]
        assert HOSTILE[:20] in page.locator("main").inner_text()
        query = HOSTILE.replace("#", "").replace("{", "%7B")
        for path in (f"/impersonations/{started['id']}", "/reports", "/trail?q=", "/trail?person=", "/trail?name="):
            page.goto(base + path + (query if "?" in path else ""))
            assert page.evaluate("window.hit") is None
            page.goto(f"{page.url}#{query}")
            assert page.evaluate("window.hit") is None


def test_the_first_view_of_the_trail_is_small(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        console.enter(page, named_demo, "auditor", "/trail")
        page.reload(wait_until="load")
        sizes = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((entry) => entry.encodedBodySize)"
        )
        assert sum(sizes) < 100_000
