"""Many people at once: every row is taken whole or not at all, every bad one is named, and twice is as once."""

from functools import partial
from typing import Any

import pytest

from authserver.protocol.names import Role
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, statuses
from tests.world import Answer, World

IMPORT = "/api/v1/users/import"
NOVA = {"username": "nova@corp.example", "name": "Nova", "roles": "support, lead", "country": "NO"}
CLEO = {"username": "cleo@example.com", "roles": ["customer"], "email_verified": "true", "time_zone": "Europe/Oslo"}


def take(world: World, *rows: dict[str, Any], dry_run: bool = False, who: str = "admin") -> Answer:
    answer = world.api("POST", IMPORT, who, json={"rows": list(rows), "dry_run": dry_run})
    assert answer.status_code == 200, answer.text
    return answer


def actions(answer: Answer) -> list[str]:
    return [row["action"] for row in answer.json["rows"]]


def found(world: World, username: str) -> dict[str, Any]:
    [item] = world.api("GET", "/api/v1/users", "admin", query_string={"q": username}).json["items"]
    return dict(item)


def test_preview_says_what_would_become_of_each_row_and_writes_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    before, events = world.api("GET", "/api/v1/users", "admin").json, len(world.events())
    rows = [NOVA, {"username": "vip@example.com", "tier": "vip"}, {"username": "vip@example.com"}, {"name": "?"}]
    answer = take(world, *rows, {"username": "customer@example.com", "tier": "gold"}, dry_run=True)
    assert actions(answer) == ["create", "unchanged", "error", "error", "change"]
    assert answer.json["counts"] == {"create": 1, "change": 1, "unchanged": 1, "error": 2}
    assert [row["line"] for row in answer.json["rows"]] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in answer.json["rows"][:2]] == [None, world.id("vip")]
    assert (world.api("GET", "/api/v1/users", "admin").json, len(world.events())) == (before, events)


def test_good_rows_are_taken_and_bad_ones_named(make_world: MakeWorld) -> None:
    world = make_world()
    bad = {"username": "no body", "country": "Sweden", "roles": "king", "tier": "A B", "shoe size": "forty-four"}
    answer = take(world, NOVA, bad, CLEO)
    assert actions(answer) == ["create", "error", "create"]
    named = {(entry["field"], entry["problem"].split()[0]) for entry in answer.json["rows"][1]["errors"]}
    assert {field for field, _ in named} == {"username", "country", "roles", "tier", "(unknown)"}
    assert not [value for value in (*bad.values(), "shoe size") if value in answer.text]
    cleo = found(world, "cleo")
    assert cleo | {"roles": ["customer"], "email_verified": True, "time_zone": "Europe/Oslo"} == cleo
    assert (cleo["population"], found(world, "nova")["roles"]) == ("customers", ["support", "lead"])
    [event] = world.events("users:imported")
    counts = {"rows": 3, "created": 2, "changed": 0, "unchanged": 0, "refused": 1}
    assert event | counts | {"by": world.id("admin")} == event
    created = [event for event in world.events("user:changed") if event["by"] == world.id("admin")]
    assert [event["action"] for event in created] == ["created", "created"]


def test_same_rows_again_change_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    rows = (NOVA, CLEO, {"username": "vip@example.com", "email": "v@example.com", "email_verified": "yes"})
    assert actions(take(world, *rows)) == ["create", "create", "change"]
    assert actions(take(world, *rows)) == ["unchanged"] * 3
    assert found(world, "vip@example.com")["email_verified"] is True


def test_empty_cell_leaves_what_stands(world: World) -> None:
    row = {"username": "agent@example.com", "name": "", "roles": "", "groups": "", "email": "", "tier": ""}
    before = found(world, "agent@example.com")
    assert actions(take(world, row)) == ["unchanged"]
    assert found(world, "agent@example.com") == before


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"username": "admin@example.com", "roles": "auditor"}, "username"),
        ({"username": "admin@example.com", "groups": "break-glass"}, "username"),
        ({"username": "agent@example.com", "population": "customers"}, "population"),
        ({"username": "customer@example.com", "roles": "admin"}, "roles"),
        ({"username": "new", "roles": "customer admin"}, "roles"),
        ({"username": "new", "population": "kings"}, "population"),
        ({"username": "new", "population": ["staff"]}, "population"),
        ({"username": "new", "conflicts": "nobody"}, "conflicts"),
        ({"username": "new", "email_verified": "perhaps"}, "email_verified"),
        ({"username": "new", "name": ["a"]}, "name"),
        ({"username": "new", "name": True}, "name"),
        ({"username": "new", "roles": True}, "roles"),
        ({"username": "new", "enabled": False}, "(unknown)"),
        ({"username": "new", "id": "usr_1"}, "(unknown)"),
        ({"username": "new", "password": "mine"}, "(unknown)"),
        ({"username": ["new"]}, "username"),
        ({"username": "usr_1"}, "username"),
    ],
    ids=repr,
)
def test_row_that_cannot_be_is_named_and_not_taken(world: World, row: dict[str, Any], field: str) -> None:
    before = world.api("GET", "/api/v1/users", "admin").json
    for dry_run in (True, False):
        [outcome] = take(world, row, dry_run=dry_run).json["rows"]
        assert (outcome["action"], [entry["field"] for entry in outcome["errors"]]) == ("error", [field])
    assert world.api("GET", "/api/v1/users", "admin").json == before


@pytest.mark.parametrize("body", [{"rows": []}, {"rows": [{}] * 201}, {"rows": [{"name": 1}]}, {"rows": ["x"]}, {}])
def test_what_are_no_rows_is_refused(world: World, body: dict[str, Any]) -> None:
    assert world.api("POST", IMPORT, "admin", json=body).status_code == 400


def test_admins_who_import_at_once_make_everybody_once(make_world: MakeWorld) -> None:
    world = make_world()
    add_person(world, "admin2", Role.ADMIN)
    rows = [{"username": f"new{number}"} for number in range(8)]
    known = [{"username": f"{key}@example.com", "country": "NO"} for key in ("agent", "agent2", "lead", "vip")]
    calls = [partial(take, who="admin"), partial(take, who="admin2")]
    forward, backward = [*known, *rows], [*reversed(rows), *reversed(known)]
    answers = at_once(world, lambda own: calls[0](own, *forward), lambda own: calls[1](own, *backward))
    assert statuses(answers) == [200, 200]
    assert sorted(actions(answers[0]) + actions(answers[1])).count("create") == len(rows)
    assert len(world.api("GET", "/api/v1/users", "admin", query_string={"q": "new"}).json["items"]) == len(rows)
