"""The life of an impersonation: what ends it, what kills its tokens, what changes while it waits (design section 4)."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, Kind, Way
from authserver.storage import clients, people
from authserver.storage.database import Work
from authserver.storage.tables import Impersonation
from tests.conftest import MakeWorld
from tests.world import Answer, World, error


def arrange(world: World, change: Callable[[Work], object]) -> None:
    with world.work() as work:
        work.lock()
        change(work)


def ends(world: World, impersonation_id: str | None = None) -> list[tuple[str, str, str]]:
    """Return how every impersonation ended: state, reason, and by whom."""
    events = world.events("impersonation:ended", impersonation_id)
    return [(event["state"], event["end_reason"], event["ended_by"]) for event in events]


# --- people end it


@pytest.mark.parametrize(
    ("who", "reason"), [("agent", "actor"), ("customer", "subject"), ("lead", "staff"), ("admin", "staff")]
)
def test_impersonation_is_ended_by_its_people_a_lead_or_an_admin(world: World, who: str, reason: str) -> None:
    started = world.start().json
    world.clock.pass_(7)
    ended = world.end(started["id"], who)
    assert (ended.status_code, ended.json["state"]) == (200, "ended")
    assert (ended.json["ended_by"], ended.json["end_reason"]) == (world.id(who), reason)
    assert ended.json["ended_at"] == "2027-01-15T08:00:07.000Z"
    assert ends(world) == [("ended", reason, world.id(who))]


@pytest.mark.parametrize("on_behalf", [False, True])
def test_impersonation_is_ended_by_its_own_token(world: World, on_behalf: bool) -> None:  # noqa: FBT001 - a table
    exchanged = world.way_a().json
    token, path = exchanged["access_token"], f"/api/v1/impersonations/{exchanged['impersonation_id']}/end"
    if on_behalf:
        token = world.way_d(token).json["access_token"]
    ended = world.api("POST", path, token=token)
    assert (ended.status_code, ended.json["state"], ended.json["end_reason"]) == (200, "ended", "actor")
    assert ended.json["ended_by"] == ("backend" if on_behalf else world.id("agent"))
    assert world.api("POST", path, token=token).status_code == 401


def test_impersonation_is_not_ended_by_anybody_else(world: World) -> None:
    started = world.start().json["id"]
    path = f"/api/v1/impersonations/{started}/end"
    tokens = {
        "another agent": (world.token("agent2"), 404),
        "another customer": (world.token("vip"), 404),
        "auditor": (world.token("auditor"), 403),
        "another impersonation": (world.way_a(ticket_id="BANK-1").json["access_token"], 403),
        "on behalf of the subject": (world.way_d().json["access_token"], 403),
        "client": (world.client_token(), 401),
    }
    found = {name: world.api("POST", path, token=token).status_code for name, (token, _) in tokens.items()}
    assert found == {name: status for name, (_, status) in tokens.items()}
    assert world.api("POST", path, headers=world.basic()).status_code == 401
    assert ends(world) == []
    assert world.end(started).json["state"] == "ended"


def test_ending_twice_is_ending_once(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start().json["id"]
    first = world.end(started)
    world.clock.pass_(5)
    again = world.end(started, "lead")
    assert (again.status_code, again.json) == (200, first.json)
    assert len(ends(world)) == 1


@pytest.mark.parametrize("target", ["customer-ask", "vip"])
def test_what_still_waits_is_ended_too(world: World, target: str) -> None:
    started = world.start(target=target).json
    assert world.end(started["id"]).json["state"] == "ended"
    assert error(world.way_c(started["handle"])) == "access_denied"


def test_end_kills_every_token_and_handle_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.way_a().json
    tokens = [started["access_token"], world.way_c(started["impersonation"]).json["access_token"]]
    tokens.append(world.way_d(tokens[0]).json["access_token"])
    other = world.way_a(ticket_id="BANK-2").json["access_token"]
    assert all(world.introspect(token)["active"] for token in [*tokens, other])
    world.end(started["impersonation_id"])
    assert [world.introspect(token) for token in tokens] == [{"active": False}] * 3
    assert {error(world.way_d(token)) for token in tokens} == {"invalid_request"}
    assert error(world.way_c(started["impersonation"])) == "access_denied"
    assert world.introspect(other)["active"]


def test_ended_impersonation_is_started_anew_as_another(world: World) -> None:
    first = world.start().json["id"]
    world.end(first)
    assert world.start().json["id"] != first


def test_race_to_end_leaves_one_event(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start().json["id"]
    barrier, answers = threading.Barrier(8), list[Answer]()

    def end(who: str) -> None:
        barrier.wait()
        answers.append(Answer.of(world.app.test_client().open(**request(who))))

    def request(who: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {world.token(who)}"}
        path = f"/api/v1/impersonations/{started}/end"
        return {"path": path, "method": "POST", "headers": headers, "base_url": world.wired.settings.issuer}

    threads = [threading.Thread(target=end, args=[who]) for who in ["agent", "customer", "lead", "admin"] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["ended_by"] for answer in answers}) == 1
    assert len(ends(world)) == 1


# --- the clock ends it


def test_clock_ends_it_at_the_second_and_the_tick_says_so_once(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start(expires_in=60).json
    token = world.way_c(started["handle"]).json["access_token"]
    world.clock.pass_(59)
    world.wired.jobs.tick()
    assert world.introspect(token)["active"]
    world.clock.pass_(1)
    assert world.introspect(token) == {"active": False}
    assert error(world.way_d(token)) == "invalid_request"
    assert error(world.way_c(started["handle"])) in {"access_denied", "expired_token"}
    for _ in range(2):
        world.wired.jobs.tick()
        world.end(started["id"])
    assert ends(world) == [("ended", "clock", "system")]


def test_starting_again_after_the_clock_ends_the_old_one_once(make_world: MakeWorld) -> None:
    world = make_world()
    first = world.start(expires_in=60).json["id"]
    world.clock.pass_(60)
    second = world.start(expires_in=60).json
    assert (second["id"] == first, second["state"]) == (False, "active")
    world.wired.jobs.tick()
    assert ends(world) == [("ended", "clock", "system")]
    assert ends(world, second["id"]) == []


def test_waiting_that_nobody_answers_expires_once(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.start(target="customer-ask").json
    world.clock.pass_(300)
    assert world.decide(started["id"], "consent", "customer-ask").status_code == 409
    world.wired.jobs.tick()
    assert ends(world) == [("expired", "no_decision", "system")]
    assert error(world.way_c(started["handle"])) == "expired_token"


# --- somebody in it is disabled, or signs out


def session_of(world: World, who: str) -> str:
    with world.work() as work:
        verified = world.wired.verifier.verify(work.session, world.token(who), frozenset({Kind.ACCESS}))
    assert verified.authentication is not None
    return verified.authentication.session_id


CHOICES: list[tuple[Callable[[World], dict[str, Any]], set[str]]] = [
    (lambda world: {"person": world.id("agent")}, {"active", "waiting"}),
    (lambda world: {"person": world.id("customer")}, {"active", "another's"}),
    (lambda world: {"person": world.id("vip")}, {"waiting"}),
    (lambda world: {"sessions": [session_of(world, "agent2")]}, {"another's"}),
    (lambda _: {"sessions": []}, set()),
    (lambda _: {"client_id": "backend"}, {"active", "waiting", "another's"}),
    (lambda _: {"client_id": "other-backend"}, set()),
    (lambda _: {}, {"active", "waiting", "another's"}),
]
"""Whose impersonations shall end, and which of three do."""


def test_everything_open_of_a_person_a_client_or_a_session_is_ended(make_world: MakeWorld) -> None:
    world = make_world()
    for chosen, ended in CHOICES:
        exchanged = {"active": world.way_a().json, "another's": world.way_a("agent2").json}
        started = {name: each["impersonation_id"] for name, each in exchanged.items()}
        started["waiting"] = world.start(target="vip").json["id"]
        for count in (len(ended), 0):
            with world.work() as work:
                filters = chosen(world)
                assert world.wired.lifecycle.end_all(work, by="somebody", reason="disabled", **filters) == count
        assert {name for name, each in started.items() if ends(world, each)} == ended
        for name, each in exchanged.items():
            assert world.introspect(each["access_token"])["active"] is (name not in ended)
    assert set(ends(world)) == {("ended", "disabled", "somebody")}


# --- what changes while it waits


def disable_agent(world: World, work: Work) -> None:
    people.set_enabled(work.session, world.id("agent"), enabled=False)


def take_role(world: World, work: Work) -> None:
    people.change(work.session, world.id("agent"), roles=[])


def disable_client(_: World, work: Work) -> None:
    clients.set_enabled(work.session, "other-backend", enabled=False)


def end_session(world: World, work: Work) -> None:
    people.end_sessions(work.session, world.id("agent"), now=world.clock.now())


def disable_customer(world: World, work: Work) -> None:
    people.set_enabled(work.session, world.id("vip"), enabled=False)


def nothing(_: World, __: Work) -> None:
    """Change nothing: what is refused below is refused for the change alone."""


def start_by_another_client(world: World) -> dict[str, Any]:
    """Start what waits for an approval, for a client other than the one that the lead's token was issued to."""
    changes = {"grant_types": [GRANT_TOKEN_EXCHANGE], "ways": list(Way), "accepts_tokens_of": ["backend"]}
    arrange(world, lambda work: clients.change(work.session, "other-backend", **changes))
    started = world.start(target="vip", client_id="other-backend")
    assert started.json["state"] == "awaiting_approval"
    return started.json


@pytest.mark.parametrize("change", [nothing, disable_agent, take_role, disable_client, end_session, disable_customer])
def test_change_while_it_waits_denies_at_the_decision(world: World, change: Callable[[World, Work], None]) -> None:
    waiting = start_by_another_client(world)["id"]
    arrange(world, lambda work: change(world, work))
    decided = world.decide(waiting, "approval", "lead")
    then = "active" if change is nothing else "denied"
    assert (decided.status_code, decided.json["state"]) == (200, then)
    assert [event["state"] for event in world.events("impersonation:ended", waiting)] == [then] * (then == "denied")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (nothing, None),
        (disable_agent, "invalid_request"),
        (take_role, "access_denied"),
        (disable_client, "invalid_client"),
        (end_session, "invalid_request"),
        (disable_customer, "access_denied"),
    ],
)
def test_change_after_the_decision_refuses_the_mint(
    world: World, change: Callable[[World, Work], None], expected: str | None
) -> None:
    started = start_by_another_client(world)
    world.decide(started["id"], "approval", "lead")
    arrange(world, lambda work: change(world, work))
    answer = world.way_c(started["handle"], client="other-backend")
    assert answer.json.get("error") == expected
    assert len(world.events("token:issued", started["id"])) == (expected is None)


def test_policy_is_asked_again_with_the_address_of_the_start(world: World) -> None:
    waiting = world.start(target="vip").json["id"]
    moved = update(Impersonation).where(Impersonation.id == waiting).values(client_address="203.0.113.7")
    arrange(world, lambda work: work.session.execute(moved))
    assert world.decide(waiting, "approval", "lead").json["state"] == "denied"
