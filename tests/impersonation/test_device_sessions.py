"""The grace time after a device session: within the clock, for the same agent, without a new consent (section 4)."""

from typing import Any

import pytest

from authserver.storage import impersonations
from tests.conftest import MakeWorld
from tests.world import ISSUER, START, Answer, World, error

GRACE = 180


def device(world: World, impersonation_id: str, who: str | None = "agent", **more: Any) -> Answer:
    """Report that the device session ended."""
    body = {"state": "ended", **more.pop("json", {})}
    return world.api("POST", f"/api/v1/impersonations/{impersonation_id}/device", who, json=body, **more)


def handed(world: World, impersonation_id: str) -> str:
    shown = {"impersonation": impersonation_id, "app": "demo-bank"}
    created = world.api("POST", "/appetize/handoffs", "agent", json=shown)
    assert created.status_code == 201, created.text
    return str(created.json["id"])


def configured(world: World, handoff_id: str) -> Answer:
    return world.api("POST", f"/appetize/handoffs/{handoff_id}/config", "agent", json={})


def device_token(world: World, impersonation_id: str) -> tuple[str, str]:
    """Open a device; return its handoff and its token."""
    handoff_id = handed(world, impersonation_id)
    answer = configured(world, handoff_id)
    assert answer.status_code == 200, answer.text
    return handoff_id, str(answer.json["params"]["impersonatedUserToken"])


def grace(world: World, impersonation_id: str) -> int | None:
    with world.work() as work:
        record = impersonations.find(work.session, impersonation_id)
        assert record is not None
        return record.grace_until


def names(world: World, impersonation_id: str) -> list[str]:
    return [event["name"] for event in world.events(None, impersonation_id)]


# --- it runs


def test_ended_device_leaves_it_active_for_a_grace_time(world: World) -> None:
    started = world.start().json["id"]
    _, token = device_token(world, started)
    world.clock.pass_(100)
    reported = device(world, started)
    assert (reported.status_code, reported.json["state"]) == (200, "active")
    assert reported.json["grace_until"] == "2027-01-15T08:04:40.000Z"
    [event] = world.events("device_session:ended", started)
    assert (event["actor"], event["by"]) == (world.id("agent"), world.id("agent"))
    assert event["grace_until"] == START + 100 + GRACE
    world.clock.pass_(GRACE - 1)
    assert world.introspect(token)["active"]


def test_second_report_prolongs_nothing_and_leaves_no_event(world: World) -> None:
    started = world.start().json["id"]
    first = device(world, started).json["grace_until"]
    world.clock.pass_(60)
    assert device(world, started).json["grace_until"] == first
    assert len(world.events("device_session:ended", started)) == 1


def test_grace_time_is_never_longer_than_the_clock(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start(expires_in=120).json
    assert device(world, started["id"]).json["grace_until"] == started["expires_at"]
    world.clock.pass_(120)
    world.wired.jobs.tick()
    [event] = world.events("impersonation:ended", started["id"])
    assert event["end_reason"] == "clock"


def test_impersonation_ends_with_its_grace_time(make_world: MakeWorld) -> None:
    world = make_world()
    exchanged = world.way_a().json
    started = exchanged["impersonation_id"]
    assert world.introspect(exchanged["access_token"])["active"]
    device(world, started)
    world.clock.pass_(GRACE - 1)
    world.wired.jobs.tick()
    assert world.events("impersonation:ended", started) == []
    world.clock.pass_(1)
    assert world.introspect(exchanged["access_token"]) == {"active": False}  # before any job has run
    assert error(world.way_c(exchanged["impersonation"])) == "expired_token"
    assert world.api("POST", "/appetize/handoffs", "agent", json={"impersonation": started, "app": "demo-bank"}).json[
        "error"
    ] == ("conflict")
    world.wired.jobs.tick()
    [event] = world.events("impersonation:ended", started)
    assert (event["state"], event["end_reason"], event["ended_by"]) == ("ended", "grace", "system")


# --- a device is opened again


def test_same_agent_opens_a_device_again_without_a_new_consent(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start(target="customer-ask").json["id"]
    world.decide(started, "consent", "customer-ask")
    device_token(world, started)
    device(world, started)
    world.clock.pass_(GRACE - 1)
    _, token = device_token(world, started)
    assert grace(world, started) is None
    world.clock.pass_(2 * GRACE)
    world.wired.jobs.tick()
    assert world.introspect(token)["active"]
    assert len(world.events("consent:decided", started)) == 1
    assert names(world, started)[-4:] == [
        "handoff:created",
        "device_session:reopened",
        "token:issued",
        "handoff:configured",
    ]


def test_device_may_be_closed_and_opened_again_and_again_within_the_clock(world: World) -> None:
    started = world.start(expires_in=600).json["id"]
    for _ in range(4):
        device_token(world, started)
        device(world, started)
        world.clock.pass_(GRACE - 60)
    device_token(world, started)
    world.clock.pass_(600 - 4 * (GRACE - 60))
    world.wired.jobs.tick()
    assert world.events("impersonation:ended", started)[0]["end_reason"] == "clock"


def test_handoff_alone_opens_no_device(world: World) -> None:
    started = world.start().json["id"]
    device(world, started)
    handed(world, started)
    assert grace(world, started) == START + GRACE


def test_handoff_made_in_time_opens_nothing_after_it(world: World) -> None:
    started = world.start().json["id"]
    device(world, started)
    world.clock.pass_(GRACE - 1)
    handoff_id = handed(world, started)
    world.clock.pass_(1)
    assert configured(world, handoff_id).status_code == 410
    assert world.events("device_session:reopened") == []


def test_another_agent_opens_nothing_in_the_grace_time(world: World) -> None:
    started = world.start().json["id"]
    handoff_id = handed(world, started)
    device(world, started)
    body = {"impersonation": started, "app": "demo-bank"}
    assert world.api("POST", "/appetize/handoffs", "agent2", json=body).status_code == 404
    assert world.api("POST", "/appetize/handoffs", "lead", json=body).status_code == 403
    assert world.api("POST", f"/appetize/handoffs/{handoff_id}/config", "agent2", json={}).status_code == 404
    assert grace(world, started) == START + GRACE


def test_customer_who_withdraws_ends_it_in_the_grace_time_too(world: World) -> None:
    started = world.start(target="customer-ask").json["id"]
    world.decide(started, "consent", "customer-ask")
    device(world, started)
    world.decide(started, "consent", "customer-ask", "deny")
    assert world.api("POST", "/appetize/handoffs", "agent", json={"impersonation": started, "app": "demo-bank"}).json[
        "error"
    ] == ("conflict")


# --- who reports


@pytest.mark.parametrize("on_behalf", [False, True])
def test_its_own_token_reports_the_end_of_the_device(world: World, on_behalf: bool) -> None:  # noqa: FBT001 - a table
    started = world.start().json["id"]
    _, token = device_token(world, started)
    if on_behalf:
        token = world.way_d(token).json["access_token"]
    reported = device(world, started, None, token=token)
    assert (reported.status_code, reported.json["grace_until"]) == (200, "2027-01-15T08:03:00.000Z")
    assert world.events("device_session:ended")[0]["by"] == ("backend" if on_behalf else world.id("agent"))


@pytest.mark.parametrize(
    ("who", "status"), [("agent2", 404), ("vip", 404), ("customer", 403), ("lead", 403), ("admin", 403)]
)
def test_nobody_else_reports_the_end_of_the_device(world: World, who: str, status: int) -> None:
    started = world.start().json["id"]
    assert device(world, started, who).status_code == status
    assert grace(world, started) is None


def test_token_of_another_impersonation_reports_nothing(world: World) -> None:
    started = world.start().json["id"]
    assert device(world, started, None, token=world.way_a("agent2").json["access_token"]).status_code == 403
    assert grace(world, started) is None


@pytest.mark.parametrize("body", [{"state": "started"}, {"state": "ended", "until": 1}, {"handoff": "../x"}])
def test_report_of_another_form_is_400(world: World, body: dict[str, Any]) -> None:
    started = world.start().json["id"]
    assert device(world, started, json=body).status_code == 400
    assert grace(world, started) is None


def test_report_on_what_waits_is_409_and_on_what_is_over_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    waiting, over = world.start(target="vip").json["id"], world.start().json["id"]
    ended = world.end(over).json
    assert device(world, waiting).json["error"] == "conflict"
    assert (device(world, over).status_code, device(world, over).json) == (200, ended)
    assert world.events("device_session:ended") == []


# --- which device


def test_late_report_of_an_older_device_does_not_touch_the_one_that_is_open(world: World) -> None:
    started = world.start().json["id"]
    older, _ = device_token(world, started)
    world.clock.pass_(1)
    newer, _ = device_token(world, started)
    assert device(world, started, json={"handoff": older}).json["grace_until"] is None
    assert device(world, started, json={"handoff": newer}).json["grace_until"] == "2027-01-15T08:03:01.000Z"


def test_report_of_a_handoff_that_opened_no_device_of_it_changes_nothing(world: World) -> None:
    started = world.start().json["id"]
    foreign, _ = device_token(world, world.start(ticket_id="BANK-2").json["id"])
    for handoff in (handed(world, started), foreign, "hnd_unknown"):
        assert device(world, started, json={"handoff": handoff}).json["grace_until"] is None


def test_grace_time_is_as_long_as_is_set(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(impersonation={"grace_seconds": 5})
    reported = device(world, world.start().json["id"])
    assert reported.json["grace_until"] == "2027-01-15T08:00:05.000Z"
    assert ISSUER not in reported.text
