"""Resource servers and scopes changed through the API: what is delegated, who has it, and that the issuer stays."""

from typing import Any

import pytest

from authserver.app import prepare
from authserver.protocol.access import DIRECTORY_WRITE
from authserver.protocol.scopes import Scope
from authserver.storage import resources
from authserver.storage.database import db
from authserver.storage.tables import ScopeRow
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, statuses
from tests.world import API, ISSUER, PAYMENTS, Answer, World, error

RESOURCES = "/api/v1/resources"
LOANS = "https://loans.example.com"
READ: dict[str, Any] = {"name": "loans:read", "access": "read", "roles": ["customer"], "description": "See your loans"}


def register(world: World, uri: str = LOANS, **body: Any) -> Answer:
    return world.api("POST", RESOURCES, "admin", json={"uri": uri, **body})


def change(world: World, uri: str, **body: Any) -> Answer:
    return world.api("PATCH", RESOURCES, "admin", query_string={"uri": uri}, json=body)


def shown(world: World, uri: str) -> dict[str, Any]:
    [item] = world.api("GET", RESOURCES, "admin", query_string={"uri": uri}).json["items"]
    return dict(item)


def changes(world: World) -> list[dict[str, Any]]:
    return [event for event in world.events("resource:changed") if event["by"] == world.id("admin")]


def test_registered_resource_is_a_target_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    profile: dict[str, Any] = {
        "owner_client_id": "resource-server",
        "subject_identifier": "email",
        "extra_claims": ["tier"],
    }
    made = register(world, name="Loans", scopes=[READ], **profile)
    assert made.status_code == 201
    assert made.json == {
        **profile,
        "uri": LOANS,
        "name": "Loans",
        "reason_visible": False,
        "fixed": False,
        "scopes": [{**READ, "non_delegable": False}],
    }
    assert made.json == shown(world, LOANS)
    backend = {"scopes": ["loans:read", "accounts:read"]}
    assert world.api("PATCH", "/api/v1/clients/backend", "admin", json=backend).status_code == 200
    told = world.introspect(world.way_a(resource=LOANS).json["access_token"])
    assert (told["aud"], told["scope"], told["sub"]) == (LOANS, "loans:read", "customer@example.com")
    assert [event["action"] for event in changes(world)] == ["registered", "scope_registered"]


def test_scope_that_becomes_non_delegable_is_given_to_no_impersonation(world: World) -> None:
    assert world.way_a().json["scope"] == "accounts:read"
    scope = {"name": "accounts:read", "access": "read", "non_delegable": True, "roles": ["customer"]}
    assert change(world, API, scopes=[scope]).status_code == 200
    assert error(world.way_a(reason="two")) == "invalid_scope"
    told = {"scope": "accounts:read", "access": "read", "non_delegable": True, "roles": ["customer"]}
    assert (changes(world)[-1]["action"], changes(world)[-1]["changes"]) == ("scope_changed", told)
    assert {scope["name"] for scope in shown(world, API)["scopes"]} == {
        *("accounts:read", "cards:write", "contacts:write"),
    }


def test_role_that_is_not_named_loses_the_scope(world: World) -> None:
    assert change(world, API, scopes=[{"name": "accounts:read", "access": "read"}]).status_code == 200
    assert error(world.way_a()) == "invalid_scope"
    [scope] = [scope for scope in shown(world, API)["scopes"] if scope["name"] == "accounts:read"]
    assert scope["roles"] == []


def test_owner_that_is_taken_away_no_longer_introspects(world: World) -> None:
    token = world.way_a().json["access_token"]
    answer = change(world, API, owner_client_id=None)
    assert (answer.status_code, answer.json["owner_client_id"], answer.json["name"]) == (200, None, "Accounts")
    assert world.introspect(token) == {"active": False}


def test_roles_of_the_issuers_scopes_are_shown(world: World) -> None:
    issuer = shown(world, ISSUER)
    assert issuer["fixed"] is True
    [scope] = [scope for scope in issuer["scopes"] if scope["name"] == DIRECTORY_WRITE]
    assert (scope["roles"], scope["non_delegable"]) == (["admin"], True)


@pytest.mark.parametrize(
    "body", [{"name": "Mine"}, {"scopes": [READ]}, {"owner_client_id": "other-backend"}, {"reason_visible": True}]
)
def test_the_issuers_own_resource_is_not_changed(world: World, body: dict[str, Any]) -> None:
    before = shown(world, ISSUER)
    refused = change(world, ISSUER, **body)
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert shown(world, ISSUER) == before
    assert world.events("request:refused")[-1]["reason"] == "resources.issuer"


@pytest.mark.parametrize("uri", [API, ISSUER, f"{ISSUER}/", ISSUER.upper()])
def test_what_is_registered_or_looks_like_the_issuer_is_409(world: World, uri: str) -> None:
    refused = register(world, uri)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (409, "uri")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"uri": "nonsense"}, "uri"),
        ({"uri": f"{LOANS}/#part"}, "uri"),
        ({"owner_client_id": "nobody"}, "owner_client_id"),
        ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"scopes": [{**READ, "name": "impersonate"}]}, "scopes"),
        ({"scopes": [{**READ, "name": "directory:write"}]}, "scopes"),
        ({"scopes": [{**READ, "name": "openid"}]}, "scopes"),
        ({"scopes": [{**READ, "name": "payments:execute", "non_delegable": False}]}, "scopes"),
        ({"scopes": [{**READ, "name": "a b"}]}, "scopes"),
        ({"scopes": [{**READ, "name": 'a"b'}]}, "scopes"),
        ({"scopes": [READ, READ]}, "scopes"),
        ({"scopes": [{**READ, "description": "a\u202eb"}]}, "scopes"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused_and_nothing_is_written(world: World, body: dict[str, Any], field: str) -> None:
    before = world.api("GET", RESOURCES, "admin").json
    refused = register(world, **body)
    assert (refused.status_code, {entry["field"] for entry in refused.json["errors"]}) == (400, {field})
    if "uri" not in body:
        assert change(world, API, **body).status_code == 400
    assert world.api("GET", RESOURCES, "admin").json == before
    assert not changes(world)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fixed": False},
        {"name": None},
        {"scopes": [{"name": "a:read"}]},
        {"scopes": [{**READ, "roles": ["king"]}]},
        {"scopes": [{**READ, "resource_uri": PAYMENTS}]},
        {"extra_claims": ["password"]},
        {"subject_identifier": "name"},
    ],
    ids=repr,
)
def test_what_nobody_may_set_is_refused(world: World, body: dict[str, Any]) -> None:
    assert change(world, API, **body).status_code == 400


def test_unknown_resource_is_404(make_world: MakeWorld) -> None:
    world = make_world()
    for uri in (LOANS, "x", "https://api.example.com/"):
        assert change(world, uri, name="Mine").status_code == 404
    assert world.api("GET", RESOURCES, "admin", query_string={"uri": LOANS}).json == {"items": []}


def test_one_of_many_registers_a_resource_and_a_scope(make_world: MakeWorld) -> None:
    world = make_world()
    answers = at_once(world, *[lambda own: register(own, scopes=[READ])] * 4)
    assert statuses(answers) == [201, 409, 409, 409]
    others = [f"https://loans{number}.example.com" for number in range(4)]
    scope = {**READ, "name": "offers:read"}
    answers = at_once(world, *[lambda own, uri=uri: register(own, uri, scopes=[scope]) for uri in others])
    assert statuses(answers) == [201, 400, 400, 400]


def test_database_from_before_a_scope_of_the_issuer_has_it_after_the_next_start(world: World) -> None:
    with world.work() as work:
        work.lock()
        row = work.session.get(ScopeRow, DIRECTORY_WRITE)
        assert row is not None
        work.session.delete(row)
    with world.app.app_context():
        prepare(world.wired)
        found = resources.scopes_of(db.session(), [ISSUER])[DIRECTORY_WRITE]
    assert found == Scope(DIRECTORY_WRITE, ISSUER, "write", non_delegable=True)
