"""Apps as they are configured: what is refused by name, and what a device gets of the rest."""

from pathlib import Path
from typing import Any

import pytest

from authserver import settings as settings_module
from authserver.settings import Settings, SettingsError
from authserver.storage import people
from tests.appetize.handing_off import configured, hand_off
from tests.conftest import MakeWorld
from tests.world import World

PLAIN = {"build_id": "b_1", "platform": "android"}


def loaded(tmp_path: Path, app: str = "", more: str = "", *, demo: bool = False) -> Settings:
    """Load the defaults with one app of these settings."""
    file = tmp_path / "own.toml"
    plain = "build_id = 'b_1'\n" + ("" if "platform" in app else "platform = 'ios'\n")
    file.write_text(f"demo = {str(demo).lower()}\n{more}\n[appetize.apps.bank]\n{plain}{app}\n", encoding="utf-8")
    return settings_module.load([file], {})


def test_app_has_the_vendors_defaults(tmp_path: Path) -> None:
    app = loaded(tmp_path).appetize.apps["bank"]
    assert (app.sdk_url, app.base_url) == ("https://js.appetize.io/embed.js", "https://appetize.io")
    assert (app.how, app.gives_codes, app.param) == ("launch_params", False, "impersonatedUserToken")
    assert app.link("x") == "appetize://impersonation/x"
    assert loaded(tmp_path, "how = 'deep_link'").appetize.apps["bank"].gives_codes


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("colour = 'red'", "appetize.apps.bank.colour: unknown setting"),
        ("params = { token = 'x' }", "appetize.apps.bank.params: unknown setting"),
        ("deep_link = 'appetize://impersonation'", "appetize.apps.bank.deep_link: .*{value}"),
        ("deep_link = '{value}'", "appetize.apps.bank.deep_link: .*{value}"),
        ("deep_link = 'appetize://{value}/{value}'", "appetize.apps.bank.deep_link: .*once"),
        ("how = 'email'", "appetize.apps.bank.how: .*'launch_params' or 'deep_link'"),
        ("passes = 'password'", "appetize.apps.bank.passes: .*'token' or 'code'"),
        ("how = 'deep_link'\npasses = 'token'", "appetize.apps.bank.passes: .*2048 characters"),
        ("scale = 101", "appetize.apps.bank.scale"),
        ("location = [91, 18]", "appetize.apps.bank.location"),
        ("appearance = 'sepia'", "appetize.apps.bank.appearance: .*'light' or 'dark'"),
        ("timezone = 'Mars/Olympus'", "appetize.apps.bank.timezone: .*time zone"),
        ("timezone = 'Europe/Berlin'", "appetize.apps.bank: .*timezone: .*android alone"),
        ("sdk_url = 'js.appetize.io'", "appetize.apps.bank.sdk_url: .*address of a script"),
        ("sdk_url = 'http://js.appetize.io/embed.js'", "appetize.apps.bank.sdk_url: must be https"),
        ("base_url = 'http://appetize.example.com'", "appetize.apps.bank.base_url: must be https"),
        ("sdk_url = 'https://sdk.example.com/embed.js'", "appetize.apps.bank.sdk_url: .*appetize.allowed_hosts"),
        ("base_url = 'https://bank.appetize.io'", "appetize.apps.bank.base_url: .*appetize.allowed_hosts"),
        ("base_url = 'https://appetize.io/embed'", "appetize.apps.bank.base_url: .*origin"),
        ("param = 'a b'", "appetize.apps.bank.param"),
        ("builds = { '5.4' = '../x' }", r"appetize.apps.bank.builds.5\.4"),
    ],
)
def test_app_that_cannot_work_stops_the_start_by_name(tmp_path: Path, app: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        loaded(tmp_path, app)


@pytest.mark.parametrize(
    "host", ["https://appetize.io", "*", "*.appetize.io", ".io", ".", "", "a/b", "Appetize.io", "a b", "a..b", "a:x"]
)
def test_host_that_is_none_stops_the_start_by_name(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=r"appetize\.allowed_hosts\.0"):
        loaded(tmp_path, more=f"[appetize]\nallowed_hosts = ['{host}']")


@pytest.mark.parametrize(
    ("issuer", "embed", "demo", "said"),
    [
        ("https://login.example.com", "https://login.example.com", False, "shares its host"),
        ("https://login.example.com", "https://login.example.com:8443", False, "shares its host"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001", False, "shares its host"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", True, "shares its host"),
        ("https://login.example.com", "http://device.example.net", False, "must be https"),
        ("https://login.example.com", "https://device.example.net/page", False, "must be an origin"),
    ],
)
def test_embed_origin_that_protects_nothing_stops_the_start_by_name(
    tmp_path: Path,
    issuer: str,
    embed: str,
    demo: bool,  # noqa: FBT001 - one case a row
    said: str,
) -> None:
    more = f"[server]\nissuer = '{issuer}'\n[appetize]\nembed_origin = '{embed}'"
    with pytest.raises(SettingsError, match=f"appetize.embed_origin: .*{said}"):
        loaded(tmp_path, more=more, demo=demo)


@pytest.mark.parametrize(
    ("issuer", "embed", "demo"),
    [
        ("https://login.example.com", "https://device.example.net", False),
        ("http://127.0.0.1:9000", "http://localhost:9000", True),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001", True),
    ],
)
def test_embed_origin_of_its_own_is_taken(tmp_path: Path, issuer: str, embed: str, demo: bool) -> None:  # noqa: FBT001
    more = f"[server]\nissuer = '{issuer}'\n[appetize]\nembed_origin = '{embed}'"
    assert loaded(tmp_path, more=more, demo=demo).appetize.embed_origin == embed


def test_what_is_set_reaches_the_sdk_under_its_names(make_sqlite_world: MakeWorld) -> None:
    app = {
        **PLAIN, "device": "pixel7", "os_version": "13.0", "scale": "auto", "region": "eu", "language": "de",
        "locale": "de_DE", "timezone": "Europe/Berlin", "appearance": "dark", "grant_permissions": True,
        "hide_passwords": True, "user_interaction_disabled": True,
    }  # fmt: skip
    world = make_sqlite_world(**{"appetize.apps.bank": app})
    shown = configured(world, hand_off(world, "bank"))
    del shown["params"]
    assert shown == {
        "buildId": "b_1", "platform": "android", "record": False, "debug": False, "device": "pixel7",
        "osVersion": "13.0", "scale": "auto", "region": "eu", "language": "de", "locale": "de_DE",
        "timezone": "Europe/Berlin", "appearance": "dark", "grantPermissions": True, "hidePasswords": True,
        "userInteractionDisabled": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "runs", "mismatch"),
    [
        (None, "b_1", None),
        ("b_1", "b_1", None),
        ("5.4.1", "b_2", None),
        ("b_2", "b_2", None),
        ("4.0.0", "b_1", True),
        ("b_elsewhere", "b_1", True),
    ],
)
def test_customers_version_picks_the_build_and_a_mismatch_is_shown(
    make_sqlite_world: MakeWorld,
    asked: str | None,
    runs: str,
    mismatch: bool | None,  # noqa: FBT001 - one case a row
) -> None:
    """An agent names no build that is not the app's: it would get the customer's token."""
    world = make_sqlite_world(**{"appetize.apps.bank": {**PLAIN, "builds": {"5.4.1": "b_2"}}})
    body: dict[str, Any] = {"impersonation": world.start().json["id"], "app": "bank", "build": asked}
    created = world.api("POST", "/appetize/handoffs", "agent", json=body).json
    assert created.get("build_mismatch") is mismatch
    assert configured(world, created)["buildId"] == runs


@pytest.mark.parametrize(
    ("only", "status"),
    [
        ({"roles": ["support"]}, 201),
        ({"groups": ["tier-2"]}, 201),
        ({"roles": ["lead"], "groups": ["tier-2"]}, 201),
        ({"roles": ["lead"]}, 403),
        ({"groups": ["tier-3"]}, 403),
    ],
)
def test_app_is_for_the_agents_that_it_names(
    make_sqlite_world: MakeWorld, only: dict[str, list[str]], status: int
) -> None:
    world = make_sqlite_world(**{"appetize.apps.bank": {**PLAIN, **only}})
    _groups(world, ["tier-2"])
    body = {"impersonation": world.start().json["id"], "app": "bank"}
    assert world.api("POST", "/appetize/handoffs", "agent", json=body).status_code == status


def test_agent_who_left_the_group_gets_no_configuration(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**{"appetize.apps.bank": {**PLAIN, "groups": ["tier-2"]}})
    _groups(world, ["tier-2"])
    handoff = hand_off(world, "bank")
    _groups(world, [])
    refused = world.api("POST", f"/appetize/handoffs/{handoff['id']}/config", "agent", json={})
    assert (refused.status_code, refused.json["error"]) == (403, "access_denied")


def _groups(world: World, groups: list[str]) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), groups=groups)
