"""A lead at the console, in real Chromium: requests arrive by themselves, and are decided in one or two clicks."""

from playwright.sync_api import Browser

from tests.browser import lead_visits
from tests.browser.chromium import opened
from tests.browser.console_visits import call, end_all, enter
from tests.conftest import Demo

HOSTILE = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>'


def test_a_request_arrives_live_and_what_is_typed_stays(chromium: Browser, named_demo: Demo) -> None:
    end_all(named_demo, "agent")
    with opened(chromium) as page:
        enter(page, named_demo, "lead", "/queue")
        page.get_by_text("Nothing waits for you").wait_for()
        asked = lead_visits.wait_for_approval(named_demo, HOSTILE)
        page.locator(f"#approve-{asked}").wait_for()
        assert HOSTILE in page.locator(".request .reason").inner_text()
        page.get_by_label("Remark").fill("checked")
        lead_visits.run(named_demo)  # something else changes; the queue is asked for again
        page.wait_for_timeout(1500)
        assert page.get_by_label("Remark").input_value() == "checked"
        page.locator(f"#approve-{asked}").click()
        page.get_by_text("Approved. Avery Agent for Vivian Customer.").wait_for()
        assert page.evaluate("window.hit") is None
    told = call(named_demo, "lead", "GET", f"/api/v1/impersonations/{asked}")
    assert (told["state"], told["approval"]["remark"]) == ("active", "checked")
    end_all(named_demo, "agent")


def test_what_runs_is_ended_by_one_click_and_leaves_the_list(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        enter(page, named_demo, "lead", "/active")
        running = lead_visits.run(named_demo)
        page.locator(f"#end-{running}").click()
        page.get_by_text("Ended.").wait_for()
        assert page.locator(f"#end-{running}").count() == 0
    assert call(named_demo, "lead", "GET", f"/api/v1/impersonations/{running}")["state"] == "ended"
