"""A support code that many redeem, or that is taken back meanwhile, opens at most one impersonation."""

from collections.abc import Iterator
from functools import partial

import pytest

from authserver.impersonation.enablement import Enablement
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, prove, statuses
from tests.support_codes import PATH, make_code, state, way_f
from tests.world import Answer, World, error

THREADS = 8
ROUNDS = 4


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    """The seeded server on each database; whatever raced in it, its trail has no fork and no gap."""
    made = make_world()
    yield made
    report = prove(made)
    assert report.ok, report.findings


def _redeem(world: World, code: str, actor: str = "agent") -> Answer:
    return way_f(world, code, actor)


def _revoke(world: World, code_id: str) -> Answer:
    return world.api("DELETE", f"{PATH}/{code_id}", "customer-ask")


def _disable(world: World) -> Answer:
    with world.work() as work:
        wired = world.wired
        Enablement(wired.lifecycle, wired.trail, wired.clock).disable_person(work, world.id("customer-ask"), by="test")
    return world.api("GET", "/healthz")


def _sign_out(world: World) -> Answer:
    with world.work() as work:
        world.wired.sessions.end_all(work, world.id("customer-ask"), by="test")
    return world.api("GET", "/healthz")


def test_a_code_redeemed_by_many_at_once_opens_one_impersonation(world: World) -> None:
    for number in range(ROUNDS):
        code = make_code(world)["support_code"]
        calls = [partial(_redeem, code=code, actor=actor) for actor in ("agent", "agent2", "lead")]
        answers = at_once(world, *calls)
        assert statuses(answers) == [200, 400, 400]
        assert {error(answer) for answer in answers if answer.status_code == 400} == {"invalid_request"}
        assert len(world.events("support-code:redeemed")) == number + 1
        assert len(world.events("impersonation:activated")) == number + 1
        world.clock.pass_(30)  # a wait for wrong codes is over


def test_a_code_taken_back_while_it_is_redeemed_leaves_nothing_open(world: World) -> None:
    for _ in range(ROUNDS):
        made = make_code(world)
        redeemed, revoked = at_once(
            world, partial(_redeem, code=made["support_code"]), partial(_revoke, code_id=made["id"])
        )
        assert statuses([revoked]) == [200]
        if redeemed.status_code == 200:
            assert revoked.json["state"] == "used"
            assert not world.introspect(redeemed.json["access_token"])["active"]
        else:
            assert (error(redeemed), revoked.json["state"]) == ("invalid_request", "revoked")
        assert state(world, made["id"]) in {"used", "revoked"}


@pytest.mark.parametrize("end", [_disable, _sign_out])
def test_a_code_redeemed_while_its_maker_goes_is_redeemed_before_or_never(world: World, end: object) -> None:
    made = make_code(world)
    assert callable(end)
    redeemed, gone = at_once(world, partial(_redeem, code=made["support_code"]), end)
    assert statuses([redeemed, gone])[0] == 200
    if end is _disable and redeemed.status_code == 200:
        assert not world.introspect(redeemed.json["access_token"])["active"]
    assert way_f(world, made["support_code"], "agent2").status_code == 400


def test_no_more_codes_live_than_may_however_many_are_made_at_once(world: World) -> None:
    answers = at_once(world, *[partial(World.api, method="POST", path=PATH, who="customer-ask", json={})] * THREADS)
    assert statuses(answers) == [201] * 3 + [409] * (THREADS - 3)
