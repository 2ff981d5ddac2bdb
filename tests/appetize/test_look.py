"""What a customer has is what the device gets: language, time zone, appearance, version; unless the app pins it."""

from typing import Any

import pytest

from authserver.appetize.look import Look
from authserver.settings_appetize import App
from authserver.storage import people
from tests.appetize.handing_off import SECTIONS, EmbedPage, at_page, configured, hand_off
from tests.conftest import MakeWorld
from tests.world import World

PLAIN = {"build_id": "b_1", "platform": "android"}
LOOK = {"locale": "de-CH", "time_zone": "Europe/Zurich", "appearance": "dark", "app_version": ""}
OPTIONS = ("language", "locale", "timezone", "appearance")


def has(world: World, **values: str) -> None:
    """Let the customer have this."""
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("customer"), **{**LOOK, **values})


def shown(world: World, app: str = "bank") -> dict[str, Any]:
    """Return what the device of a new handoff gets of it."""
    configuration = configured(world, hand_off(world, app))
    return {name: configuration[name] for name in OPTIONS if name in configuration}


@pytest.mark.parametrize(
    ("locale", "options"),
    [
        ("", {}),
        ("de", {"language": "de"}),
        ("de-CH", {"language": "de", "locale": "de_CH"}),
        ("DE-ch", {"language": "de", "locale": "de_CH"}),
        ("zh-hant-TW", {"language": "zh-Hant", "locale": "zh_TW"}),
        ("es-419", {"language": "es", "locale": "es_419"}),
        ("sv-SE-u-co-trad", {"language": "sv", "locale": "sv_SE"}),
        ("de_CH", {}),
        ("nonsense", {}),
        ("de-CH\n", {}),
    ],
)
def test_language_and_locale_come_of_the_tag(locale: str, options: dict[str, str]) -> None:
    assert Look(locale=locale).options("android") == options


def test_what_is_no_time_zone_and_no_appearance_is_left_out() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", "/etc/localtime", " "):
        assert Look(time_zone=zone, appearance="sepia").options("android") == {}


def test_devices_are_as_the_customers_own(make_sqlite_world: MakeWorld) -> None:
    ios = {"build_id": "b_2", "platform": "ios"}
    world = make_sqlite_world(**{"appetize.apps.bank": PLAIN, "appetize.apps.fruit": ios})
    has(world)
    everything = {"language": "de", "locale": "de_CH", "timezone": "Europe/Zurich", "appearance": "dark"}
    assert shown(world) == everything
    del everything["timezone"]  # the SDK knows it for Android alone
    assert shown(world, "fruit") == everything
    has(world, locale="", time_zone="", appearance="")
    assert shown(world) == {}


def test_what_the_app_pins_goes_first(make_sqlite_world: MakeWorld) -> None:
    pinned = {"language": "en", "locale": "en_GB", "timezone": "Europe/London", "appearance": "light"}
    world = make_sqlite_world(**{"appetize.apps.bank": {**PLAIN, **pinned}})
    has(world)
    assert shown(world) == pinned


BUILDS = {"builds": {"5.4.1": "b_2"}, "version": "5.5"}


@pytest.mark.parametrize(
    ("app", "version", "asked", "runs", "mismatch"),
    [
        (BUILDS, "5.4.1", None, "b_2", False),
        (BUILDS, "5.5", None, "b_1", False),
        (BUILDS, "4.0", None, "b_1", True),
        (BUILDS, "", None, "b_1", False),
        (BUILDS, "b_2", None, "b_1", True),
        (BUILDS, "4.0", "5.4.1", "b_2", False),
        (BUILDS, "5.4.1", "5.5", "b_1", False),
        (BUILDS, "5.4.1", "4.0", "b_1", True),
        ({}, "4.0", None, "b_1", False),
        ({"version": "5.5"}, "4.0", None, "b_1", True),
        ({"version": "5.5"}, "4.0", "b_elsewhere", "b_1", True),
        ({}, "4.0", "b_elsewhere", "b_elsewhere", False),
    ],
)
def test_version_picks_the_build_unless_one_is_asked_for(
    app: dict[str, Any],
    version: str,
    asked: str | None,
    runs: str,
    mismatch: bool,  # noqa: FBT001 - one case a row
) -> None:
    """A customer's version is never taken for a build's id."""
    assert App.model_validate({**PLAIN, **app}).build_for(asked, version) == (runs, mismatch)


def test_build_of_the_customers_version_runs_and_a_mismatch_is_shown(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**SECTIONS, **{"appetize.apps.bank": {**PLAIN, "builds": {"5.4.1": "b_2"}}})
    has(world, app_version="5.4.1")
    fits = hand_off(world, "bank")
    assert "build_mismatch" not in fits
    assert configured(world, fits)["buildId"] == "b_2"
    has(world, app_version="4.0.0")
    assert hand_off(world, "bank")["build_mismatch"] is True
    page: EmbedPage = at_page(world, "bank")
    assert "not the version that the customer has" in page.show().text
    state = page.call("state").json
    assert (state["build"], state["build_mismatch"]) == ("b_1", True)
    assert page.call("config").json["buildId"] == "b_1"
    body = {"impersonation": fits["impersonation_id"], "app": "bank", "build": "5.4.1"}
    asked = world.api("POST", "/appetize/handoffs", "agent", json=body).json
    assert "build_mismatch" not in asked
    assert configured(world, asked)["buildId"] == "b_2"
