"""Resource servers and scopes in the console: an admin registers and changes them; nobody else does."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.console.staff import Staff, text
from tests.console.test_clients import HOSTILE, form_of
from tests.signing_in import hidden
from tests.world import API, ISSUER, World

NEW = "/console/resources/new"
LEDGER = "https://ledger.example.com/v1?a=b&c=d"


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.enter("admin", "/console/resources")
    return staff


def one(uri: str = API) -> str:
    return f"/console/resources/one?{urlencode({'uri': uri})}"


def scope(uri: str = API, name: str = "") -> str:
    return f"/console/resources/scope?{urlencode({'uri': uri, **({'name': name} if name else {})})}"


def stored(world: World, uri: str = API) -> dict[str, Any]:
    found = world.api("GET", "/api/v1/resources", "admin", query_string={"uri": uri}).json["items"]
    return dict(found[0]) if found else {}


def scope_of(world: World, name: str, uri: str = API) -> dict[str, Any]:
    return next(each for each in stored(world, uri)["scopes"] if each["name"] == name)


def test_a_resource_is_registered_with_a_scope(world: World, admin: Staff) -> None:
    assert API in admin.get("/console/resources").text
    made = admin.send(NEW, uri=LEDGER, name="Ledger", subject_identifier="username", owner_client_id="resource-server")
    assert made.status_code == 303
    shown = admin.get(made.headers["Location"])
    assert "It is registered. Give it its scopes here." in shown.text
    assert "None yet" in shown.text
    form: dict[str, Any] = {
        "name": "ledger:write",
        "access": "write",
        "description": "Book",
        "roles": ["support", "customer"],
    }
    assert admin.send(scope(LEDGER), **form, non_delegable="on").status_code == 303
    assert scope_of(world, "ledger:write", LEDGER) == {
        "name": "ledger:write",
        "access": "write",
        "non_delegable": True,
        "description": "Book",
        "roles": ["customer", "support"],
    }
    shown = admin.get(one(LEDGER))
    assert ("Never</span>" in shown.text, "The scope ledger:write is saved." in shown.text) == (True, True)


def test_a_resource_is_changed(world: World, admin: Staff) -> None:
    form = {**form_of(admin.get(one())), "reason_visible": "on", "extra_claims": ["tier", "country"], "name": "Core"}
    form["owner_client_id"] = "backend"
    assert admin.post(one(), **form).status_code == 303
    found = stored(world)
    assert (found["reason_visible"], sorted(found["extra_claims"]), found["name"]) == (
        True,
        ["country", "tier"],
        "Core",
    )
    assert found["owner_client_id"] == "backend"
    assert admin.post(one(), **{**form_of(admin.get(one())), "owner_client_id": ""}).status_code == 303
    assert stored(world)["owner_client_id"] is None
    assert admin.post(one(), **form_of(admin.get(one()))).status_code == 303
    assert "Nothing was changed." in admin.get(one()).text


def test_a_scope_is_changed_whole(world: World, admin: Staff) -> None:
    shown = admin.get(scope(name="accounts:read"))
    form = {**form_of(shown), "roles": ["customer"], "non_delegable": "on", "description": "See accounts"}
    assert admin.post(scope(name="accounts:read"), **form).status_code == 303
    found = scope_of(world, "accounts:read")
    assert (found["roles"], found["non_delegable"], found["description"]) == (["customer"], True, "See accounts")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "a b", "access": "read"}, "name"),
        ({"name": "", "access": "read"}, "name"),
        ({"name": "audit:read", "access": "read"}, "name"),
        ({"name": "accounts:read", "access": "read"}, "name"),
        ({"name": "x:y", "access": "sideways"}, "access"),
        ({"name": "x:y", "access": "read", "roles": "emperor"}, "roles"),
        ({"name": "x:y", "access": "read", "description": "\u202eturned"}, "description"),
        ({"name": "x:y", "access": "read", "description": "a" * 300}, "description"),
    ],
    ids=str,
)
def test_a_scope_that_does_not_fit_is_said_at_its_field(admin: Staff, form: dict[str, Any], field: str) -> None:
    shown = admin.send(scope(), **form)
    assert shown.status_code in {400, 409}
    assert f'id="{field}-wrong"' in shown.text
    assert f'value="{form["name"]}"' in shown.text


def test_a_resource_that_does_not_fit_is_said_at_its_field(admin: Staff) -> None:
    for uri, status in (("nonsense", 400), (HOSTILE, 400), (API, 409), (f"{ISSUER}/", 409), ("", 400)):
        shown = admin.send(NEW, uri=uri, name=HOSTILE)
        assert (shown.status_code, 'id="uri-wrong"' in shown.text) == (status, True), uri
        assert HOSTILE not in shown.text
    shown = admin.post(one(), **{**form_of(admin.get(one())), "name": "\u202e", "owner_client_id": "nobody"})
    assert 'id="name-wrong"' in shown.text
    assert 'id="owner_client_id-wrong">Is not registered' in shown.text


def test_this_server_itself_is_shown_and_not_changed(admin: Staff) -> None:
    shown = admin.get(one(ISSUER))
    assert "This is the server itself" in shown.text
    assert "Add a scope" not in shown.text
    assert admin.send(one(ISSUER), name="Mine").status_code == 409
    assert admin.send(scope(ISSUER), name="x:y", access="read").status_code == 409


def test_what_is_not_there_is_404(admin: Staff) -> None:
    for path in (one("https://nowhere.example"), "/console/resources/one", scope(name="nothing"), scope("x:y")):
        assert admin.get(path).status_code == 404, path
        assert admin.send(path, name="x", access="read").status_code == 404, path


@pytest.mark.parametrize("who", ["agent", "lead", "auditor", "customer"])
def test_nobody_else_comes_here(world: World, staff: Staff, who: str) -> None:
    entered = staff.enter(who)
    assert "/console/resources" not in entered.text
    for path in ("/console/resources", NEW, one(), scope(), scope(name="accounts:read")):
        refused = staff.get(path)
        assert (refused.status_code, "accounts:read" in text(refused)) == (403, False), path
    for path in (NEW, one(), scope()):
        assert staff.send(path, entered, uri=LEDGER, name="x:y", access="read").status_code == 403
    assert stored(world, LEDGER) == {}
    assert "x:y" not in [each["name"] for each in stored(world)["scopes"]]


def test_no_form_works_without_its_proof(world: World, admin: Staff) -> None:
    csrf = hidden(admin.get(NEW))["csrf"]
    for path in (NEW, one(), scope()):
        assert admin.post(path, uri=LEDGER, name="x:y", access="read").status_code == 403
        assert admin.post(path, _origin="https://evil.example", csrf=csrf, uri=LEDGER, name="x").status_code == 403
    assert stored(world, LEDGER) == {}
    assert not re.search(r"x:y", admin.get(one()).text)
