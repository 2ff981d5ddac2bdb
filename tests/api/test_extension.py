"""A longer life: policy, approval and consent are asked again, and what is active goes on meanwhile (section 4)."""

from typing import Any

import pytest

from authserver.storage import people
from tests.conftest import MakeWorld
from tests.consenting import approve, ask_each_time, asking, consent, enter, extend, number, read, with_codes
from tests.world import World


def active(world: World, target: str = "customer", **body: Any) -> dict[str, str]:
    """Start what lives for ten minutes, with every decision on it."""
    started = world.start(target=target, expires_in=600, **body).json
    if started["state"] == "awaiting_approval":
        approve(world, started["id"])
    if read(world, started["id"])["state"] == "awaiting_consent":
        consent(world, started["id"], target)
    assert read(world, started["id"])["state"] == "active"
    return started


def renews(world: World, started: dict[str, str]) -> bool:
    return world.way_c(started["handle"]).status_code == 200


def test_extension_of_what_needs_nobody_is_granted_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    started = active(world)
    world.clock.pass_(300)
    extended = extend(world, started["id"], expires_in=900)
    assert (extended.status_code, extended.json["expires_in"], extended.json["extension"]) == (200, 1200, None)
    assert extended.json["expires_at"] == "2027-01-15T08:20:00.000Z"
    [event] = world.events("impersonation:extended")
    assert (event["lifetime"], event["actor"]) == (1200, world.id("agent"))
    [requested] = world.events("impersonation:requested")
    assert event["digest"] != requested["digest"]
    world.clock.pass_(600)
    assert renews(world, started)
    world.clock.pass_(300)
    assert not renews(world, started)


def test_what_lives_longer_anyway_is_not_extended(world: World) -> None:
    started = active(world)
    assert extend(world, started["id"], expires_in=600).status_code == 409


def test_one_extension_is_no_longer_than_a_start_and_all_have_a_cap(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(impersonation={"total_seconds": 4000})
    started = active(world)
    assert extend(world, started["id"], expires_in=10**9).json["expires_in"] == 3600
    world.clock.pass_(1000)
    assert extend(world, started["id"], expires_in=3600).json["expires_in"] == 4000
    assert extend(world, started["id"], expires_in=3600).status_code == 409


@pytest.mark.parametrize(("who", "status"), [("agent2", 404), ("lead", 403), ("admin", 403), ("customer", 403)])
def test_only_the_actor_extends(world: World, who: str, status: int) -> None:
    assert extend(world, active(world)["id"], who).status_code == status


def test_what_is_not_active_is_not_extended(world: World) -> None:
    waiting = asking(world)["id"]
    assert extend(world, waiting).status_code == 409
    ended = active(world)["id"]
    world.end(ended)
    assert extend(world, ended).status_code == 409


def test_policy_is_asked_again(world: World) -> None:
    started = active(world)
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), conflicts=[world.id("customer")])
    refused = extend(world, started["id"])
    assert (refused.status_code, refused.json["error"]) == (403, "access_denied")
    assert world.events("request:refused")[-1]["policies"] == ["target.conflict"]


def test_what_has_run_out_is_not_extended(world: World) -> None:
    started = active(world)
    world.clock.pass_(600)
    assert extend(world, started["id"]).status_code == 409
    assert read(world, started["id"])["state"] == "ended"


def test_consent_is_asked_again_while_what_is_active_goes_on(make_world: MakeWorld) -> None:
    world = make_world()
    started = active(world, "customer-ask")
    pending = extend(world, started["id"], expires_in=1200).json
    assert (pending["state"], pending["expires_in"], pending["extension"]["expires_in"]) == ("active", 600, 1200)
    assert renews(world, started)
    shown = read(world, started["id"], "customer-ask")["consent_request"]
    assert "20 minutes" in shown["words"][2]
    granted = consent(world, started["id"], number=number(world, started["id"])).json
    assert (granted["expires_in"], granted["extension"], granted["consent"]["way"]) == (1200, None, "number_match")
    assert renews(world, started)
    digests = [event["digest"] for event in world.events("consent:decided", started["id"])]
    assert len(set(digests)) == 2


@pytest.mark.parametrize("how", ["deny", "wrong number", "silence"])
def test_extension_that_is_refused_leaves_what_is_active(make_world: MakeWorld, how: str) -> None:
    world = make_world()
    started = active(world, "customer-ask")
    extend(world, started["id"], expires_in=1200)
    if how == "deny":
        assert consent(world, started["id"], decision="deny").status_code == 200
    elif how == "wrong number":
        right = number(world, started["id"])
        numbers = read(world, started["id"], "customer-ask")["consent_request"]["numbers"]
        assert consent(world, started["id"], number=next(n for n in numbers if n != right)).status_code == 200
    else:
        world.clock.pass_(300)
    shown = read(world, started["id"])
    assert (shown["state"], shown["expires_in"], shown["extension"] is None or how == "silence") == (
        "active",
        600,
        True,
    )
    assert renews(world, started)
    assert world.events("impersonation:extended") == []
    if how != "silence":
        assert world.decide(started["id"], "consent", "customer-ask", "deny").json["state"] == "revoked"


def test_both_decide_on_an_extension_and_half_of_it_harms_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    ask_each_time(world, "vip")
    started = active(world, "vip")
    extend(world, started["id"], expires_in=1200)
    assert consent(world, started["id"], "vip").status_code == 200  # said already, of the present life
    assert read(world, started["id"], "vip")["consent_request"] is None
    approved = approve(world, started["id"]).json
    assert (approved["extension"]["expires_in"], approved["expires_in"]) == (1200, 600)
    assert renews(world, started)
    assert read(world, started["id"], "vip")["consent_request"] is not None
    assert consent(world, started["id"], "vip", decision="deny").json["state"] == "active"
    assert renews(world, started)
    world.clock.pass_(1)
    extend(world, started["id"], expires_in=1200)
    assert renews(world, started)
    assert approve(world, started["id"]).json["extension"] is not None
    assert consent(world, started["id"], "vip").json["expires_in"] == 1201
    assert renews(world, started)


def test_lead_who_denies_an_extension_withdraws_nothing(world: World) -> None:
    started = active(world, "vip")
    extend(world, started["id"], expires_in=1200)
    assert approve(world, started["id"], decision="deny").json["state"] == "active"
    assert (read(world, started["id"])["extension"], renews(world, started)) == (None, True)
    assert approve(world, started["id"], decision="deny").json["state"] == "revoked"


def test_lead_may_shorten_an_extension_but_not_to_nothing(world: World) -> None:
    started = active(world, "vip")
    extend(world, started["id"], expires_in=1200)
    assert approve(world, started["id"], expires_in=600).status_code == 400
    assert approve(world, started["id"], expires_in=1201).status_code == 400
    assert approve(world, started["id"], expires_in=900).json["expires_in"] == 900
    assert renews(world, started)


def test_extension_asked_again_goes_on_waiting_and_no_other_takes_its_place(world: World) -> None:
    started = active(world, "customer-ask")
    first = extend(world, started["id"], expires_in=1200).json
    assert extend(world, started["id"], expires_in=1200).json == first
    world.clock.pass_(10)
    assert extend(world, started["id"], expires_in=1800).status_code == 409
    assert consent(world, started["id"]).json["expires_in"] == 1200


def test_extension_to_what_runs_beside_it_is_a_conflict(make_world: MakeWorld) -> None:
    world = make_world()
    started = active(world)
    assert world.start(expires_in=900).json["id"] != started["id"]
    assert extend(world, started["id"], expires_in=900).status_code == 409
    assert extend(world, started["id"], expires_in=901).status_code == 200


def test_end_takes_a_pending_extension_with_it(world: World) -> None:
    started = active(world, "customer-ask")
    extend(world, started["id"], expires_in=1200)
    world.end(started["id"])
    assert consent(world, started["id"], number=42).json["state"] == "ended"
    assert world.events("impersonation:extended") == []


def test_extension_by_code_has_a_code_of_its_own(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    started = world.start(target="customer-ask", expires_in=600, consent_way="code").json
    enter(world, started["id"], sent[0][1])
    extend(world, started["id"], expires_in=1200)
    assert len(sent) == 2
    for _ in range(5):
        enter(world, started["id"], "000000" if sent[1][1] != "000000" else "000001")
    assert (read(world, started["id"])["extension"], renews(world, started)) == (None, True)
    world.clock.pass_(60)
    extend(world, started["id"], expires_in=1200)
    assert enter(world, started["id"], sent[2][1]).json["expires_in"] == 1260
