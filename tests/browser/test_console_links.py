"""A link in a page elsewhere, as a browser follows it: the agent is asked before a customer is looked up."""

from playwright.sync_api import Browser, expect

from tests.browser import console_visits as console
from tests.browser.chromium import opened
from tests.conftest import Demo

CRM = "http://crm.example/"


def test_link_of_an_unknown_page_is_one_click_more_and_no_field(chromium: Browser, demo: Demo) -> None:
    customer = demo.credentials["users"]["customer"]["id"]
    address = f"{demo.credentials['console']}/start?subject={customer}&ticket=BANK-1"
    with opened(chromium) as page:
        console.enter(page, demo)
        page.get_by_role("combobox").wait_for()
        page.route(CRM, lambda route: route.fulfill(content_type="text/html", body=f'<a href="{address}">Open</a>'))
        page.goto(CRM)
        page.get_by_role("link", name="Open").click()
        page.get_by_role("heading", name="Look up this customer?").wait_for()
        expect(page.get_by_role("heading", name="Casey Customer")).to_have_count(0)
        page.get_by_text(customer).wait_for()
        page.get_by_role("link", name="Look up").click()
        expect(page.get_by_label("Ticket")).to_have_value("BANK-1")
