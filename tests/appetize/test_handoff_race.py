"""What a handoff gives out once it gives once, whoever asks at the same instant (design section 6)."""

from functools import partial

import pytest

from tests.appetize.handing_off import (
    BOTH,
    EMBED,
    SECTIONS,
    at_page,
    hand_off,
    new_code,
    redeem,
    renew,
    ticket_of,
    unopened,
)
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, prove, statuses
from tests.world import ISSUER, Answer, World

THREADS = 8


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(**SECTIONS)


def whole(world: World) -> None:
    report = prove(world)
    assert report.ok, report.findings


def test_race_for_the_configuration_gives_exactly_one_token(world: World) -> None:
    handoff = hand_off(world, "demo-bank")
    path = f"/appetize/handoffs/{handoff['id']}/config"
    answers = at_once(world, *[partial(World.api, method="POST", path=path, who="agent", json={})] * THREADS)
    assert statuses(answers) == [200] + [410] * (THREADS - 1)
    assert len(world.events("handoff:configured")) == 1
    assert len([event for event in world.events("token:issued") if event["way"] == "handoff"]) == 1


def test_race_for_the_configuration_makes_exactly_one_code(world: World) -> None:
    page = at_page(world)
    cookie = page.browser.http.get_cookie(f"authserver-embed-{page.handoff['id']}", domain="localhost", path=page.path)
    assert cookie is not None

    def fetch(own: World) -> Answer:
        own.http.set_cookie(cookie.key, cookie.value, domain="localhost", path=page.path)
        headers = {"Origin": EMBED}
        return Answer.of(own.http.post(f"{page.path}/config", json={}, headers=headers, base_url=EMBED))

    assert statuses(at_once(world, *[fetch] * THREADS)) == [200] + [410] * (THREADS - 1)
    assert len(world.events("handoff-code:created")) == 1
    whole(world)


def test_race_for_a_waiting_device_gives_one_configuration(world: World) -> None:
    handoff = hand_off(world, "by-link", target="customer-ask")
    path = f"/appetize/handoffs/{handoff['id']}/config"
    answers = at_once(world, *[partial(World.api, method="POST", path=path, who="agent", json={})] * THREADS)
    assert statuses(answers) == [200] + [410] * (THREADS - 1)
    assert len(world.events("handoff:configured")) == 1


def test_race_for_a_ticket_opens_one_page(world: World) -> None:
    page = unopened(world)
    ticket = ticket_of(page.ask())

    def present(own: World) -> Answer:
        form, headers = {"ticket": ticket}, {"Origin": ISSUER}
        return Answer.of(own.http.post(page.path, data=form, headers=headers, base_url=EMBED))

    assert statuses(at_once(world, *[present] * THREADS)) == [303] + [410] * (THREADS - 1)
    assert len(world.events("handoff:opened")) == 1
    whole(world)


def test_race_for_a_code_gives_once_and_then_revokes(world: World) -> None:
    """Of many that hold one code all but one hold a copy: what the first got dies."""
    code, _ = new_code(world, resource=BOTH)
    answers = at_once(world, *[partial(redeem, code=code)] * THREADS)
    assert statuses(answers) == [200] + [400] * (THREADS - 1)
    [given] = [answer.json for answer in answers if answer.status_code == 200]
    assert [world.introspect(given["tokens"][0]["access_token"])] == [{"active": False}]
    assert len(world.events("handoff-code:redeemed")) == len(world.events("handoff-code:replayed")) == 1
    whole(world)


def test_what_is_renewed_while_its_code_is_replayed_is_dead_afterwards(world: World) -> None:
    code, _ = new_code(world)
    token = redeem(world, code).json["access_token"]
    renewals = [partial(renew, token=token)] * (THREADS - 2)
    answers = at_once(world, *renewals, *[partial(redeem, code=code)] * 2)
    assert {answer.status_code for answer in answers[:-2]} <= {200, 401}
    assert [answer.status_code for answer in answers[-2:]] == [400, 400]
    fresh = [answer.json["access_token"] for answer in answers[:-2] if answer.status_code == 200]
    assert [world.introspect(each) for each in (token, *fresh)] == [{"active": False}] * (1 + len(fresh))
    whole(world)


def test_race_for_fresh_codes_makes_one(world: World) -> None:
    _, handoff = new_code(world)
    path = f"/appetize/handoffs/{handoff['id']}/code"
    answers = at_once(world, *[partial(World.api, method="POST", path=path, who="agent")] * THREADS)
    assert statuses(answers) == [200] + [429] * (THREADS - 1)


def test_code_that_is_redeemed_while_all_ends_gives_nothing_that_lives(world: World) -> None:
    code, handoff = new_code(world)
    given, _ = at_once(
        world, partial(redeem, code=code), partial(World.end, impersonation_id=handoff["impersonation_id"])
    )
    assert given.status_code in {200, 400, 403}
    if given.status_code == 200:
        assert world.introspect(given.json["access_token"]) == {"active": False}
    whole(world)
