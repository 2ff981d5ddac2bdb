"""How often one impersonation can be handed off: a bound on what one agent can have a device asked for."""

from pathlib import Path

import pytest

from authserver.settings import SettingsError
from tests.appetize.handing_off import SECTIONS, hand_off
from tests.appetize.test_apps import loaded
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, statuses
from tests.world import Answer, World


def limited(make: MakeWorld, most: int) -> World:
    return make(**{**SECTIONS, "appetize": {**SECTIONS["appetize"], "max_handoffs": most}})


def ask(world: World, impersonation: str) -> Answer:
    body = {"impersonation": impersonation, "app": "by-code"}
    return world.api("POST", "/appetize/handoffs", "agent", json=body)


def test_impersonation_is_handed_off_so_often_and_no_more(make_sqlite_world: MakeWorld) -> None:
    world = limited(make_sqlite_world, 2)
    first = hand_off(world)["impersonation_id"]
    assert ask(world, first).status_code == 201
    for _ in range(2):
        refused = ask(world, first)
        assert (refused.status_code, refused.json["error"]) == (409, "conflict")
        assert "start another" in refused.json["detail"]
    assert [event["reason"] for event in world.events("request:refused")] == ["handoff.too_many"] * 2
    assert len(world.events("handoff:created")) == 2
    world.api("POST", f"/api/v1/impersonations/{first}/end", "agent", json={})
    assert ask(world, world.start().json["id"]).status_code == 201


def test_last_handoff_is_had_by_one_of_two_that_ask_at_once(make_world: MakeWorld) -> None:
    world = limited(make_world, 1)
    impersonation = world.start().json["id"]
    assert statuses(at_once(world, *(lambda own: ask(own, impersonation),) * 2)) == [201, 409]


def test_limit_is_thirty_and_none_below_one(tmp_path: Path) -> None:
    assert loaded(tmp_path).appetize.max_handoffs == 30
    with pytest.raises(SettingsError, match=r"appetize\.max_handoffs"):
        loaded(tmp_path, more="[appetize]\nmax_handoffs = 0")
