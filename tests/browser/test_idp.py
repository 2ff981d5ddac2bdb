"""Signing in and out by way of an IdP with a real browser: its form rules must not stop what leads elsewhere."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.cli.test_demo import started


def test_a_person_signs_in_at_the_idp_and_out_again(chromium: Browser, tmp_path: Path) -> None:
    with started(tmp_path / "demo", 0, "--with-idp") as running:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{running.issuer}/account")
        page.get_by_role("button", name="Sign in with the demo's IdP").click()
        page.get_by_role("button", name="lead@example.com").click()
        page.wait_for_url(f"{running.issuer}/account")
        assert page.get_by_role("heading", level=1).inner_text() == "Your account"
        page.get_by_role("link", name="Sign out").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/oauth2/end_session?**")
        page.get_by_role("button").first.click()
        page.get_by_role("heading", name="You are signed out").wait_for()
        assert page.url.startswith(f"{running.issuer}/logout/callback?state=")
        page.goto(f"{running.issuer}/account")
        assert "/login" in page.url
        context.close()
