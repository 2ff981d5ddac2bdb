"""The apps' pages: every setting, each refusal at its field, and what belongs to the files."""

import re
from typing import Any

import pytest

from authserver.console.app_form import FIELDS
from authserver.settings_appetize import App
from tests.conftest import MakeWorld
from tests.console.configuring import APPS, ESCAPED, HOSTILE, PLAIN, app, chosen, create, problem, version_in
from tests.console.staff import Staff, console_world
from tests.world import World


def test_an_app_is_added_with_every_setting(world: World, admin: Staff) -> None:
    form: dict[str, Any] = {
        "name": "bank",
        "platform": "android",
        "build_id": "b_54",
        "version": "5.4.0",
        "builds": "5.3.0 = b_53\r\n5.2.0=b_52\r\n",
        "roles": ["lead"],
        "groups": "tier-2\r\n\r\ncards & loans\r\n",
        "allowed_origins": "https://crm.example.com",
        "how": "deep_link",
        "passes": "code",
        "param": "token",
        "deep_link": "bank://open/{value}",
        "device": "pixel7",
        "os_version": "14.0",
        "language": "sv",
        "locale": "sv_SE",
        "timezone": "Europe/Stockholm",
        "appearance": "dark",
        "orientation": "portrait",
        "location": "59.33,18.06",
        "scale": "75",
        "volume": "0",
        "record": "true",
        "screen_only": "false",
        "user_interaction_disabled": "false",
        "hide_passwords": "true",
        "grant_permissions": "true",
        "audio": "false",
        "debug": "false",
        "proxy": "intercept",
        "sdk_url": "https://js.appetize.io/embed.js",
        "base_url": "https://appetize.io",
        "region": "eu",
    }
    added = admin.send("/console/apps/_new", **form)
    assert (added.status_code, added.headers["Location"]) == (303, "/console/apps/bank")
    settings = app(world)["settings"]
    lists = {"roles": ["lead"], "groups": ["tier-2", "cards & loans"], "allowed_origins": ["https://crm.example.com"]}
    assert settings == {
        **{name: value for name, value in form.items() if name != "name"},
        **lists,
        "builds": {"5.3.0": "b_53", "5.2.0": "b_52"},
        "location": [59.33, 18.06],
        "scale": 75,
        "volume": 0,
        **{name: value == "true" for name, value in form.items() if value in ("true", "false")},
    }
    shown = admin.get("/console/apps/bank")
    assert "bank is there" in shown.text
    assert {name: chosen(shown, name) for name in ("device", "scale", "audio", "builds", "groups")} == {
        "device": "pixel7",
        "scale": "75",
        "audio": "false",
        "builds": "5.3.0 = b_53\n5.2.0 = b_52",
        "groups": "tier-2\ncards &amp; loans",
    }
    assert 'value="lead" checked' in shown.text
    assert world.events("app:changed")[-1]["action"] == "created"


def test_every_setting_that_an_app_can_have_has_its_field() -> None:
    assert {field.name for field in FIELDS} == App.model_fields.keys()


def test_saving_what_is_shown_changes_nothing(world: World, admin: Staff) -> None:
    create(
        world,
        roles=["support", "night shift"],
        groups=["a"],
        scale="auto",
        location=[59.5, -18.0],
        record=False,
        builds={"1.0": "b_0"},
    )
    before = app(world)
    shown = admin.get("/console/apps/bank")
    fields = ("platform", "build_id", "builds", "groups", "scale", "location", "record")
    form: dict[str, Any] = {name: chosen(shown, name) for name in fields}
    assert (
        admin.send("/console/apps/bank", roles=["support", "night shift"], seen=before["version"], **form).status_code
        == 303
    )
    assert app(world) == before
    assert [event["action"] for event in world.events("app:changed")] == ["created"]


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"build_id": ""}, "build_id", "This is needed."),
        ({"build_id": "../x"}, "build_id", "This does not fit. The vendor&#39;s id of the build"),
        ({"builds": "5.4 = ../x"}, "builds", "5.4: This does not fit."),
        ({"builds": "5.4"}, "builds", "Each line is VERSION = BUILD."),
        ({"builds": "5.4=a\n5.4=b"}, "builds", "A version stands there twice."),
        ({"how": "email"}, "how", "Choose one of the list."),
        ({"how": "deep_link", "passes": "token"}, "passes", "2048 characters"),
        ({"deep_link": "bank://open"}, "deep_link", "{value}"),
        ({"platform": "ios", "timezone": "Europe/Berlin"}, "timezone", "android alone"),
        ({"timezone": "Mars/Olympus"}, "timezone", "time zone"),
        ({"allowed_origins": "https://crm.example.com\nnonsense"}, "allowed_origins", "Line 2: "),
        ({"location": "59.33,here"}, "location", "This does not fit. Latitude and longitude"),
        ({"location": "91,18"}, "location", "This does not fit. Latitude and longitude"),
        ({"location": "59"}, "location", "This does not fit. Latitude and longitude"),
        ({"volume": "loud"}, "volume", "Input should be a valid integer"),
        ({"volume": "101"}, "volume", "less than or equal to 100"),
        ({"scale": "5"}, "scale", "greater than or equal to 10"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_named_at_its_field(
    world: World, admin: Staff, settings: dict[str, str], field: str, words: str
) -> None:
    create(world)
    typed = {**PLAIN, "device": "kept as typed", **settings}
    for path, name in (("/console/apps/_new", "other"), ("/console/apps/bank", "")):
        refused = admin.send(path, name=name, **typed)
        assert refused.status_code == 400
        assert words in problem(refused, field)
        assert chosen(refused, "device") == "kept as typed"
        assert "<title>Error: " in refused.text
    assert app(world)["settings"] == PLAIN
    assert [item["name"] for item in world.api("GET", APPS, "admin").json["items"]] == ["bank", "demo-bank"]


@pytest.mark.parametrize(("name", "words"), [("", "does not fit"), ("a b", "does not fit"), ("bank", "of this name")])
def test_a_name_that_is_none_or_taken_is_said_at_its_field(world: World, admin: Staff, name: str, words: str) -> None:
    create(world)
    refused = admin.send("/console/apps/_new", name=name, device="kept", **PLAIN)
    assert refused.status_code in {400, 409}
    assert words in problem(refused, "name")
    assert (chosen(refused, "name"), chosen(refused, "device")) == (name, "kept")


def test_an_app_is_disabled_after_one_question_and_enabled_again(world: World, admin: Staff) -> None:
    create(world)
    asked = admin.get("/console/apps/bank/disable")
    assert "Its settings stay" in asked.text
    assert app(world)["enabled"] is True
    assert admin.send("/console/apps/bank/disable", asked).status_code == 303
    assert app(world)["enabled"] is False
    shown = admin.get("/console/apps/bank")
    assert "bank is disabled" in shown.text
    admin.send("/console/apps/bank", shown, **PLAIN, device="pixel7", seen=app(world)["version"])
    assert app(world)["enabled"] is False  # saving a disabled one leaves it so
    assert admin.send("/console/apps/bank/enable", shown).status_code == 303
    assert (app(world)["in_force"], app(world)["settings"]["device"]) == (True, "pixel7")


def test_an_app_that_somebody_else_changed_is_not_overwritten_unseen(world: World, admin: Staff) -> None:
    create(world, builds={"1.0": "b_0"}, language="sv")
    shown = admin.get("/console/apps/bank")
    theirs = {**PLAIN, "builds": {"1.0": "b_0"}, "language": "de", "groups": ["tier-2", "cards"]}
    world.api("PUT", f"{APPS}/bank", "admin", json={"settings": theirs})
    mine: dict[str, Any] = {**PLAIN, "builds": "1.0=b_0", "language": "sv", "device": "pixel7"}
    refused = admin.send("/console/apps/bank", shown, seen=version_in(shown), **mine)
    assert refused.status_code == 412
    assert "Somebody else changed this app" in refused.text
    assert {name: chosen(refused, name) for name in ("language", "device", "groups")} == {
        "language": "sv", "device": "pixel7", "groups": "",
    }  # fmt: skip
    said = {name: problem(refused, name) for name in ("language", "device", "groups")}
    assert said == {
        "language": "It is now: de.", "device": "It is now: empty.", "groups": "It is now: tier-2, cards.",
    }  # fmt: skip
    assert refused.text.count("It is now") == 3
    assert app(world)["settings"] == theirs
    assert world.events("request:refused")[-1]["reason"] == "app.changed_meanwhile"
    assert admin.send("/console/apps/bank", refused, seen=version_in(refused), **mine).status_code == 303
    assert app(world)["settings"] == {**PLAIN, "builds": {"1.0": "b_0"}, "language": "sv", "device": "pixel7"}


@pytest.mark.parametrize("version", ["", "0" * 32, '"x", *', "*", "a\r\nX: y", "ü"])
def test_a_form_of_no_known_version_changes_nothing(world: World, admin: Staff, version: str) -> None:
    create(world)
    refused = admin.send("/console/apps/bank", seen=version, **PLAIN, device="pixel7")
    assert (refused.status_code, chosen(refused, "device")) == (412, "pixel7")
    assert app(world)["settings"] == PLAIN


@pytest.mark.parametrize("wrong", [{"builds": "5.4"}, {"location": "here"}])
def test_a_refused_form_stays_meant_for_what_was_seen(world: World, admin: Staff, wrong: dict[str, str]) -> None:
    create(world)
    version = app(world)["version"]
    world.api("PUT", f"{APPS}/bank", "admin", json={"settings": {**PLAIN, "language": "de"}})
    refused = admin.send("/console/apps/bank", **{**PLAIN, **wrong}, seen=version)
    assert (refused.status_code, version_in(refused)) == (400, version)


def test_an_app_of_the_files_is_shown_and_not_changed(world: World, admin: Staff) -> None:
    shown = admin.get("/console/apps/demo-bank")
    assert "is changed there alone" in shown.text
    assert "<form" not in shown.text.partition("<main")[2]
    for path in ("", "/disable", "/enable"):
        refused = admin.send(f"/console/apps/demo-bank{path}", **PLAIN)
        assert refused.status_code == 409, path
        assert "is changed there alone" in refused.text
    assert app(world, "demo-bank")["enabled"] is True


def test_a_stored_app_behind_one_of_the_files_is_told_apart(make_sqlite_world: MakeWorld) -> None:
    create(make_sqlite_world())
    world = console_world(make_sqlite_world, **{"appetize.apps.bank": {"build_id": "configured", "platform": "ios"}})
    shown = Staff(world).enter("admin", "/console/apps")
    assert "Not used: the files have one of its name" in shown.text
    assert shown.text.count('href="/console/apps/bank"') == 1


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "-x", "ü", "a" * 65])
def test_what_is_no_app_is_404(admin: Staff, name: str) -> None:
    assert admin.get(f"/console/apps/{name}").status_code == 404
    assert admin.send(f"/console/apps/{name}", **PLAIN).status_code == 404


def test_hostile_words_of_apps_stay_words(world: World, admin: Staff) -> None:
    lines: dict[str, Any] = {"device": HOSTILE, "groups": [HOSTILE], "roles": [HOSTILE]}
    create(world, **lines)
    every = (
        "platform build_id version builds roles groups allowed_origins how passes param deep_link device os_version "
    )
    every += "language timezone scale volume record sdk_url"
    hostile: dict[str, Any] = dict.fromkeys(every.split(), HOSTILE)
    for shown in (
        admin.get("/console/apps"),
        admin.get("/console/apps/bank"),
        admin.send("/console/apps/_new", name=HOSTILE, **hostile),
        admin.send("/console/apps/_new", name="other", **hostile),
        admin.send("/console/apps/bank", **hostile),
    ):
        assert "<script>alert" not in shown.text
        assert ESCAPED in shown.text
        assert "49" not in re.sub(r'(csrf|seen)" value="[^"]*"|\?v=\w+', "", shown.text)
