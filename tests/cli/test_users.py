"""`authserver users`: whoever is changed or stopped on the command line is so at the next request."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from authserver.storage import people
from authserver.storage.tables import Session
from tests.world import World, error

Command = Callable[..., Result]


def shown(world: World, command: Command, user: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(world, "users", "show", user).stdout)
    return found


def changes_of(world: World, user_id: str) -> list[dict[str, Any]]:
    return [event for event in world.events("user:changed") if event["user_id"] == user_id and event["by"] == "cli"]


# --- create, show, list, set


def test_created_customer_is_a_target_by_the_id_that_was_printed(world: World, command: Command) -> None:
    result = command(world, "users", "create", "cleo@example.com", "--roles", "customer", "--country", "NO")
    assert (result.exit_code, len(result.stdout.split())) == (0, 1), result.stderr
    user_id = result.stdout.strip()
    assert user_id.startswith("usr_")
    assert error(world.way_a(target=user_id)) == "consent_required"
    kept = shown(world, command, "cleo@example.com")
    assert kept == shown(world, command, user_id)
    expected = {"id": user_id, "username": "cleo@example.com", "population": "customers", "roles": ["customer"]}
    assert kept | expected == kept
    assert (kept["country"], kept["enabled"], kept["signed_in_at"]) == ("NO", True, None)


def test_address_is_verified_only_by_word_and_only_while_it_stays(world: World, command: Command) -> None:
    def verified() -> object:
        return shown(world, command, "cleo")["email_verified"]

    command(world, "users", "create", "cleo", "--roles", "customer", "--email", "cleo@example.com", "--email-verified")
    assert verified() is True
    command(world, "users", "set", "cleo", "--email", "cleo@example.com", "--tier", "vip")
    assert verified() is True
    command(world, "users", "set", "cleo", "--email", "other@example.com")
    assert verified() is False
    command(world, "users", "set", "cleo", "--email-verified")
    assert verified() is True
    command(world, "users", "set", "cleo", "--no-email-verified")
    assert verified() is False


def test_how_a_customers_device_looks_is_set_and_taken_away(world: World, command: Command) -> None:
    options = ("--locale", "sv-SE", "--time-zone", "Europe/Stockholm", "--appearance", "dark", "--app-version", "7.4.1")
    assert command(world, "users", "set", "vip@example.com", *options).exit_code == 0
    kept = shown(world, command, "vip@example.com")
    assert [kept[name] for name in ("locale", "time_zone", "appearance", "app_version")] == list(options[1::2])
    command(world, "users", "set", "vip@example.com", "--appearance", "", "--locale", "")
    kept = shown(world, command, "vip@example.com")
    assert (kept["appearance"], kept["locale"], kept["app_version"]) == ("", "", "7.4.1")


def test_trail_has_the_roles_that_were_given_but_nothing_personal(world: World, command: Command) -> None:
    options = ("--roles", "support", "--name", "Nova Newcomer", "--email", "nova@corp.example")
    user_id = command(world, "users", "create", "nova", *options).stdout.strip()
    command(world, "users", "set", "nova", "--name", "Nora Newcomer", "--roles", "lead")
    first, second = changes_of(world, user_id)
    assert (first["action"], first["changes"]["roles"]) == ("created", ["support"])
    assert (second["action"], second["changes"]) == ("changed", {"fields": ["name", "roles"], "roles": ["lead"]})
    assert "Newcomer" not in str(world.events())
    assert "corp.example" not in str(world.events())


@pytest.mark.parametrize(
    ("username", "options", "words"),
    [
        ("agent@example.com", (), "there is such a user already"),
        ("usr_1", (), "does not begin with usr_"),
        ("a b", (), "without spaces"),
        ("x" * 256, (), "without spaces"),
        ("new", ("--roles", "support customer"), "the two populations never mix"),
        ("new", ("--roles", "customer", "--population", "staff"), "the two populations never mix"),
        ("new", ("--roles", "lead", "--population", "customers"), "the two populations never mix"),
        ("new", ("--roles", "king"), "'king' is not one of support, lead, auditor, admin, customer"),
        ("new", ("--country", "Sweden"), "--country is two capital letters"),
        ("new", ("--tier", "a b"), "--tier is"),
        ("new", ("--name", ""), "--name has 1 to 255 characters"),
        ("new", ("--conflicts", "nobody"), "--conflicts: nobody is no user"),
        ("new", ("--name", "a\u202eb"), "--name has 1 to 255 characters"),
        ("new", ("--locale", "swedish"), "--locale is a language tag"),
        ("new", ("--time-zone", "Europe/Nowhere"), "--time-zone is an IANA time zone"),
        ("new", ("--appearance", "pink"), "'pink' is not one of"),
        ("new", ("--app-version", "1 2"), "--app-version is up to 64"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    world: World, command: Command, username: str, options: tuple[str, ...], words: str
) -> None:
    before = command(world, "users", "list").stdout
    result = command(world, "users", "create", username, *options)
    assert result.exit_code in {1, 2}
    assert result.stdout == ""
    assert words in result.stderr
    assert command(world, "users", "list").stdout == before
    assert not [event for event in world.events("user:changed") if event["by"] == "cli"]


def test_staff_stays_staff_whatever_roles_are_set(world: World, command: Command) -> None:
    assert "never mix" in command(world, "users", "set", "agent@example.com", "--roles", "customer").stderr
    assert "never mix" in command(world, "users", "set", "customer@example.com", "--roles", "admin").stderr
    assert shown(world, command, "agent@example.com")["roles"] == ["support"]


def test_role_that_was_taken_away_no_longer_starts_anything(world: World, command: Command) -> None:
    assert world.way_a().status_code == 200
    assert command(world, "users", "set", "agent@example.com", "--roles", "").exit_code == 0
    assert error(world.way_a("agent", "customer", reason="another")) == "access_denied"


def test_tier_that_was_set_wants_the_approval_that_it_stands_for(world: World, command: Command) -> None:
    assert world.way_a().status_code == 200
    command(world, "users", "set", "customer@example.com", "--tier", "vip")
    assert error(world.way_a(reason="another")) == "approval_required"


def test_conflicts_are_named_by_user_name_and_kept_by_id(world: World, command: Command) -> None:
    command(world, "users", "set", world.id("agent"), "--conflicts", "customer@example.com")
    assert shown(world, command, "agent@example.com")["conflicts"] == [world.id("customer")]
    assert error(world.way_a()) == "access_denied"
    assert world.way_a("agent2").status_code == 200


def test_list_has_everybody_and_whether_they_are_enabled(world: World, command: Command) -> None:
    lines = command(world, "users", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "USER", "NAME", "POPULATION", "ROLES", "ENABLED"]
    found = {line.split()[1]: line.split()[-1] for line in lines[1:]}
    assert len(found) == len(world.credentials["users"])
    assert (found["agent@example.com"], found["disabled@example.com"]) == ("yes", "no")


# --- disable, enable, end-sessions


@pytest.mark.parametrize(
    ("who", "others"), [("agent", ("agent2", "customer")), ("customer", ("agent2", "customer-ask"))]
)
def test_disabled_person_takes_every_impersonation_that_they_are_in_along(
    make_world: Callable[..., World], command: Command, who: str, others: tuple[str, str]
) -> None:
    world = make_world()
    active = world.way_a()
    waiting = world.way_a("agent", "customer-ask") if who == "agent" else world.way_a("agent2", mode="read_only")
    untouched = world.way_a(*others, reason="three")
    result = command(world, "users", "disable", f"{who}@example.com")
    assert result.exit_code == 0
    assert result.stdout == f"Disabled {who}@example.com: 1 session and 2 impersonations ended.\n"
    assert world.introspect(active.json["access_token"]) == {"active": False}
    assert world.introspect(world.token(who)) == {"active": False}
    for started in (active, waiting):
        (ended,) = world.events("impersonation:ended", started.json["impersonation_id"])
        assert ended["ended_by"] == "cli"
    assert not world.events("impersonation:ended", untouched.json["impersonation_id"])
    (changed,) = changes_of(world, world.id(who))
    assert changed["action"] == "disabled"
    (session,) = world.events("session:ended")
    assert (session["user_id"], session["by"]) == (world.id(who), "cli")


def test_disabled_person_is_refused_like_an_unknown_one(world: World, command: Command) -> None:
    command(world, "users", "disable", "customer@example.com")
    known, unknown = world.way_a(), world.way_a(target="usr_" + "0" * 32)
    assert (known.status_code, known.json) == (unknown.status_code, unknown.json)


def test_enabled_person_has_to_sign_in_again(make_world: Callable[..., World], command: Command) -> None:
    world = make_world()
    token = str(world.way_a().json["access_token"])
    command(world, "users", "disable", "agent@example.com")
    assert command(world, "users", "enable", "agent@example.com").stdout == "Enabled agent@example.com.\n"
    assert world.introspect(token) == {"active": False}
    assert world.introspect(world.token("agent")) == {"active": False}
    assert shown(world, command, "agent@example.com")["enabled"] is True
    assert [event["action"] for event in changes_of(world, world.id("agent"))] == ["disabled", "enabled"]


def test_disabling_and_enabling_twice_says_so(world: World, command: Command) -> None:
    assert "was disabled already" in command(world, "users", "disable", "disabled@example.com").stdout
    assert "was enabled already" in command(world, "users", "enable", "agent@example.com").stdout
    assert not [event for event in world.events("user:changed") if event["by"] == "cli"]


def test_ended_sessions_end_what_their_person_acts_in_and_nothing_else(
    make_world: Callable[..., World], command: Command
) -> None:
    world = make_world()
    acted = world.way_a()
    result = command(world, "users", "end-sessions", "customer@example.com")
    assert result.stdout == "customer@example.com: 1 session and 0 impersonations ended.\n"
    assert world.introspect(acted.json["access_token"])["active"]  # the customer's own session is not behind it
    assert world.introspect(world.token("customer")) == {"active": False}
    result = command(world, "users", "end-sessions", "agent@example.com")
    assert result.stdout == "agent@example.com: 1 session and 1 impersonation ended.\n"
    assert world.introspect(acted.json["access_token"]) == {"active": False}
    (ended,) = world.events("impersonation:ended", acted.json["impersonation_id"])
    assert (ended["ended_by"], ended["end_reason"]) == ("cli", "session_ended")
    assert len(world.events("session:ended")) == 2
    assert shown(world, command, "agent@example.com")["signed_in_at"] is None


def test_session_that_has_run_out_by_itself_is_not_ended_again(world: World, command: Command) -> None:
    with world.work() as work:
        work.lock()
        now, user_id = world.clock.now(), world.id("agent")
        old = Session(id="ses_old", user_id=user_id, acr="", amr=[], address="127.0.0.1", auth_time=now - 99)
        old.created_at, old.expires_at = now - 99, now
        people.add_session(work.session, old)
    assert "1 session" in command(world, "users", "end-sessions", "agent@example.com").stdout
    assert [event["session_id"] != "ses_old" for event in world.events("session:ended")] == [True]


@pytest.mark.parametrize("what", [["show"], ["set", "--name", "x"], ["disable"], ["enable"], ["end-sessions"]])
@pytest.mark.parametrize("user", ["nobody", "usr_nobody"])
def test_unknown_user_is_an_error_that_says_so(world: World, command: Command, what: list[str], user: str) -> None:
    result = command(world, "users", what[0], user, *what[1:])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {user}: no such user; see: authserver users list\n"
