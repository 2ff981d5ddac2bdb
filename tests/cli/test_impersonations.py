"""`authserver impersonations`: what is ended on the command line is dead at the next introspection."""

from collections.abc import Callable

import pytest
from click.testing import Result

from tests.world import World, error

Command = Callable[..., Result]


def test_impersonation_that_the_operator_ends_is_dead_at_once(
    make_world: Callable[..., World], command: Command
) -> None:
    world = make_world()
    started, other = world.way_a(), world.way_a(target="customer", reason="another")
    impersonation_id = started.json["impersonation_id"]
    result = command(world, "impersonations", "end", impersonation_id)
    assert (result.exit_code, result.stdout) == (0, f"Ended {impersonation_id}; its tokens are dead.\n")
    assert world.introspect(started.json["access_token"]) == {"active": False}
    assert error(world.way_c(started.json["impersonation"])) == "access_denied"
    assert world.introspect(other.json["access_token"])["active"]
    (ended,) = world.events("impersonation:ended", impersonation_id)
    assert (ended["state"], ended["ended_by"], ended["end_reason"]) == ("ended", "cli", "operator")


def test_what_waits_for_a_decision_can_be_ended_too(world: World, command: Command) -> None:
    waiting = world.way_a(target="customer-ask")
    assert command(world, "impersonations", "end", waiting.json["impersonation_id"]).exit_code == 0
    assert error(world.way_c(waiting.json["impersonation"])) == "access_denied"


def test_impersonation_that_is_not_open_or_not_there_is_exit_1(world: World, command: Command) -> None:
    impersonation_id = world.way_a().json["impersonation_id"]
    command(world, "impersonations", "end", impersonation_id)
    again = command(world, "impersonations", "end", impersonation_id)
    assert again.exit_code == 1
    assert again.stderr == f"Error: {impersonation_id} is not open: it is ended (operator)\n"
    unknown = command(world, "impersonations", "end", "imp_unknown")
    assert unknown.exit_code == 1
    assert "imp_unknown: no such impersonation" in unknown.stderr
    assert len(world.events("impersonation:ended")) == 1


def test_all_of_them_end_together_when_it_is_confirmed(make_world: Callable[..., World], command: Command) -> None:
    world = make_world()
    tokens = [world.way_a(reason=reason).json["access_token"] for reason in ("one", "two")]
    waiting = world.way_a("agent2", "customer-ask")
    result = command(world, "impersonations", "end", "--all", answer="y\n")
    assert result.exit_code == 0
    assert "Ended 3 impersonations." in result.stdout
    assert [world.introspect(token) for token in tokens] == [{"active": False}] * 2
    assert error(world.way_c(waiting.json["impersonation"], "agent2")) == "access_denied"
    assert {event["ended_by"] for event in world.events("impersonation:ended")} == {"cli"}
    assert command(world, "impersonations", "end", "--all", "--yes").stdout == "Ended 0 impersonations.\n"


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_all_of_them_go_on_when_it_is_not_confirmed(world: World, command: Command, answer: str) -> None:
    token = world.way_a().json["access_token"]
    assert command(world, "impersonations", "end", "--all", answer=answer).exit_code == 1
    assert world.introspect(token)["active"]


@pytest.mark.parametrize("arguments", [(), ("imp_1", "--all"), ("imp_1", "--all", "--yes")])
def test_either_one_or_all_is_named(world: World, command: Command, arguments: tuple[str, ...]) -> None:
    result = command(world, "impersonations", "end", *arguments)
    assert result.exit_code == 2
    assert "name one impersonation, or give --all" in result.stderr


def test_list_is_newest_first_and_can_be_cut_by_state_and_number(world: World, command: Command) -> None:
    ids = []
    for target in ("customer", "customer-ask", "vip"):
        ids.append(world.way_a(target=target).json["impersonation_id"])
        world.clock.pass_(1)
    command(world, "impersonations", "end", ids[0])

    def listed(*options: str) -> list[str]:
        lines = command(world, "impersonations", "list", *options).stdout.splitlines()
        assert lines[0].startswith("ID")
        return [line.split()[0] for line in lines[1:]]

    assert listed() == ids[::-1]
    assert listed("--limit", "1") == ids[2:]
    assert listed("--state", "ended") == ids[:1]
    assert listed("--state", "ended", "--state", "awaiting_approval") == [ids[2], ids[0]]
    line = command(world, "impersonations", "list", "--state", "ended").stdout.splitlines()[1]
    for words in ("ended", "read_only", "Avery Agent", "Casey Customer", "backend", "operator"):
        assert words in line


def test_reports_that_are_owed_are_listed_until_they_are_filed(world: World, command: Command) -> None:
    assert command(world, "impersonations", "owed").stdout.split() == ["ID", "ACTOR", "SINCE", "DUE"]
    owed = world.way_a("lead", "vip", override="break_glass").json["impersonation_id"]
    row = command(world, "impersonations", "owed").stdout.splitlines()[1]
    assert row.split() == [owed, "Lee", "Lead", "2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z"]
    world.clock.pass_(86_401)
    assert command(world, "impersonations", "owed").stdout.splitlines()[1].endswith("overdue")
    world.clock.pass_(-86_401)
    world.end(owed, "lead")
    told = {"report": "The branch burned, and the customer was in it without a card."}
    assert world.api("POST", f"/api/v1/impersonations/{owed}/report", "lead", json=told).status_code == 200
    assert owed not in command(world, "impersonations", "owed").stdout
