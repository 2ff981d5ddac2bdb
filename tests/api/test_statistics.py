"""Figures for those who answer for what is done, counted by the database."""

from typing import Any

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
