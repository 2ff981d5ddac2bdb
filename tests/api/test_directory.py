"""What is registered, shown to admins alone: people, clients, resources (design section 2)."""

from typing import Any

import pytest

from authserver.protocol.access import ISSUER_SCOPES
from tests.conftest import MakeWorld
from tests.world import API, ISSUER, PAYMENTS, World


def test_people_are_listed_by_id_with_what_policy_knows_of_them(world: World) -> None:
    answer = world.api("GET", "/api/v1/users", "admin")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    items = answer.json["items"]
    assert [item["id"] for item in items] == sorted(user["id"] for user in world.credentials["users"].values())
    [vip] = [item for item in items if item["id"] == world.id("vip")]
    assert vip == {
        "id": world.id("vip"),
        "username": "vip@example.com",
        "name": "Vivian Customer",
        "email": "vip@example.com",
        "email_verified": True,
        "population": "customers",
        "tier": "vip",
        "country": "SE",
        "roles": ["customer"],
        "groups": [],
        "conflicts": [],
        "locale": "",
        "time_zone": "",
        "appearance": "",
        "app_version": "",
        "enabled": True,
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    assert [item["username"] for item in items if not item["enabled"]] == ["disabled@example.com"]


def test_people_come_by_pages(world: World) -> None:
    whole = [item["id"] for item in world.api("GET", "/api/v1/users", "admin").json["items"]]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = world.api("GET", "/api/v1/users", "admin", query_string=query).json
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert (seen, len(seen)) == (whole, 9)


@pytest.mark.parametrize("query", [{"cursor": "usr_\0"}, {"cursor": "u" * 129}, {"limit": "-1"}], ids=repr)
def test_malformed_page_is_400(make_world: MakeWorld, query: dict[str, str]) -> None:
    refused = make_world().api("GET", "/api/v1/users", "admin", query_string=query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")


def test_clients_are_listed_without_their_secrets(world: World) -> None:
    answer = world.api("GET", "/api/v1/clients", "admin")
    assert answer.status_code == 200
    found = {item["client_id"]: item for item in answer.json["items"]}
    assert list(found) == ["backend", "other-backend", "resource-server"]
    assert (found["backend"]["ways"], found["other-backend"]["ways"]) == (["A", "B", "C", "D", "E", "F"], [])
    assert not [name for item in found.values() for name in item if "secret" in name or "hash" in name]
    secrets = [client["client_secret"] for client in world.credentials["clients"].values()]
    assert not [secret for secret in secrets if secret in answer.text]


def test_resources_are_listed_with_their_scopes(world: World) -> None:
    answer = world.api("GET", "/api/v1/resources", "admin")
    assert answer.status_code == 200
    found = {item["uri"]: item for item in answer.json["items"]}
    assert set(found) == {API, PAYMENTS, ISSUER}
    assert found[API]["owner_client_id"] == "resource-server"
    scopes = {scope["name"]: (scope["access"], scope["non_delegable"]) for scope in found[API]["scopes"]}
    assert scopes == {
        "accounts:read": ("read", False),
        "cards:write": ("write", False),
        "contacts:write": ("write", True),
    }
    assert {scope["name"] for scope in found[ISSUER]["scopes"] if scope["non_delegable"]} == ISSUER_SCOPES
