"""The way in, for every visit."""

from playwright.sync_api import Page

from tests.conftest import Demo


def sign_in(page: Page, demo: Demo, who: str, path: str = "/account") -> None:
    """Sign in with the password; a second factor may be asked then."""
    person = demo.credentials["users"][who]
    page.goto(demo.issuer + path)
    page.get_by_label("Email or user name").fill(person["username"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Continue").click()
    page.wait_for_load_state()
