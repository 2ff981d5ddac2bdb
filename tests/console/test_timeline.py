"""One impersonation as a timeline, to each who may see it."""

import re

import pytest

from tests.console.staff import Staff, text
from tests.world import Answer, World


def story(world: World) -> str:
    """Tell one: asked, approved, used, refused something, and ended."""
    started = world.start(target="vip", expires_in=600).json
    body = {"decision": "approve", "remark": "seen the ticket"}
    world.api("POST", f"/api/v1/impersonations/{started['id']}/approval", "lead", json=body)
    token = world.way_c(started["handle"]).json["access_token"]
    world.clock.pass_(10)
    action = {"id": "1", "kind": "view.accounts", "at": "2027-01-15T08:00:05Z", "details": {"screen": "accounts"}}
    world.api("POST", f"/api/v1/impersonations/{started['id']}/actions", token=token, json={"actions": [action]})
    world.api("POST", f"/api/v1/impersonations/{started['id']}/extend", token=token, json={"expires_in": 60})
    world.end(started["id"])
    return str(started["id"])


def steps(shown: Answer) -> list[str]:
    return re.findall(r'<div class="step"><strong><bdi>([^<]+)</bdi>', shown.text)


WHOLE = [
    "Requested",
    "Approved",
    "Became active",
    "A token was issued",
    "view.accounts",
    "Performed actions were reported",
    "A call was refused",
    "Ended",
]


@pytest.mark.parametrize("who", ["auditor", "admin", "lead"])
def test_who_sees_all_sees_every_step(world: World, staff: Staff, who: str) -> None:
    told = story(world)
    shown = staff.enter(who, f"/console/impersonations/{told}")
    assert steps(shown) == WHOLE
    assert "Remark: seen the ticket" in text(shown)
    assert "Screen: accounts" in text(shown)
    assert "by Avery Agent" in text(shown)
    assert ("/console/trail/" in shown.text) is (who != "lead")
    assert ("Client address" in text(shown)) is (who != "lead")


def test_its_actor_sees_less(world: World, staff: Staff) -> None:
    told = story(world)
    shown = staff.enter("agent", f"/console/impersonations/{told}")
    assert steps(shown) == [step for step in WHOLE if step != "A call was refused"]
    assert "/console/trail/" not in shown.text
    assert steps(staff.get(f"/console/impersonations/{told}/timeline")) == steps(shown)


def test_another_agent_sees_nothing(world: World, staff: Staff) -> None:
    told = story(world)
    staff.enter("agent2", "/console/")
    for path in ("", "/timeline"):
        assert staff.get(f"/console/impersonations/{told}{path}").status_code == 404


def test_one_that_only_waits_has_its_beginning(world: World, staff: Staff) -> None:
    waiting = world.start(target="vip").json["id"]
    assert steps(staff.enter("auditor", f"/console/impersonations/{waiting}")) == ["Requested"]
