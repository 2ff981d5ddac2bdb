"""Disabling races with starting: whoever commits first, nothing is active for the disabled afterwards."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from authserver.impersonation.enablement import Enablement
from authserver.protocol.names import OPEN_STATES
from authserver.storage import listings
from authserver.storage.listings import Filters, Viewer
from tests.world import Answer, World

STARTERS = 7


def disable(world: World, who: str) -> None:
    enablement = Enablement(world.wired.lifecycle, world.wired.trail, world.wired.clock)
    with world.work() as work:
        if who == "backend":
            enablement.disable_client(work, who, by="test")
        else:
            enablement.disable_person(work, world.id(who), by="test")


@pytest.mark.parametrize("who", ["agent", "customer", "backend"])
def test_nothing_that_starts_beside_a_disabling_stays_open(make_world: Callable[..., World], who: str) -> None:
    world = make_world()
    together = Barrier(STARTERS + 1)

    def start(number: int) -> Answer:
        own = World(world.app, world.clock, world.credentials)
        together.wait()
        return own.way_a(reason=f"reason {number}")

    def stop() -> None:
        together.wait()
        disable(world, who)

    with ThreadPoolExecutor(STARTERS + 1) as pool:
        starts = [pool.submit(start, number) for number in range(STARTERS)]
        pool.submit(stop).result()
        answers = [future.result() for future in starts]
    assert {answer.status_code for answer in answers} <= {200, 400, 401}
    for answer in answers:
        if answer.status_code == 200:
            assert world.introspect(answer.json["access_token"]) == {"active": False}
    with world.work() as work:
        assert listings.page(work.session, Viewer(), Filters(states=OPEN_STATES), limit=9) == []
