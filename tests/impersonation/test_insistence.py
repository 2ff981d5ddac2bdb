"""An agent asks a customer who does not agree a few times, then ever more seldom (design section 4)."""

from functools import partial
from typing import Any

import pytest

from tests.conftest import MakeWorld
from tests.consenting import EVERY_WAY, approve, consent, enter, extend, number, read, with_codes, wrong
from tests.journeys.at_once import at_once, statuses
from tests.oauth.exchanging import refused
from tests.support_codes import make_code, way_f
from tests.world import Answer, World, error

FEW = {"asks_free": 3, "asks_wait_seconds": 600, "asks_max_wait_seconds": 86400}


def few(make: MakeWorld, **sections: Any) -> World:
    return make(consent=FEW, **sections)


def ask(world: World, count: int, who: str = "agent", target: str = "customer-ask", **form: str) -> Answer:
    """Ask for what was not asked for yet: the ticket is another each time."""
    return world.way_a(who, target, ticket_id=f"BANK-{count}", **form)


def deny(world: World, count: int) -> None:
    asked = ask(world, count)
    assert error(asked) == "consent_required"
    assert consent(world, asked.json["impersonation_id"], decision="deny").json["state"] == "denied"


def test_customer_who_says_no_three_times_is_left_alone(make_world: MakeWorld) -> None:
    world = few(make_world)
    for count in range(3):
        deny(world, count)
    event = refused(world, ask(world, 3), "access_denied", "asks.too_many")
    assert (event["target"], event["actor"]) == (world.id("customer-ask"), world.id("agent"))
    unknown, capped = ask(world, 4, target="usr_0000000000000000000000"), ask(world, 4)
    assert (unknown.status_code, unknown.json) == (capped.status_code, capped.json)
    api = world.start(target="customer-ask", ticket_id="BANK-5")
    assert (api.status_code, api.json["error"]) == (403, "access_denied")
    assert len(world.events("impersonation:requested")) == 3


@pytest.mark.parametrize("how", ["wrong number", "silence", "taken back", "pending"])
def test_every_ask_that_nobody_agreed_to_counts(make_world: MakeWorld, how: str) -> None:
    world = few(make_world)
    for count in range(3):
        waiting = world.start(target="customer-ask", ticket_id=f"BANK-{count}").json["id"]
        if how == "wrong number":
            numbers = read(world, waiting, "customer-ask")["consent_request"]["numbers"]
            right = number(world, waiting)
            consent(world, waiting, number=next(n for n in numbers if n != right))
        elif how == "taken back":
            world.end(waiting)
        elif how == "silence":
            world.clock.pass_(300)
    assert error(ask(world, 3)) == "access_denied"


def test_wait_doubles_with_each_further_ask_and_a_yes_begins_anew(make_sqlite_world: MakeWorld) -> None:
    world = few(make_sqlite_world)
    for count in range(3):
        deny(world, count)
    world.clock.pass_(599)
    assert error(ask(world, 3)) == "access_denied"
    world.clock.pass_(1)
    deny(world, 3)
    world.clock.pass_(1199)
    assert error(ask(world, 4)) == "access_denied"
    world.clock.pass_(1)
    agreed = ask(world, 4).json["impersonation_id"]
    assert consent(world, agreed).json["state"] == "active"
    world.clock.pass_(1)
    for count in range(5, 8):
        deny(world, count)
    assert error(ask(world, 8)) == "access_denied"
    world.clock.pass_(600)
    assert error(ask(world, 8)) == "consent_required"


def test_asking_again_for_what_waits_is_no_further_ask(world: World) -> None:
    """The demo's cap is generous; the same request is the same however often it comes."""
    first = ask(world, 1)
    for _ in range(70):
        assert ask(world, 1).json["impersonation_id"] == first.json["impersonation_id"]


def test_other_agents_and_the_customers_own_code_are_not_held_up(make_sqlite_world: MakeWorld) -> None:
    world = few(make_sqlite_world)
    for count in range(3):
        deny(world, count)
    assert error(ask(world, 3)) == "access_denied"
    assert error(ask(world, 3, "agent2")) == "consent_required"
    assert way_f(world, make_code(world)["support_code"]).status_code == 200
    granted = world.api("POST", "/api/v1/consents", "customer-ask", json={"expires_in": 3600})
    assert granted.status_code in {200, 201}, granted.text
    assert ask(world, 4).status_code == 200, "nobody has to be asked"


def test_glass_that_is_broken_asks_nobody(make_sqlite_world: MakeWorld) -> None:
    world = few(make_sqlite_world)
    for count in range(3):
        assert error(ask(world, count, "lead", "vip")) == "approval_required"
    assert error(ask(world, 3, "lead", "vip")) == "access_denied"
    assert ask(world, 4, "lead", "vip", override="break_glass").status_code == 200
    assert error(ask(world, 5, "lead", "vip")) == "access_denied", "and answers nothing"


def test_mails_and_codes_are_sent_no_oftener(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world, consent={**EVERY_WAY, **FEW})
    for count in range(3):
        waiting = world.start(target="customer-ask", consent_way="code", ticket_id=f"BANK-{count}").json["id"]
        for _ in range(5):
            enter(world, waiting, wrong(sent[-1][1]))
    assert world.start(target="customer-ask", consent_way="code", ticket_id="BANK-3").status_code == 403
    assert world.start(target="customer-ask", consent_way="mail", ticket_id="BANK-4").status_code == 403
    assert len(sent) == 3


def test_extension_that_is_refused_again_and_again_is_not_asked_for(make_world: MakeWorld) -> None:
    world = few(make_world)
    started = world.start(target="customer-ask", expires_in=600).json
    consent(world, started["id"])
    for count in range(3):
        assert extend(world, started["id"], expires_in=1200 + count).json["extension"] is not None
        assert consent(world, started["id"], decision="deny").json["extension"] is None
    capped = extend(world, started["id"], expires_in=1300)
    assert (capped.status_code, capped.json["error"]) == (403, "access_denied")
    assert world.events("request:refused")[-1]["reason"] == "asks.too_many_extensions"
    asked = world.events("extension:asked", started["id"])
    assert [event["state"] for event in asked] == ["awaiting_consent"] * 3
    assert world.way_c(started["handle"]).status_code == 200, "what there is goes on"


def test_many_asks_at_once_are_counted_like_one_after_another(make_world: MakeWorld) -> None:
    world = few(make_world)
    answers = at_once(world, *(partial(ask, count=count) for count in range(6)))
    assert statuses(answers) == [400] * 6
    assert len(world.events("impersonation:requested")) == 3


# --- a decision on what was shown


def test_approval_binds_the_digest_that_was_shown(make_world: MakeWorld) -> None:
    world = make_world()
    waiting = world.start(target="vip").json
    shown = read(world, waiting["id"], "lead")["digest"]
    [requested] = world.events("impersonation:requested")
    assert shown == requested["digest"]
    for decision in ("approve", "deny"):
        other = approve(world, waiting["id"], digest="0" * 64, decision=decision)
        assert (other.status_code, other.json["error"]) == (409, "conflict")
    assert approve(world, waiting["id"], digest="not a digest").status_code == 400
    assert world.events("approval:decided") == []
    assert approve(world, waiting["id"], digest=shown).json["state"] == "active"
