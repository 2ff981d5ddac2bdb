"""What the embed page reports of its device: stages, the vendor's session, actions by allow-list; and its silence."""

from typing import Any

import pytest

from tests.appetize.handing_off import (
    SECTIONS,
    EmbedPage,
    at_page,
    fresh_code,
    hand_off,
    redeem,
    ticket_of,
)
from tests.conftest import MakeWorld
from tests.world import World

AT = "2027-01-15T08:00:00Z"
"""The instant at which the tests' clock begins."""


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**SECTIONS)


def running(world: World, app: str = "by-code", **start: Any) -> EmbedPage:
    """An open page whose device was configured."""
    page = at_page(world, app, **start)
    page.handoff["code"] = page.call("config").json["params"].get("impersonatedUserToken")
    return page


def stage(page: EmbedPage, name: str, **more: Any) -> None:
    answer = page.call("events", {"stages": [{"stage": name, "at": AT}], **more})
    assert answer.status_code == 200, answer.text


def tick(world: World) -> None:
    """Let the background loop do what is due."""
    world.wired.jobs.tick()


def grace(page: EmbedPage) -> int | None:
    """Return for how many seconds still the impersonation lives, as the page is told; None when it is over."""
    shown = page.call("state").json
    return int(shown["seconds_left"]) if shown["state"] == "active" else None


def ended(world: World, page: EmbedPage) -> bool:
    path = f"/api/v1/impersonations/{page.handoff['impersonation_id']}"
    return bool(world.api("GET", path, "agent").json["state"] != "active")


# --- actions


def test_event_is_kept_with_its_time_and_the_type_and_identifier_of_its_element_alone(world: World) -> None:
    page = running(world)
    told = {
        "id": "1",
        "event": "tap",
        "at": AT,
        "text": "hunter2",
        "value": "hunter2",
        "x": 117,
        "keys": ["h"],
        "element": {
            "type": "android.widget.Button",
            "identifier": "com.bank:id/transfer",
            "label": "Pay hunter2",
            "text": "hunter2",
            "bounds": {"x": 117},
        },
    }
    answer = page.call("events", {"events": [told]})
    assert answer.json == {"accepted": 1, "known": 0, "left_out": 0}
    path = f"/api/v1/impersonations/{page.handoff['impersonation_id']}/actions"
    listed = world.api("GET", path, "agent")
    [action] = listed.json["items"]
    assert (action["kind"], action["reported_by"]) == ("device.tap", page.handoff["id"])
    assert action["details"] == {"element_type": "android.widget.Button", "element_id": "com.bank:id/transfer"}
    assert "hunter2" not in listed.text
    assert "117" not in str(action["details"])
    assert page.call("events", {"events": [told]}).json["known"] == 1


@pytest.mark.parametrize("name", ["log", "network", "video", "hunter2", "TAP", ""])
def test_event_that_is_not_on_the_list_is_left_out(world: World, name: str) -> None:
    page = running(world)
    answer = page.call("events", {"events": [{"id": "1", "event": name, "at": AT}]})
    assert answer.json == {"accepted": 0, "known": 0, "left_out": 1}
    assert world.events("actions:reported") == []


@pytest.mark.parametrize("identifier", ["Pay 100 to Bob", "hunter2!", "x" * 129, 7, ["a"], {"a": "b"}, "a\u0000b"])
def test_identifier_that_is_no_programs_name_is_left_out(world: World, identifier: Any) -> None:
    page = running(world)
    event = {"id": "1", "event": "tap", "at": AT, "element": {"identifier": identifier}}
    assert page.call("events", {"events": [event]}).json["accepted"] == 1
    path = f"/api/v1/impersonations/{page.handoff['impersonation_id']}/actions"
    assert world.api("GET", path, "agent").json["items"][0]["details"] == {}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"events": [{"id": "1", "event": "tap"}]},
        {"events": [{"id": "../", "event": "tap", "at": AT}]},
        {"events": [{"id": "1", "event": "tap", "at": "yesterday"}]},
        {"events": [{"id": str(number), "event": "tap", "at": AT} for number in range(101)]},
        {"stages": [{"stage": "exploded", "at": AT}]},
    ],
)
def test_report_that_does_not_fit_is_400_and_keeps_nothing(world: World, body: Any) -> None:
    page = running(world)
    assert page.call("events", body).status_code == 400
    assert world.events("actions:reported") == []


def test_clock_of_the_page_that_is_ahead_loses_nothing(world: World) -> None:
    page = running(world)
    event = {"id": "1", "event": "tap", "at": "2037-01-15T08:00:00Z"}
    assert page.call("events", {"events": [event]}).json["accepted"] == 1
    path = f"/api/v1/impersonations/{page.handoff['impersonation_id']}/actions"
    assert world.api("GET", path, "agent").json["items"][0]["at"].startswith("2027-01-15T08:00:00")


def test_what_was_done_is_still_told_for_a_moment_after_the_end(world: World) -> None:
    page = running(world)
    page.call("end")
    told = {"events": [{"id": "1", "event": "tap", "at": AT}]}
    assert page.call("events", told).json["accepted"] == 1
    world.clock.pass_(60)
    assert page.call("events", {"events": [{"id": "2", "event": "tap", "at": AT}]}).status_code == 409


# --- stages


def test_stages_and_the_vendors_session_are_kept_for_the_reviewer(world: World) -> None:
    page = running(world)
    for name in ("requested", "started", "first_frame", "app_launched"):
        world.clock.pass_(1)
        stage(page, name, session="ses-0f3a")
    stage(page, "started", session="another")
    world.clock.pass_(1)
    stage(page, "ended")
    [started] = world.events("handoff:started")
    assert (started["app"], started["device_session"]) == ("by-code", "ses-0f3a")
    [closed] = world.events("handoff:closed")
    known = {name: closed[name] for name in ("device_session", "by")}
    assert known == {"device_session": "ses-0f3a", "by": world.id("agent")}
    assert all(closed[f"{name}_ms"] for name in ("requested", "started", "first_frame", "app_launched", "ended"))


def test_code_lives_a_minute_once_the_device_reports_its_session(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    pages = [running(world) for _ in range(2)]
    world.clock.pass_(100)
    for page in pages:
        stage(page, "started")
    world.clock.pass_(59)
    assert redeem(world, pages[0].handoff["code"]).status_code == 200
    world.clock.pass_(1)
    assert redeem(world, pages[1].handoff["code"]).status_code == 400


def test_report_of_its_session_lengthens_no_code(world: World) -> None:
    page = running(world)
    world.clock.pass_(590)
    stage(page, "started")
    world.clock.pass_(10)
    assert redeem(world, page.handoff["code"]).status_code == 400


def test_device_that_ended_gets_no_more_codes(world: World) -> None:
    page = running(world)
    stage(page, "ended")
    assert redeem(world, page.handoff["code"]).status_code == 400
    assert page.call("code").status_code == 410


# --- the grace time


def test_end_of_the_device_begins_the_grace_time_and_another_device_stops_it(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    page = running(world)
    stage(page, "ended")
    assert grace(page) == 180
    world.clock.pass_(179)
    assert not ended(world, page)
    world.clock.pass_(1)
    tick(world)
    assert ended(world, page)


def test_same_agent_opens_a_device_again_within_the_grace_time(world: World) -> None:
    page = running(world)
    world.clock.pass_(100)
    stage(page, "ended")
    world.clock.pass_(100)
    again = hand_off(world, "by-link", started=page.handoff["impersonation_id"])
    late = world.api("POST", f"/appetize/handoffs/{again['id']}/config", "agent", json={})
    assert late.status_code == 200
    assert fresh_code(world, again).status_code == 200
    world.clock.pass_(200)
    tick(world)
    assert not ended(world, page)


@pytest.mark.parametrize(("seconds", "silent"), [(29, False), (30, True)])
def test_page_that_falls_silent_begins_the_grace_time(world: World, seconds: int, silent: bool) -> None:  # noqa: FBT001
    running(world)
    world.clock.pass_(seconds)
    tick(world)
    assert bool(world.events("device_session:ended")) is silent


def test_page_that_comes_back_stops_the_grace_time(make_world: MakeWorld) -> None:
    world = make_world(**SECTIONS)
    page = running(world)
    world.clock.pass_(60)
    tick(world)
    tick(world)
    assert len(world.events("device_session:ended")) == 1
    assert (grace(page) or 0) > 180
    assert len(world.events("device_session:reopened")) == 1


def test_page_that_is_heard_of_keeps_its_device(world: World) -> None:
    page = running(world)
    for _ in range(4):
        world.clock.pass_(20)
        assert page.call("state").status_code == 200
        tick(world)
    assert world.events("device_session:ended") == []


def test_page_that_stays_silent_ends_the_impersonation(world: World) -> None:
    page = running(world)
    world.clock.pass_(30)
    tick(world)
    world.clock.pass_(180)
    tick(world)
    assert ended(world, page)
    assert page.call("state").json["state"] == "ended"


def test_page_that_only_waits_for_a_decision_has_no_device(world: World) -> None:
    at_page(world, target="customer-ask")
    world.clock.pass_(40)
    tick(world)
    assert world.events("device_session:ended") == []


def test_older_devices_silence_means_nothing_once_another_is_open(world: World) -> None:
    page = running(world)
    world.clock.pass_(20)
    newer = EmbedPage(page.browser, hand_off(world, "by-link", started=page.handoff["impersonation_id"]))
    newer.present(ticket_of(newer.ask()))
    assert newer.call("config").status_code == 200
    world.clock.pass_(20)
    tick(world)
    assert world.events("device_session:ended") == []
