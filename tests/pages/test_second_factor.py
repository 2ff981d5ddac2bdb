"""`/login/factor`: an authenticator app's code or a recovery code, after the password and never without it."""

import pytest

from authserver.storage import accounts
from authserver.storage.accounts import StoredPasskey
from tests.conftest import MakeWorld
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


def new_passkey(world: World) -> None:
    """Give the agent a passkey, which this test does not use."""
    passkey = StoredPasskey("credential", world.id("agent"), "key", 0, "A phone", world.clock.now(), None)
    with world.work() as work:
        work.lock()
        assert accounts.add_passkey(work.session, passkey)


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


@pytest.mark.parametrize(
    ("has", "shown"), [("app", {"code"}), ("app and codes", {"code", "recovery"}), ("passkey", {"passkey"})]
)
def test_only_what_the_person_has_is_asked_for(make_sqlite_world: MakeWorld, has: str, shown: set[str]) -> None:
    world = make_sqlite_world(server={"issuer": "https://login.example.com"})
    if has == "passkey":
        new_passkey(world)
    else:
        new_app(world)
    if has == "app and codes":
        new_recovery_codes(world)
    browser = BrowserOf(world)
    page = browser.follow(browser.sign_in()).text
    marks = {"code": 'id="code"', "recovery": 'id="recovery"', "passkey": "data-passkey="}
    assert {name for name, mark in marks.items() if mark in page} == shown


def test_a_wrong_recovery_code_leaves_its_field_open(world: World) -> None:
    new_app(world)
    new_recovery_codes(world)
    browser = BrowserOf(world)
    asked = browser.follow(browser.sign_in())
    assert "<details" in asked.text
    assert " open>" not in asked.text
    wrong = browser.submit(asked, "/login/factor", code="WRONG", kind="recovery")
    assert (wrong.status_code, " open>" in wrong.text) == (400, True)
