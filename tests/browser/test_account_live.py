"""What a customer's open page hears: within a second, without asking; and what it does where it cannot listen."""

import time
from collections.abc import Callable

import requests
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import visits
from tests.browser.chromium import opened
from tests.browser.entrance import sign_in
from tests.conftest import Demo

SECOND = 1.0
TIMES = 3
PATIENCE = 8000
LISTENING = "**/account/stream"


def quickest(happen: Callable[[], float]) -> float:
    """Return the least of several times taken: the machine may be busy with other things."""
    return min(happen() for _ in range(TIMES))


def post(demo: Demo, who: str, path: str, **body: str) -> None:
    headers = {"Authorization": f"Bearer {demo.credentials['users'][who]['access_token']}"}
    answer = requests.post(f"{demo.issuer}/api/v1/impersonations/{path}", json=body, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text


def overview(page: Page, demo: Demo) -> None:
    """Come to the overview, and wait until it listens."""
    with page.expect_response(LISTENING):
        sign_in(page, demo, "customer-ask")
    page.evaluate("window.kept = 1")


def test_a_request_and_an_end_show_within_a_second_without_asking(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        overview(page, named_demo)
        looks: list[str] = []
        page.on("request", lambda request: looks.append(request.url) if "/account/live" in request.url else None)

        def ask() -> float:
            began = time.monotonic()
            asked = visits.ask(named_demo)
            answer = page.locator(f"[data-key='answer-{asked.id}']")
            answer.wait_for(timeout=PATIENCE)
            return time.monotonic() - began

        assert quickest(ask) < SECOND

        def end() -> float:
            asked = visits.ask(named_demo)
            post(named_demo, "customer-ask", f"{asked.id}/consent", decision="approve")
            running = page.locator(f"[data-key='end-{asked.id}']")
            running.wait_for(timeout=PATIENCE)
            began = time.monotonic()
            post(named_demo, "agent", f"{asked.id}/end")
            running.wait_for(state="detached", timeout=PATIENCE)
            return time.monotonic() - began

        assert quickest(end) < SECOND
        assert looks == [], "nobody asked"
        assert page.evaluate("window.kept") == 1, "nothing was loaded anew"


def test_a_page_that_may_not_listen_asks(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        tries: list[str] = []

        def refuse(route: Route) -> None:
            tries.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "5"})

        page.route(LISTENING, refuse)
        sign_in(page, named_demo, "customer-ask")
        asked = visits.ask(named_demo)
        expect(page.locator(f"[data-key='answer-{asked.id}']")).to_be_visible(timeout=PATIENCE)
        expect(page.locator("[data-live-url]")).to_be_hidden()
        assert len(tries) == 1, "who was refused does not press"


def test_a_stream_that_breaks_off_is_taken_up_again(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        tries: list[str] = []

        def break_off(route: Route) -> None:
            tries.append(route.request.url)
            if len(tries) > 1:
                route.continue_()
            else:
                route.fulfill(status=200, content_type="text/event-stream", body="retry: 1000\n\n")

        page.route(LISTENING, break_off)
        with page.expect_request(lambda request: "/account/stream" in request.url and bool(tries), timeout=PATIENCE):
            sign_in(page, named_demo, "customer-ask")
        asked = visits.ask(named_demo)
        expect(page.locator(f"[data-key='answer-{asked.id}']")).to_be_visible(timeout=PATIENCE)


def test_nothing_moves_under_a_finger_and_no_number_is_lost(chromium: Browser, named_demo: Demo) -> None:
    """A second request arrives while the customer presses the number of the first."""
    with opened(chromium) as page:
        with page.expect_response(LISTENING):
            number = visits.asked_for_consent(page, named_demo)
        button = page.get_by_role("button", name=number)
        button.focus()
        page.evaluate("window.numbers = [...document.querySelectorAll('button.number')]")
        with page.expect_response("**/account/requests/*"):
            visits.ask(named_demo)
        page.wait_for_timeout(200)
        assert page.evaluate("window.numbers.every((each) => each.isConnected)"), "what is the same is not touched"
        assert page.evaluate("document.activeElement.value") == number
        button.hover()
        page.mouse.down()
        with page.expect_response("**/account/requests/*"):
            page.evaluate("document.querySelector('[data-live] .hint').dataset.other = 'yes'")
            visits.ask(named_demo)
        page.wait_for_timeout(200)
        assert page.evaluate("window.numbers.every((each) => each.isConnected)"), "not while it is pressed"
        page.mouse.up()
        expect(page.get_by_role("heading", name="You have allowed it")).to_be_visible(timeout=PATIENCE)


def test_what_is_typed_and_chosen_outlives_a_renewal(chromium: Browser, named_demo: Demo) -> None:
    """The pages have no such field in a living part; one that gets one keeps what a person did there."""
    with opened(chromium) as page:
        overview(page, named_demo)
        page.evaluate(
            """() => {
              const fields = '<input id="words"><input type="checkbox" id="tick" value="a">'
                + '<select id="pick"><option>1</option><option>2</option></select>';
              const add = (root) => root.querySelector('#lately-list').insertAdjacentHTML('beforeend', fields);
              add(document);
              const parse = DOMParser.prototype.parseFromString;
              DOMParser.prototype.parseFromString = function (...given) {
                const found = parse.apply(this, given);
                add(found);
                found.querySelector('#lately-list').append('renewed');
                return found;
              };
            }"""
        )
        page.locator("#tick").check()
        page.locator("#pick").select_option("2")
        page.locator("#words").fill("half a sen")
        visits.ask(named_demo)
        expect(page.locator("#lately-list")).to_contain_text("renewed", timeout=PATIENCE)
        expect(page.locator("#words")).to_have_value("half a sen")
        expect(page.locator("#words")).to_be_focused()
        expect(page.locator("#tick")).to_be_checked()
        expect(page.locator("#pick")).to_have_value("2")
