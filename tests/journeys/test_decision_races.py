"""Decisions that are made at the same moment, on both databases: one order holds, and the trail tells it."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.conftest import MakeWorld
from tests.consenting import approve, asking, consent, enter, extend, read, with_codes, wrong
from tests.journeys.at_once import at_once, prove, statuses
from tests.world import Answer, World

ROUNDS = 3
Sent = list[tuple[str, str]]


@pytest.fixture
def codes(make_world: MakeWorld) -> Iterator[tuple[World, Sent]]:
    """A server on each database that sends codes; whatever raced in it, its trail has no fork and no gap."""
    made, sent = with_codes(make_world)
    yield made, sent
    report = prove(made)
    assert report.ok, report.findings


@pytest.fixture
def world(codes: tuple[World, Sent]) -> World:
    return codes[0]


def _end(world: World, impersonation_id: str) -> Answer:
    return world.end(impersonation_id)


def _grant(world: World) -> str:
    given = world.api("POST", "/api/v1/consents", "customer-ask", json={"expires_in": 3600})
    return str(given.json["id"])


def _withdraw(world: World, consent_id: str) -> Answer:
    return world.api("POST", f"/api/v1/consents/{consent_id}/withdraw", "customer-ask")


def _way_a(world: World, ticket_id: str) -> Answer:
    return world.way_a(target="customer-ask", ticket_id=ticket_id)


def test_yes_and_no_of_one_lead_at_once_leave_nothing_open(world: World) -> None:
    """Whichever comes first, the no is heard: as a refusal, or as a withdrawal that is signed as one."""
    for number in range(ROUNDS):
        started = world.way_a(target="vip", ticket_id=f"BANK-{number}").json
        call = partial(approve, impersonation_id=started["impersonation_id"])
        approved, denied = at_once(world, partial(call, decision="approve"), partial(call, decision="deny"))
        assert denied.status_code == 200, denied.text
        decided = [event["decision"] for event in world.events("approval:decided", started["impersonation_id"])]
        order = {200: (["approve", "withdraw"], "revoked"), 409: (["deny"], "denied")}
        assert (decided, read(world, started["impersonation_id"])["state"]) == order[approved.status_code]


def test_consent_and_the_end_of_standing_consent_at_once_are_in_one_order(world: World) -> None:
    for number in range(ROUNDS):
        given = _grant(world)
        started, withdrawn = at_once(
            world, partial(_way_a, ticket_id=f"BANK-{number}"), partial(_withdraw, consent_id=given)
        )
        assert withdrawn.status_code == 200, withdrawn.text
        if started.status_code == 200:
            assert not world.introspect(started.json["access_token"])["active"]
        else:
            assert started.json["error"] == "consent_required"


def test_withdrawal_while_what_rests_on_it_ends_revokes_the_rest(world: World) -> None:
    for number in range(ROUNDS):
        given = _grant(world)
        ids = [_way_a(world, f"BANK-{number}{n}").json["impersonation_id"] for n in range(3)]
        ended, withdrawn = at_once(world, partial(_end, impersonation_id=ids[1]), partial(_withdraw, consent_id=given))
        assert statuses([ended, withdrawn]) == [200, 200]
        assert [read(world, one)["state"] for one in (ids[0], ids[2])] == ["revoked", "revoked"]
        assert read(world, ids[1])["state"] in {"ended", "revoked"}


def test_extension_and_end_at_once_leave_nothing_active(world: World) -> None:
    for number in range(ROUNDS):
        started = world.start(expires_in=600, ticket_id=f"BANK-{number}").json["id"]
        extended, ended = at_once(
            world, partial(extend, impersonation_id=started), partial(_end, impersonation_id=started)
        )
        assert (extended.status_code in {200, 409}, ended.status_code) == (True, 200)
        assert read(world, started)["state"] == "ended"


def test_same_extension_asked_and_refused_at_once_is_granted_or_not(world: World) -> None:
    for number in range(ROUNDS):
        started = asking(world, expires_in=600, ticket_id=f"BANK-{number}")["id"]
        consent(world, started)
        extend(world, started)
        yes, no = at_once(
            world,
            partial(consent, impersonation_id=started, decision="approve"),
            partial(consent, impersonation_id=started, decision="deny"),
        )
        assert statuses([no]) == [200]
        shown = read(world, started)
        # A no that comes second withdraws the consent to all of it; one that comes first drops the extension alone.
        assert yes.status_code == 200, yes.text
        assert (shown["state"], shown["expires_in"]) in {("revoked", 3600), ("active", 600)}


def test_right_code_entered_by_many_at_once_is_one_consent(codes: tuple[World, Sent]) -> None:
    world, sent = codes
    for number in range(ROUNDS):
        waiting = asking(world, consent_way="code", ticket_id=f"BANK-{number}")["id"]
        answers = at_once(world, *[partial(enter, impersonation_id=waiting, code=sent[-1][1])] * 4)
        assert statuses(answers) == [200, 409, 409, 409]
        assert len(world.events("consent:decided", waiting)) == 1
        world.clock.pass_(60)


def test_wrong_codes_at_once_are_counted_one_by_one(codes: tuple[World, Sent]) -> None:
    world, sent = codes
    waiting = asking(world, consent_way="code")["id"]
    answers = at_once(world, *[partial(enter, impersonation_id=waiting, code=wrong(sent[-1][1]))] * 8)
    assert statuses(answers) == [400] * 5 + [409] * 3
    assert [event["left"] for event in world.events("consent_code:tried", waiting)] == [4, 3, 2, 1, 0]
    assert read(world, waiting)["state"] == "denied"
