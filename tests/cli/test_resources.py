"""`authserver resources`, and a deployment that is made from nothing by the command line alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from authserver.app import create_app
from authserver.cli.db import migrate
from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS
from tests.world import API, ISSUER, HandClock, World, error, settings_for

Command = Callable[..., Result]
LOANS = "https://loans.example.com"


def lines_of(world: World, command: Command, uri: str) -> list[list[str]]:
    lines = command(world, "resources", "list").stdout.splitlines()
    return [line.split()[1:] for line in lines if line.split()[0] == uri]


def test_deployment_is_made_from_nothing_by_commands_alone(tmp_path: Path, command: Command) -> None:
    url = f"sqlite:///{tmp_path / 'authserver.sqlite3'}"
    settings = settings_for(url, tmp_path)
    migrate(settings.database)
    clock = HandClock()
    world = World(create_app(settings, clock), clock, {"clients": {}, "users": {}})
    steps: tuple[tuple[str, ...], ...] = (
        ("keys", "rotate"),
        ("clients", "create", "loans-api"),
        ("resources", "register", LOANS, "--owner", "loans-api", "--subject-identifier", "username"),
        ("resources", "scope", LOANS, "loans:read", "--access", "read", "--roles", "customer"),
        ("resources", "scope", LOANS, "loans:repay", "--access", "write", "--non-delegable", "--roles", "customer"),
        ("clients", "create", "crm", "--grants", "client_credentials", "--scopes", "loans:read"),
        ("clients", "set", "crm", "--default-resources", LOANS),
        ("users", "create", "cleo", "--roles", "customer"),
    )
    for step in steps:
        result = command(world, *step)
        assert result.exit_code == 0, result.output
        if step[:2] == ("clients", "create"):
            world.credentials["clients"][step[2]] = {"client_secret": result.stdout.strip()}
    shown = world.introspect(world.client_token("crm"), "loans-api")
    assert (shown["active"], shown["aud"], shown["scope"], shown["iss"]) == (True, LOANS, "loans:read", ISSUER)
    assert [event["action"] for event in world.events("resource:changed")] == [
        *("registered", "scope_registered", "scope_registered")
    ]
    world.close()


def test_registered_resource_is_a_target_with_the_profile_that_was_given(world: World, command: Command) -> None:
    options = ("--owner", "resource-server", "--subject-identifier", "email", "--extra-claims", "name tier")
    command(world, "resources", "register", LOANS, *options)
    command(world, "resources", "scope", LOANS, "loans:read", "--access", "read", "--roles", "customer")
    command(world, "clients", "set", "backend", "--scopes", "loans:read accounts:read")
    answer = world.way_a(resource=LOANS)
    shown = world.introspect(answer.json["access_token"])
    assert (shown["aud"], shown["scope"]) == (LOANS, "loans:read")
    assert (shown["sub"], shown["name"], shown["tier"]) == ("customer@example.com", "Casey Customer", "standard")
    assert "reason" not in shown["impersonation"]
    command(world, "resources", "set", LOANS, "--reason-visible", "--no-reason-visible", "--reason-visible")
    shown = world.introspect(answer.json["access_token"])
    assert shown["impersonation"]["reason"] == "a wrong balance"


def test_changing_one_thing_leaves_the_rest(world: World, command: Command) -> None:
    assert command(world, "resources", "set", API, "--name", "Accounts and cards").exit_code == 0
    shown = world.introspect(world.way_a().json["access_token"])
    assert shown["impersonation"]["reason"] == "a wrong balance"
    assert shown["sub"] == world.id("customer")


def test_owner_that_is_taken_away_no_longer_introspects(world: World, command: Command) -> None:
    token = world.way_a().json["access_token"]
    assert world.introspect(token)["active"]
    command(world, "resources", "set", API, "--owner", "")
    assert world.introspect(token) == {"active": False}
    command(world, "resources", "set", API, "--owner", "other-backend")
    assert world.introspect(token, "other-backend")["active"]


def test_scope_is_given_anew_whole_and_taken_from_the_roles_that_are_not_named(world: World, command: Command) -> None:
    assert world.way_a().json["scope"] == "accounts:read"
    result = command(world, "resources", "scope", API, "accounts:read", "--access", "read")
    assert result.stdout == f"{API} has the scope accounts:read: read, for nobody yet.\n"
    assert error(world.way_a(reason="two")) == "invalid_scope"
    command(world, "resources", "scope", API, "accounts:read", "--access", "read", "--roles", "customer")
    assert world.way_a(reason="three").json["scope"] == "accounts:read"
    command(
        world, "resources", "scope", API, "accounts:read", "--access", "read", "--non-delegable", "--roles", "customer"
    )
    assert error(world.way_a(reason="four")) == "invalid_scope"
    assert ["accounts:read", "read,", "never", "delegated", "customer", "resource-server"] in lines_of(
        world, command, API
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("register", "nonsense"), "must be an absolute URI"),
        (("register", "https://a.example/#x"), "must be an absolute URI"),
        (("register", "https://a.example/" + "x" * 500), "must be an absolute URI"),
        (("register", API), "is registered already"),
        (("register", ISSUER), "is registered already"),
        (("register", LOANS, "--owner", "nobody"), "--owner: nobody is not registered"),
        (("register", LOANS, "--extra-claims", "password"), "'password' is not one of"),
        (("register", LOANS, "--subject-identifier", "name"), "'name' is not one of"),
        (("set", LOANS, "--name", "Loans"), f"{LOANS}: no such resource"),
        (("set", API), "nothing to change was given"),
        (("set", ISSUER, "--name", "Mine"), "is this server itself"),
        (("scope", LOANS, "loans:read", "--access", "read"), f"{LOANS}: no such resource"),
        (("scope", ISSUER, "impersonate", "--access", "write"), "is this server itself"),
        (("scope", API, "impersonate", "--access", "write"), "impersonate belongs to another resource"),
        (("scope", API, "payments:read", "--access", "read"), "payments:read belongs to another resource"),
        (("scope", API, "a b", "--access", "read"), "is no scope"),
        (("scope", API, "", "--access", "read"), "is no scope"),
        (("scope", API, 'a"b', "--access", "read"), "is no scope"),
        (("scope", API, "x" * 129, "--access", "read"), "is no scope"),
        (("scope", API, "loans:read", "--access", "read", "--roles", "king"), "'king' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    world: World, command: Command, arguments: tuple[str, ...], words: str
) -> None:
    before, events = command(world, "resources", "list").stdout, world.events("resource:changed")
    result = command(world, "resources", *arguments)
    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert command(world, "resources", "list").stdout == before
    assert world.events("resource:changed") == events


def test_client_without_anything_cannot_ask_for_a_token(world: World, command: Command) -> None:
    result = command(world, "clients", "create", "crm", "--grants", "client_credentials")
    world.credentials["clients"]["crm"] = {"client_secret": result.stdout.strip()}
    assert error(world.post("/oauth/token", {"grant_type": GRANT_CLIENT_CREDENTIALS}, client="crm")) == "invalid_target"
