"""People changed through the API: by admins alone, by the register's rules, and never by somebody about themselves."""

from functools import partial
from typing import Any

import pytest

from authserver.accounts.passwords import Passwords
from authserver.protocol.names import Role
from authserver.storage import people
from authserver.storage.people import Wanted
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, statuses
from tests.signing_in import BrowserOf
from tests.world import Answer, World, error

USERS = "/api/v1/users"
VERBS = ("disable", "enable", "password")
FOUND: list[tuple[dict[str, str], set[str]]] = [
    ({"q": "VIVIAN"}, {"vip"}),
    ({"q": "vip@"}, {"vip"}),
    ({"q": "%"}, set()),
    ({"q": "'"}, set()),
    ({"population": "staff", "q": "agent"}, {"agent", "agent2"}),
    ({"role": "admin"}, {"admin"}),
    ({"role": "customer", "enabled": "false"}, {"disabled"}),
    ({"enabled": "true", "population": "customers"}, {"customer", "customer-ask", "vip"}),
]
RIGHTS: list[dict[str, Any]] = [
    {"roles": []},
    {"roles": ["admin", "lead"]},
    {"groups": ["break-glass"]},
    {"tier": "vip"},
    {"country": "NO"},
    {"conflicts": ["agent@example.com"]},
]


def add(world: World, username: str, who: str = "admin", **body: Any) -> Answer:
    return world.api("POST", USERS, who, json={"username": username, "with_password": False, **body})


def change(world: World, who: str, by: str = "admin", **body: Any) -> Answer:
    return world.api("PATCH", f"{USERS}/{world.id(who)}", by, json=body)


def disable(world: World, who: str, by: str = "admin") -> Answer:
    return world.api("POST", f"{USERS}/{world.id(who)}/disable", by)


def password_is_right(world: World, who: str) -> bool:
    return BrowserOf(world).sign_in(who).status_code == 303


def changes_of(world: World, user_id: str) -> list[dict[str, Any]]:
    by = world.id("admin")
    return [event for event in world.events("user:changed") if event["user_id"] == user_id and event["by"] == by]


# --- reading


def test_people_are_found_by_what_is_known_of_them(make_world: MakeWorld) -> None:
    world = make_world()
    for query, found in FOUND:
        items = world.api("GET", USERS, "admin", query_string=query).json["items"]
        assert {item["username"] for item in items} == {f"{key}@example.com" for key in found}, query


def test_one_person_is_shown_with_their_sign_in(world: World) -> None:
    shown = world.api("GET", f"{USERS}/{world.id('agent')}", "admin")
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    assert (shown.json["username"], shown.json["signed_in_at"]) == ("agent@example.com", "2027-01-15T08:00:00.000Z")
    assert shown.json["oneself"] is False
    assert world.api("GET", f"{USERS}/{world.id('admin')}", "admin").json["oneself"] is True


def test_unknown_person_is_404(make_world: MakeWorld) -> None:
    world = make_world()
    for user_id in ("usr_unknown", "import", "%00", "ünknown", "x" * 500):
        for method, verb in (("GET", ""), ("PATCH", ""), *(("POST", f"/{verb}") for verb in VERBS)):
            body: dict[str, Any] = {"json": {"tier": "vip"}} if method == "PATCH" else {}
            refused = world.api(method, f"{USERS}/{user_id}{verb}", "admin", **body)
            assert refused.status_code in {400, 404}, (user_id, method, verb, refused.text)


# --- creating


def test_created_person_signs_in_with_the_password_that_was_shown_once(make_world: MakeWorld) -> None:
    world = make_world()
    made = add(world, "nova@corp.example", roles=["support"], name="Nova", with_password=True)
    assert made.status_code == 201
    user_id, password = made.json["id"], made.json["password"]
    assert (made.json["population"], made.json["roles"], made.json["email"]) == (
        "staff",
        ["support"],
        "nova@corp.example",
    )
    world.credentials["users"]["nova"] = {"id": user_id, "username": "nova@corp.example", "password": password}
    assert password_is_right(world, "nova")
    assert "password" not in world.api("GET", f"{USERS}/{user_id}", "admin").json
    assert password not in str(world.events())
    [event] = changes_of(world, user_id)
    assert (event["action"], event["changes"]) == (
        "created",
        {"fields": ["name", "roles"], "roles": ["support"], "population": "staff"},
    )
    [credential] = [event for event in world.events("credential:changed") if event["user_id"] == user_id]
    assert credential["by"] == world.id("admin")
    assert "Nova" not in str(world.events())


def test_created_customer_has_how_their_device_looks(world: World) -> None:
    device = {"locale": "sv-SE", "time_zone": "Europe/Stockholm", "appearance": "dark", "app_version": "7.4.1"}
    made = add(world, "cleo", roles=["customer"], **device)
    assert (made.status_code, made.json["password"]) == (201, None)
    assert made.json | device == made.json
    assert error(world.way_a(target=made.json["id"])) == "consent_required"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "a b"}, "username"),
        ({"username": "usr_1"}, "username"),
        ({"username": "ad\u202emin"}, "username"),
        ({"username": "ad\u200bmin"}, "username"),
        ({"roles": ["customer", "admin"]}, "roles"),
        ({"roles": ["admin"], "population": "customers"}, "roles"),
        ({"roles": ["customer"], "population": "staff"}, "roles"),
        ({"country": "se"}, "country"),
        ({"tier": "V I P"}, "tier"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"email": "a@b.example, c@d.example"}, "email"),
        ({"email": "a@b.example\nBcc: c@d.example"}, "email"),
        ({"groups": ["a b"]}, "groups"),
        ({"conflicts": ["nobody"]}, "conflicts"),
        ({"locale": "Swedish"}, "locale"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
        ({"app_version": "<script>"}, "app_version"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused_field_by_field_and_nothing_is_written(
    world: World, body: dict[str, Any], field: str
) -> None:
    before = world.api("GET", USERS, "admin").json
    refused = add(world, body.pop("username", "nova"), **body)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    assert [entry["field"] for entry in refused.json["errors"]] == [field]
    assert not [word for word in ("passwd", "script", "nobody", "Swedish", "Bcc") if word in refused.text]
    assert world.api("GET", USERS, "admin").json == before
    assert world.events("request:refused")[-1]["endpoint"] == "api.create_user"
    assert not [event for event in world.events("user:changed") if event["by"] == world.id("admin")]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "usr_mine"},
        {"enabled": False},
        {"created_at": 0},
        {"password": "chosen by the admin"},
        {"roles": "admin"},
        {"roles": ["king"]},
        {"name": None},
        {"email_verified": "yes"},
        {"appearance": "pink"},
    ],
    ids=repr,
)
def test_what_nobody_may_set_is_refused(world: World, body: dict[str, Any]) -> None:
    assert add(world, "nova", **body).status_code == 400
    assert world.api("PATCH", f"{USERS}/{world.id('vip')}", "admin", json=body).status_code == 400


@pytest.mark.parametrize(
    "body", [{"username": "mine@example.com"}, {"population": "staff"}, {"with_password": True}, {}]
)
def test_change_of_what_stays_or_of_nothing_is_refused(world: World, body: dict[str, Any]) -> None:
    assert change(world, "vip", **body).status_code == 400


def test_taken_user_name_is_409(world: World) -> None:
    refused = add(world, "agent@example.com")
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert refused.json["errors"] == [{"field": "username", "problem": "there is such a user already"}]
    assert world.events("request:refused")[-1]["reason"] == "users.taken"


def test_one_of_many_gets_a_user_name(make_world: MakeWorld) -> None:
    world = make_world()
    answers = at_once(world, *[partial(add, username="nova", name=f"Number {number}") for number in range(6)])
    assert statuses(answers) == [201, 409, 409, 409, 409, 409]
    assert len(world.api("GET", USERS, "admin", query_string={"q": "nova"}).json["items"]) == 1
    created = [event for event in world.events("user:changed") if event["by"] == world.id("admin")]
    assert len(created) == 1


# --- changing


def test_changed_person_is_decided_on_anew_at_once(world: World) -> None:
    assert world.way_a().status_code == 200
    shown = change(world, "customer", tier="vip", time_zone="Europe/Oslo")
    assert (shown.status_code, shown.json["tier"], shown.json["time_zone"]) == (200, "vip", "Europe/Oslo")
    assert shown.json["name"] == "Casey Customer"
    assert error(world.way_a(reason="another")) == "approval_required"
    [event] = changes_of(world, world.id("customer"))
    assert event["changes"] == {"fields": ["tier", "time_zone"], "tier": "vip"}


def test_another_address_counts_as_not_verified(world: World) -> None:
    assert change(world, "customer", email="other@example.com").json["email_verified"] is False
    assert change(world, "customer", email="third@example.com", email_verified=True).json["email_verified"] is True


@pytest.mark.parametrize(("who", "roles"), [("customer", ["admin"]), ("agent", ["customer"]), ("vip", ["support"])])
def test_the_two_populations_never_mix(world: World, who: str, roles: list[str]) -> None:
    refused = change(world, who, roles=roles)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "roles")


@pytest.mark.parametrize("body", RIGHTS, ids=repr)
def test_nobody_changes_what_policy_knows_of_themselves(world: World, body: dict[str, Any]) -> None:
    before = world.api("GET", f"{USERS}/{world.id('admin')}", "admin").json
    refused = change(world, "admin", name="Other", **body)
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert "another admin" in refused.json["detail"]
    assert world.api("GET", f"{USERS}/{world.id('admin')}", "admin").json == before
    event = world.events("request:refused")[-1]
    assert (event["reason"], event["target"]) == ("users.oneself", world.id("admin"))


def test_ones_own_name_is_ones_own(world: World) -> None:
    assert change(world, "admin", name="Other", roles=["admin"]).json["name"] == "Other"


# --- disabling and enabling


def test_disabled_person_takes_everything_of_theirs_along(make_world: MakeWorld) -> None:
    world = make_world()
    active = world.way_a().json
    answer = disable(world, "agent")
    assert (answer.status_code, answer.json["enabled"]) == (200, False)
    assert answer.json["ended"] == {"sessions": 1, "impersonations": 1}
    assert answer.json["signed_in_at"] is None
    assert world.introspect(active["access_token"]) == {"active": False}
    assert world.introspect(world.token("agent")) == {"active": False}
    [ended] = world.events("impersonation:ended", active["impersonation_id"])
    [session] = world.events("session:ended")
    assert ended["ended_by"] == session["by"] == world.id("admin")
    assert disable(world, "agent").json["ended"] is None
    enabled = world.api("POST", f"{USERS}/{world.id('agent')}/enable", "admin")
    assert (enabled.status_code, enabled.json["enabled"]) == (200, True)
    assert world.introspect(world.token("agent")) == {"active": False}
    assert [event["action"] for event in changes_of(world, world.id("agent"))] == ["disabled", "enabled"]


def test_nobody_disables_themselves(world: World) -> None:
    refused = disable(world, "admin")
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert world.api("GET", USERS, "admin").status_code == 200


def test_two_admins_who_stop_each_other_leave_one(make_world: MakeWorld) -> None:
    world = make_world()
    add_person(world, "admin2", Role.ADMIN)
    calls = [partial(disable, who="admin2", by="admin"), partial(disable, who="admin", by="admin2")]
    won, lost = statuses(at_once(world, *calls))
    assert (won, lost in {401, 403}) == (200, True)
    with world.work() as work:
        wanted = Wanted(role=Role.ADMIN, enabled=True)
        assert len(people.listing(work.session, wanted, after="", limit=9)) == 1


def test_admin_whose_role_another_took_changes_nothing_any_more(world: World) -> None:
    add_person(world, "admin2", Role.ADMIN)
    assert change(world, "admin", "admin2", roles=["auditor"]).status_code == 200
    assert change(world, "admin2", "admin", roles=[]).status_code == 403


# --- a new password


def test_new_password_is_shown_once_and_signs_them_out(make_world: MakeWorld) -> None:
    world = make_world()
    answer = world.api("POST", f"{USERS}/{world.id('agent')}/password", "admin")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert world.introspect(world.token("agent")) == {"active": False}
    assert not password_is_right(world, "agent")
    world.credentials["users"]["agent"]["password"] = answer.json["password"]
    assert password_is_right(world, "agent")
    assert answer.json["password"] not in str(world.events())
    [event] = [event for event in world.events("credential:changed") if event["by"] == world.id("admin")]
    assert (event["user_id"], event["kind"]) == (world.id("agent"), "password")


def test_nobody_gives_themselves_a_password_here(world: World) -> None:
    """Whoever has an admin's token for a moment would have their account for good."""
    refused = world.api("POST", f"{USERS}/{world.id('admin')}/password", "admin")
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert password_is_right(world, "admin")


def test_nothing_is_held_while_a_password_is_hashed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Passwords.hash

    def outer(passwords: Passwords, password: str) -> str:
        with world.work() as work:
            work.lock()  # would wait for ever within a write
        return inner(passwords, password)

    monkeypatch.setattr(Passwords, "hash", outer)
    assert add(world, "nova", with_password=True).status_code == 201
