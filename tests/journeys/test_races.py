"""What many ask at the same moment happens once, on both databases; and the trail is whole afterwards."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from authserver.impersonation.enablement import Enablement
from authserver.protocol.names import OPEN_STATES, Role
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, assertion_form, at_once, prove, statuses
from tests.world import Answer, World, error, header

THREADS = 8
ROUNDS = 4


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    """The seeded server on each database; whatever raced in it, its trail has no fork and no gap."""
    made = make_world()
    yield made
    report = prove(made)
    assert report.ok, report.findings
    assert report.events == len(made.events())


def _active(world: World, **ask: str) -> dict[str, Any]:
    answer = world.way_a(**ask)
    assert answer.status_code == 200, answer.text
    return answer.json


def _state(world: World, impersonation_id: str) -> str:
    return str(world.api("GET", f"/api/v1/impersonations/{impersonation_id}", "admin").json["state"])


def _disable(world: World, name: str) -> None:
    wired = world.wired
    with world.work() as work:
        Enablement(wired.lifecycle, wired.trail, wired.clock).disable_person(work, world.id(name), by="test")


def _consent(world: World, impersonation_id: str, decision: str = "approve") -> Answer:
    return world.decide(impersonation_id, "consent", "customer-ask", decision)


def _approve(world: World, impersonation_id: str, who: str, decision: str = "approve") -> Answer:
    return world.decide(impersonation_id, "approval", who, decision)


def test_same_exchange_asked_eight_times_at_once_starts_one_impersonation(world: World) -> None:
    answers = at_once(world, *[World.way_a] * THREADS)
    assert statuses(answers) == [200] * THREADS
    assert len({answer.json["impersonation_id"] for answer in answers}) == 1
    assert len({answer.json["impersonation"] for answer in answers}) == THREADS
    assert all(world.introspect(answer.json["access_token"])["active"] for answer in answers)
    assert len(world.events("impersonation:requested")) == 1
    assert len(world.events("impersonation:activated")) == 1


def test_every_handle_given_at_once_renews(world: World) -> None:
    started = at_once(world, *[World.way_a] * THREADS)
    handles = [answer.json["impersonation"] for answer in started]
    renewed = at_once(world, *[partial(World.way_c, handle=handle) for handle in handles])
    assert statuses(renewed) == [200] * THREADS
    assert len({answer.json["access_token"] for answer in renewed}) == THREADS


def test_different_customers_asked_for_at_once_are_all_started(world: World) -> None:
    names = [add_person(world, f"customer-{number}", Role.CUSTOMER) for number in range(THREADS)]
    answers = at_once(world, *[partial(World.way_a, target=name) for name in names])
    assert statuses(answers) == [200] * THREADS
    assert len(world.events("impersonation:requested")) == THREADS


def test_good_and_refused_asks_for_one_customer_at_once_are_each_answered(world: World) -> None:
    for number in range(ROUNDS):
        name = add_person(world, f"customer-{number}", Role.CUSTOMER)
        good, bad = partial(World.way_a, target=name), partial(World.way_a, target=name, ticket_id="no ticket")
        assert statuses(at_once(world, *[good, bad] * 4)) == [200] * 4 + [400] * 4


def test_consent_and_refusal_at_once_leave_no_live_impersonation(world: World) -> None:
    for number in range(ROUNDS):
        asked = world.way_a(target="customer-ask", ticket_id=f"BANK-{number}").json
        consent = partial(_consent, impersonation_id=asked["impersonation_id"])
        approved, denied = at_once(world, partial(consent, decision="approve"), partial(consent, decision="deny"))
        assert denied.status_code == 200, denied.text
        events = world.events("consent:decided", asked["impersonation_id"])
        # A refusal that comes second withdraws the consent that came first.
        order = {200: (["approve", "withdraw"], "revoked"), 409: (["deny"], "denied")}
        assert ([event["decision"] for event in events], denied.json["state"]) == order[approved.status_code]
        assert error(world.way_c(asked["impersonation"])) == "access_denied"


def test_same_consent_given_eight_times_at_once_is_given_once(world: World) -> None:
    asked = world.way_a(target="customer-ask").json["impersonation_id"]
    answers = at_once(world, *[partial(_consent, impersonation_id=asked)] * THREADS)
    assert statuses(answers) == [200] * THREADS
    assert len(world.events("consent:decided")) == len(world.events("impersonation:activated")) == 1


def test_two_leads_who_decide_at_once_are_one_decision(world: World) -> None:
    add_person(world, "lead2", Role.LEAD)
    for first, second in (("approve", "approve"), ("approve", "deny"), ("deny", "approve")):
        asked = world.way_a(target="vip", ticket_id=f"{first}{second}-1".upper()).json["impersonation_id"]
        answers = at_once(
            world,
            partial(_approve, impersonation_id=asked, who="lead", decision=first),
            partial(_approve, impersonation_id=asked, who="lead2", decision=second),
        )
        assert statuses(answers) == [200, 409]
        (event,) = world.events("approval:decided", asked)
        winner = next(answer for answer in answers if answer.status_code == 200)
        assert (
            winner.json["state"] == _state(world, asked) == {"approve": "active", "deny": "denied"}[event["decision"]]
        )


def test_impersonation_ended_from_every_side_at_once_ends_once(world: World) -> None:
    started = _active(world)
    sides = ("agent", "customer", "lead", "admin") * 2
    answers = at_once(
        world, *[partial(World.end, impersonation_id=started["impersonation_id"], who=who) for who in sides]
    )
    assert statuses(answers) == [200] * THREADS
    assert {answer.json["state"] for answer in answers} == {"ended"}
    assert len({answer.json["ended_by"] for answer in answers}) == 1
    assert len(world.events("impersonation:ended")) == 1


def test_no_token_minted_while_the_impersonation_ends_is_alive(world: World) -> None:
    for number in range(ROUNDS):
        started = _active(world, ticket_id=f"BANK-{number}")
        answers = at_once(
            world,
            partial(World.end, impersonation_id=started["impersonation_id"]),
            *[partial(World.way_c, handle=started["impersonation"])] * 3,
            *[partial(World.way_d, subject_token=started["access_token"])] * 2,
        )
        statuses(answers)
        tokens = [started, *(answer.json for answer in answers if "access_token" in answer.json)]
        assert not any(world.introspect(token["access_token"])["active"] for token in tokens)
        assert error(world.way_c(started["impersonation"])) == "access_denied"


def test_tokens_of_one_impersonation_are_minted_in_every_way_at_once(world: World) -> None:
    started = _active(world)
    ways: list[Callable[[World], Answer]] = [
        partial(World.way_c, handle=started["impersonation"]),
        partial(World.way_d, subject_token=started["access_token"]),
        World.way_a,
        World.way_b,
    ]
    for _ in range(ROUNDS):
        assert statuses(at_once(world, *ways * 2)) == [200] * THREADS


def test_lead_decides_and_asks_for_the_same_customer_at_once(world: World) -> None:
    for number in range(ROUNDS):
        asked = world.way_a(target="vip", ticket_id=f"BANK-{number}").json["impersonation_id"]
        answers = at_once(
            world,
            partial(_approve, impersonation_id=asked, who="lead"),
            *[partial(World.way_a, actor="lead", target="vip", ticket_id=f"LEAD-{number}")] * 3,
        )
        assert statuses(answers) == [200, 400, 400, 400]
        assert {error(answer) for answer in answers[1:]} == {"approval_required"}


@pytest.mark.parametrize("name", ["customer", "agent"])
def test_nobody_disabled_is_in_a_live_impersonation_that_started_at_once(world: World, name: str) -> None:
    answers: list[Answer] = []

    def disable(own: World) -> None:
        _disable(own, name)

    def start(own: World, number: int) -> None:
        answers.append(own.way_a(ticket_id=f"BANK-{number}"))

    at_once(world, disable, *[partial(start, number=number) for number in range(THREADS - 1)])
    statuses(answers)
    listed = world.api("GET", "/api/v1/impersonations", "admin").json["items"]
    assert not [item for item in listed if item["state"] in OPEN_STATES]
    tokens = [answer.json["access_token"] for answer in answers if answer.status_code == 200]
    assert not any(world.introspect(token)["active"] for token in tokens)


def test_everything_ended_from_two_sides_at_once_ends_once(world: World) -> None:
    for number in range(THREADS):
        _active(world, ticket_id=f"BANK-{number}")
    at_once(world, partial(_disable, name="customer"), partial(_disable, name="agent"))
    assert len(world.events("impersonation:ended")) == THREADS


def test_handoff_asked_for_eight_times_at_once_is_configured_once(world: World) -> None:
    started = _active(world)
    body = {"impersonation": started["impersonation_id"], "app": "demo-bank"}
    handoff = world.api("POST", "/appetize/handoffs", "agent", json=body).json["id"]
    path = f"/appetize/handoffs/{handoff}/config"
    answers = at_once(world, *[partial(World.api, method="POST", path=path, who="agent", json={})] * THREADS)
    assert statuses(answers) == [200] + [410] * (THREADS - 1)
    assert len(world.events("handoff:configured")) == 1


def test_client_assertion_presented_eight_times_at_once_is_used_once(world: World) -> None:
    """RFC 7523 §3: a `jti` is used once."""
    form = assertion_form(world, "assertive")("once")
    answers = at_once(world, *[partial(World.post, path="/oauth/token", form=form, client=None)] * THREADS)
    assert statuses(answers) == [200] + [401] * (THREADS - 1)
    assert {error(answer) for answer in answers if answer.status_code == 401} == {"invalid_client"}


def test_every_token_minted_while_keys_rotate_verifies(world: World) -> None:
    started = _active(world)

    answers: list[Answer] = []

    def rotate(own: World) -> None:
        for _ in range(ROUNDS):
            with own.work() as work:
                own.wired.keyring.rotate(work, "ES256", 0)

    def mint(own: World) -> None:
        answers.extend([own.way_c(started["impersonation"]) for _ in range(ROUNDS)])

    at_once(world, rotate, *[mint] * 4)
    assert statuses(answers) == [200] * ROUNDS * 4
    tokens = [answer.json["access_token"] for answer in answers]
    assert len({header(token)["kid"] for token in tokens}) > 1
    assert all(world.introspect(token)["active"] for token in tokens)
