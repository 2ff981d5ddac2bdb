"""Each page in each state: usable by everybody, in light and dark, at desk and phone width, and nothing jumps."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Frame, Page

from tests.browser import visits
from tests.browser.chromium import HEIGHT, SCHEMES, WIDTHS, opened
from tests.browser.entrance import sign_in
from tests.browser.visits import VISITS
from tests.conftest import Demo

_SHIFT = """() => new Promise((resolve) => {
  let shift = 0;
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) shift += entry.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(shift), 150);
})"""


def serious(page: Page | Frame, *rules: str) -> list[tuple[str, str]]:
    """Return what axe finds that keeps somebody out, by these rules alone where some are named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    grave = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [(each["id"], node["html"]) for each in grave for node in each["nodes"]]


@pytest.mark.parametrize("name", VISITS)
def test_everybody_can_use_the_page(chromium: Browser, named_demo: Demo, name: str) -> None:
    with opened(chromium) as page:
        VISITS[name](page, named_demo)
        for device, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": HEIGHT})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                # colours are all that a scheme changes
                assert serious(page, *([] if scheme == SCHEMES[0] else ["color-contrast"])) == [], (scheme, device)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), device


@pytest.mark.parametrize("name", ["login", "account", "account-sign-in", "account-history", "factor"])
def test_nothing_jumps_while_a_page_loads(chromium: Browser, named_demo: Demo, name: str) -> None:
    """What scripts add has its place in the first view already."""
    with opened(chromium) as page:
        VISITS[name](page, named_demo)
        page.reload()
        assert page.evaluate(_SHIFT) < 0.01


def test_an_error_is_where_the_reader_is(chromium: Browser, named_demo: Demo) -> None:
    """The summary has the focus, the title says it too, and the fields point to it; what was typed is still there."""
    with opened(chromium) as page:
        visits.login_error(page, named_demo)
        assert page.evaluate("document.activeElement.id") == "error"
        assert page.title().startswith("Error: ")
        assert page.get_by_label("Email or user name").input_value() == "mistyped@example.com"
        assert page.get_by_label("Password").get_attribute("aria-describedby") == "error"
        assert page.get_by_label("Password").input_value() == ""


def test_a_password_is_shown_on_request_and_sent_as_one(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        visits.login(page, named_demo)
        password = page.get_by_label("Password")
        password.fill("a secret word")
        for verb, kind in (("Show", "text"), ("Hide", "password"), ("Show", "text")):
            page.get_by_role("button", name=f"{verb} what I type").click()
            assert password.get_attribute("type") == kind
        page.get_by_label("Email or user name").fill("nobody@example.com")
        page.evaluate("document.forms[0].addEventListener('submit', (event) => event.preventDefault())")
        page.get_by_role("button", name="Continue").click()
        assert password.get_attribute("type") == "password"


def test_without_scripts_nothing_is_offered_that_needs_them(chromium: Browser, named_demo: Demo) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, named_demo, "customer-ask", "/account/sign-in")
    since = page.locator("time").first
    assert (since.text_content() or "").endswith("UTC")
    assert not page.get_by_role("button", name="Add a passkey").is_visible()
    visits.login(page, named_demo)
    assert page.get_by_role("button").all_inner_texts() == ["Continue"]
    context.close()


def test_times_are_the_readers_own(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        visits.account_sign_in(page, named_demo)
        since = page.locator("time").first
        assert (since.text_content() or "").endswith(("CET", "CEST"))
        assert (since.get_attribute("title") or "").endswith("UTC")
        assert (since.get_attribute("datetime") or "").endswith("Z")


def test_the_first_view_is_small(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        visits.login(page, named_demo)
        page.wait_for_load_state("networkidle")
        sizes = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((entry) => entry.transferSize)"
        )
        assert sum(sizes) < 15_000
