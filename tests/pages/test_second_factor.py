"""`/login/factor`: an authenticator app's code or a recovery code, after the password and never without it."""

import pytest

from tests.signing_in import BrowserOf, new_app, new_recovery_codes, stranger_reasons
from tests.world import World


def code_of(world: World, how: str) -> str:
    """Return a code of the agent's second factor, as a person types it."""
    if how == "recovery":
        new_app(world)
        return new_recovery_codes(world)[0].lower()
    app, clock = new_app(world), world.clock
    digits = app.at(clock.now())
    return f" {digits[:3]} {digits[3:]} " if how == "spaced" else digits


@pytest.mark.parametrize(("how", "amr"), [("totp", "otp"), ("spaced", "otp"), ("recovery", "rc")])
def test_the_second_factor_is_asked_after_the_password(world: World, how: str, amr: str) -> None:
    code, browser = code_of(world, how), BrowserOf(world)
    second = browser.sign_in()
    assert (second.headers["Location"], browser.cookie()) == ("/login/factor", None)
    shown = browser.follow(second)
    wrong = browser.submit(shown, "/login/factor", code="000000")
    assert (wrong.status_code, browser.cookie()) == (400, None)
    assert "is not right" in wrong.text
    assert browser.submit(shown, "/login/factor", code=code).headers["Location"] == "/account"
    assert world.events("session:started")[-1]["amr"] == ["pwd", amr, "mfa"]
    again = BrowserOf(world)
    used = again.submit(again.follow(again.sign_in()), "/login/factor", code=code)
    assert (used.status_code, again.cookie()) == (400, None)


def test_the_second_factor_without_the_first_is_nothing(world: World) -> None:
    app, browser = new_app(world), BrowserOf(world)
    shown = browser.get("/login")
    answer = browser.submit(shown, "/login/factor", code=app.at(world.clock.now()))
    assert (answer.status_code, browser.cookie()) == (400, None)


def test_guessing_codes_is_slowed_down(world: World) -> None:
    new_app(world)
    browser = BrowserOf(world)
    shown = browser.follow(browser.sign_in())
    statuses = [browser.submit(shown, "/login/factor", code=f"{n:06}").status_code for n in range(8)]
    assert 429 in statuses
    assert set(statuses) <= {400, 429}
    assert "throttle.account" in stranger_reasons(world)
