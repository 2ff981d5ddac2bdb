"""An admin at the console's configuration, in real Chromium, with the keyboard where it matters."""

import itertools
import re

from playwright.sync_api import Browser

from tests.browser import configuration_visits as configuration
from tests.browser.chromium import opened
from tests.browser.console_visits import call, enter
from tests.conftest import Demo

_journeys = itertools.count(1)
HOSTILE = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>{{7*7}}'


def test_an_admin_adds_an_app_mends_what_was_wrong_and_takes_it_out_of_use(chromium: Browser, named_demo: Demo) -> None:
    name = f"journey-{next(_journeys)}"
    with opened(chromium) as page:
        enter(page, named_demo, "admin", "/apps")
        page.get_by_role("link", name="New app").click()
        page.wait_for_function("document.activeElement.id === 'name'")
        page.keyboard.type(name)
        page.get_by_label("Build needed").fill("not a build")
        page.get_by_text("The device", exact=True).click()
        page.get_by_label("Device", exact=True).fill("pixel7")
        page.get_by_role("button", name="Add the app").click()
        page.get_by_role("alert").wait_for()
        assert page.evaluate("document.activeElement.id") == "error"
        build = page.get_by_label("Build needed")
        assert build.get_attribute("aria-invalid") == "true"
        assert "This does not fit." in page.locator(f"#{build.get_attribute('aria-describedby')}").inner_text()
        assert page.get_by_label("Device", exact=True).input_value() == "pixel7"
        build.fill("b_1")
        build.press("Enter")
        page.wait_for_url(f"**/apps/{name}")
        page.get_by_role("link", name="Disable").click()
        page.get_by_role("button", name="Disable").press("Enter")
        page.get_by_text(f"{name} is disabled").wait_for()
        assert call(named_demo, "admin", "GET", f"/api/v1/appetize/apps/{name}")["in_force"] is False
        page.get_by_role("button", name="Enable").click()
        page.get_by_text(f"{name} is enabled").wait_for()
        page.get_by_role("link", name="Disable").click()
        page.get_by_role("button", name="Disable").click()
        page.get_by_text(f"{name} is disabled").wait_for()


def test_an_admin_tries_a_case_and_reads_the_policy_that_decided(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        enter(page, named_demo, "admin", "/policy")
        page.get_by_role("link", name="Try a case").click()
        page.get_by_label("Mode").select_option("full")
        page.get_by_label("Ticket", exact=True).press("Enter")
        page.get_by_role("heading", name="Refused").wait_for()
        assert page.get_by_label("Mode").input_value() == "full"
        page.get_by_role("link", name="who.full-mode-is-for-leads").click()
        page.wait_for_url(re.compile(r"/policy#policy-who\.full-mode-is-for-leads$"))
        rule = page.get_by_role("article", name="who.full-mode-is-for-leads")
        rule.wait_for()
        assert "Only a lead may ask for full mode" in rule.inner_text()


def test_an_admin_rotates_a_key_after_one_question(chromium: Browser, named_demo: Demo) -> None:
    before = configuration.key(named_demo, "RS256")
    with opened(chromium) as page:
        enter(page, named_demo, "admin", "/keys")
        page.get_by_role("link", name="Rotate Tokens in RS256").click()
        page.get_by_role("heading", name="Make a new key for tokens in RS256?").wait_for()
        assert configuration.key(named_demo, "RS256") == before
        page.get_by_role("button", name="Rotate").click()
        page.get_by_text("The new key").wait_for()
    assert configuration.key(named_demo, "RS256") != before


def test_hostile_words_stay_words(chromium: Browser, named_demo: Demo) -> None:
    settings = {"build_id": "b", "platform": "ios", "device": HOSTILE, "groups": [HOSTILE], "roles": [HOSTILE]}
    configuration.stored(named_demo, "hostile", settings)
    with opened(chromium) as page:
        enter(page, named_demo, "admin", "/apps")
        for path in (
            "/apps",
            "/apps/hostile",
            f"/policy/try?target.tier={HOSTILE}",
            f"/policy/try?facts.hour={HOSTILE}",
        ):
            page.goto(named_demo.credentials["console"] + path.replace("{", "%7B"))
            assert page.evaluate("window.hit") is None
        page.goto(named_demo.credentials["console"] + "/apps/hostile")
        assert page.get_by_label("Device", exact=True).input_value() == HOSTILE
        page.get_by_label("Build needed").fill(HOSTILE)
        page.get_by_role("button", name="Save").click()
        page.get_by_role("alert").wait_for()
        assert page.get_by_label("Build needed").input_value() == HOSTILE
        assert page.evaluate("window.hit") is None
    call(named_demo, "admin", "DELETE", "/api/v1/appetize/apps/hostile")
