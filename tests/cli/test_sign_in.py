"""What a deployment needs for people to sign in, by commands alone: a password, and a client of each kind."""

from collections.abc import Callable

import pytest
from click.testing import Result

from authserver.storage import accounts
from tests.signing_in import BrowserOf, redeem
from tests.world import API, World

Command = Callable[..., Result]
STRONG = "seven purple horses decline gently"


def test_person_signs_in_with_the_password_that_was_set(world: World, command: Command) -> None:
    user = world.credentials["users"]["customer"]
    held = world.token("customer")
    assert command(world, "users", "set-password", user["username"], "--password", STRONG).exit_code == 0
    assert world.events("credential:changed")[-1]["by"] == "cli"
    assert world.introspect(held) == {"active": False}
    assert BrowserOf(world).sign_in("customer").status_code == 400
    user["password"] = STRONG
    assert BrowserOf(world).sign_in("customer").status_code == 303


def test_weak_password_is_refused_with_advice_and_changes_nothing(world: World, command: Command) -> None:
    before = stored(world)
    refused = command(world, "users", "set-password", "customer@example.com", "--password", "casey2026")
    assert refused.exit_code == 1
    assert "too easy to guess" in refused.output
    assert stored(world) == before


def stored(world: World) -> str | None:
    with world.work() as work:
        return accounts.password_hash(work.session, world.id("customer"))


def test_public_client_signs_people_in(world: World, command: Command) -> None:
    created = command(
        *(world, "clients", "create", "app", "--auth-method", "none", "--grants", "authorization_code refresh_token"),
        *("--scopes", "openid accounts:read", "--default-resources", API, "--first-party"),
        *("--redirect-uris", "http://127.0.0.1/callback com.example.app:/callback"),
    )
    assert (created.exit_code, created.stdout) == (0, "")
    browser = BrowserOf(world)
    browser.sign_in("customer")
    code = browser.code(client_id="app")
    assert redeem(world, code, "app").status_code == 200


@pytest.mark.parametrize(
    "words",
    [
        ("--auth-method", "none", "--grants", "client_credentials"),
        ("--redirect-uris", "http://shop.example.com/callback"),
        ("--redirect-uris", "https://shop.example.com/callback#part"),
        ("--redirect-uris", "javascript:alert"),
        ("--post-logout-redirect-uris", "/relative"),
    ],
)
def test_client_that_would_be_unsafe_is_refused(world: World, command: Command, words: tuple[str, ...]) -> None:
    refused = command(world, "clients", "create", "app", *words)
    assert refused.exit_code == 1
    assert command(world, "clients", "show", "app").exit_code == 1
