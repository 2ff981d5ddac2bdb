"""Figures for those who answer for what is done, counted by the database."""

from typing import Any

import pytest
from sqlalchemy import text

from authserver.storage import governance, impersonations
from authserver.storage.database import Work
from tests.conftest import MakeWorld
from tests.world import Answer, World

STATISTICS = "/api/v1/statistics"
TODAY = "2027-01-15"


def figures(world: World, who: str = "auditor", **query: Any) -> Answer:
    return world.api("GET", STATISTICS, who, query_string=query)


def test_figures_tell_of_days_agents_reasons_outcomes_and_lengths(make_world: MakeWorld) -> None:
    world = make_world()
    one, two = world.start().json["id"], world.start("agent2").json["id"]
    world.start(target="vip", ticket_id="BANK-7")
    world.clock.pass_(120)
    world.end(one)
    world.clock.pass_(60)
    answer = figures(world)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    shown = answer.json
    assert (len(shown["by_day"]), shown["by_day"][-1]) == (
        31,
        {"day": TODAY, "count": 3, "ended": 1, "denied": 0, "refused": 0},
    )
    agents = {row["id"]: (row["name"], row["count"], row["seconds"]) for row in shown["by_agent"]}
    assert agents[world.id("agent2")][1:] == (1, 180)
    assert agents[world.id("agent")][1:] == (2, 120)
    assert shown["by_reason"] == [{"code": "customer_initiated_support", "count": 3}]
    outcomes = {row["outcome"]: row["count"] for row in shown["by_outcome"]}
    assert outcomes == {"active": 1, "awaiting_approval": 1, "ended": 1}
    assert [row["count"] for row in shown["lengths"]] == [0, 1, 0, 0, 0, 0]
    assert (shown["lengths"][1]["from_seconds"], shown["lengths"][1]["to_seconds"]) == (60, 300)
    assert shown["lengths"][-1]["to_seconds"] is None
    assert (shown["since"], shown["until"]) == ("2026-12-16T08:03:00.001Z", "2027-01-15T08:03:00.001Z")
    assert two not in answer.text


def test_refusals_are_counted_by_their_private_reason_to_readers_of_the_trail_alone(make_world: MakeWorld) -> None:
    """By the reason a lead could find out who is privileged, or is no customer at all."""
    world = make_world()
    assert world.api("GET", "/api/v1/users", "agent").status_code == 403
    assert world.start(target="lead").status_code == 403
    for who in ("auditor", "admin"):
        found = figures(world, who).json
        assert {row["reason"]: row["count"] for row in found["refusals"]}.items() >= {("access.table", 1)}
        assert found["by_day"][-1]["refused"] == 2
    assert figures(world, "lead").json["refusals"] == [
        {"reason": "access_denied", "count": 1},
        {"reason": "insufficient_scope", "count": 1},
    ]


def test_what_is_owed_is_shown_with_when_it_is_due(make_world: MakeWorld) -> None:
    world = make_world()
    withheld = world.start(target="vip", reason_code="legal_request").json["id"]
    body = {"decision": "approve", "withhold_notice_until": 3600}
    assert world.api("POST", f"/api/v1/impersonations/{withheld}/approval", "lead", json=body).status_code == 200
    broken = world.start("agent2").json["id"]
    with world.work() as work:
        work.lock()
        due_at = world.clock.now() + 60
        governance.owe_report(work.session, broken, world.id("agent2"), owed_at=due_at - 60, due_at=due_at)
    owed = figures(world, "lead").json["owed"]
    assert owed["notices"] == [{"impersonation": withheld, "due_at": "2027-01-15T09:00:00.000Z"}]
    [report] = owed["reports"]
    assert (report["impersonation"], report["actor"]["id"]) == (broken, world.id("agent2"))
    assert (report["due_at"], report["overdue"]) == ("2027-01-15T08:01:00.000Z", False)
    world.clock.pass_(60)
    assert figures(world).json["owed"]["reports"][0]["overdue"] is True
    with world.work() as work:
        work.lock()
        governance.file_report(work.session, broken, report="done", session_id=_session(work, broken), now=due_at)
    assert figures(world).json["owed"]["reports"] == []


def _session(work: Work, impersonation_id: str) -> str:
    found = impersonations.find(work.session, impersonation_id)
    assert found is not None
    return found.actor_session_id


def test_days_are_all_there_and_those_outside_are_not_counted(make_world: MakeWorld) -> None:
    world = make_world()
    world.start()
    before = figures(world, since="2027-01-10T12:00:00Z", until="2027-01-12T00:00:00Z").json
    assert [day["day"] for day in before["by_day"]] == ["2027-01-10", "2027-01-11"]
    assert (before["by_agent"], before["by_outcome"], before["refusals"]) == ([], [], [])
    assert {day["count"] for day in before["by_day"]} == {0}
    year = figures(world, since="2026-01-15T00:00:00Z", until="2027-01-16T00:00:00Z").json
    assert (len(year["by_day"]), year["by_day"][-1]["count"]) == (366, 1)


def test_event_that_was_tampered_with_fails_no_count(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(2):
        world.api("GET", "/api/v1/users", "agent")
    with world.work() as work:
        work.lock()
        broken = text("UPDATE audit_events SET payload = '{broken' WHERE seq = :seq")
        work.session.execute(broken, {"seq": world.events("request:refused")[0]["seq"]})
    assert figures(world).json["refusals"] == [{"reason": "", "count": 1}, {"reason": "access.table", "count": 1}]


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2027-01-15T08:00:00Z", "until": "2027-01-15T08:00:00Z"},
        {"since": "2027-01-16T00:00:00Z"},
        {"since": "2026-01-14T00:00:00Z", "until": "2027-01-16T00:00:00Z"},
        {"until": "0001-01-01T00:00:00Z"},
        {"since": "now"},
        {"days": 3},
    ],
    ids=repr,
)
def test_span_that_is_none_or_too_long_is_400(world: World, query: dict[str, Any]) -> None:
    refused = figures(world, **query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert world.events("trail:read") == []


@pytest.mark.parametrize("who", ["agent", "customer"])
def test_nobody_else_sees_figures(world: World, who: str) -> None:
    assert figures(world, who).status_code == 403
    assert world.events("request:refused")[-1]["endpoint"] == "api.read_statistics"


def test_looking_at_figures_is_recorded(world: World) -> None:
    figures(world, "lead", since="2027-01-01T00:00:00Z")
    [event] = world.events("trail:read")
    assert (event["reader"], event["how"]) == (world.id("lead"), "statistics")
    assert event["query"]["since"] == "2027-01-01T00:00:00.000Z"
