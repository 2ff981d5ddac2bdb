"""Verbs that consume, end or count: of many calls at once exactly one wins, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from authserver.protocol.names import State
from authserver.storage import attempts, clients, handoffs, impersonations, keys, people, tokens, trail
from authserver.storage.database import UniqueViolation, Work
from authserver.storage.tables import Approval, Consent
from authserver.storage.trail import SignedHead
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once
from tests.world import World, claims

THREADS = 8
NOW = 1_800_000_000

Verb = Callable[[Work, World, dict[str, str]], object]


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture
def known(world: World) -> dict[str, str]:
    """What the verbs are about: an active impersonation, its handle, a handoff of it, a token and a key."""
    started = world.way_a().json
    body = {"impersonation": started["impersonation_id"], "app": "demo-bank"}
    handoff = world.api("POST", "/appetize/handoffs", "agent", json=body).json["id"]
    with world.work() as work:
        kid = keys.living(work.session, "sig", now=NOW, alg="ES256")[0].kid
        work.lock()
        impersonations.add_handle(work.session, "handle-hash", started["impersonation_id"], now=NOW)
    return {
        "impersonation": started["impersonation_id"],
        "handoff": handoff,
        "jti": claims(started["access_token"])["jti"],
        "kid": kid,
        "agent": world.id("agent"),
        "customer": world.id("customer"),
    }


def _move(work: Work, to: State, known: dict[str, str]) -> object:
    return impersonations.move(work.session, known["impersonation"], sources=[State.ACTIVE], to=to)


def _head(work: Work) -> bool:
    return trail.add_head(work.session, SignedHead("main", 1, "d", 0, "kid", "signature"))


ONCE: dict[str, Verb] = {
    "a handoff is consumed": lambda work, _, known: handoffs.consume(work.session, known["handoff"], now=NOW),
    "an assertion is used": lambda work, *_: clients.use_assertion(work.session, "backend", "jti", expires_at=NOW),
    "a token is revoked": lambda work, _, known: tokens.revoke(work.session, known["jti"], now=NOW),
    "a key is revoked": lambda work, _, known: keys.revoke(work.session, known["kid"], now=NOW),
    "an impersonation ends": lambda work, _, known: _move(work, State.ENDED, known),
    "a person is disabled": lambda work, _, known: people.set_enabled(work.session, known["agent"], enabled=False),
    "a client is disabled": lambda work, *_: clients.set_enabled(work.session, "backend", enabled=False),
    "sessions end": lambda work, _, known: people.end_sessions(work.session, known["agent"], now=NOW),
    "a poll counts": lambda work, *_: impersonations.poll(work.session, "handle-hash", now_ms=1000, interval_ms=1000),
    "a head is signed": lambda work, *_: _head(work),
}


def _call(world: World, verb: Verb, known: dict[str, str]) -> bool:
    with world.work() as work:
        work.lock()
        return bool(verb(work, world, known))


def test_verb_called_eight_times_at_once_happens_once(world: World, known: dict[str, str]) -> None:
    for title, verb in ONCE.items():
        found = at_once(world, *[partial(_call, verb=verb, known=known)] * THREADS)
        assert sorted(found) == [False] * (THREADS - 1) + [True], title
        assert not _call(world, verb, known), title


def test_verb_that_was_rolled_back_can_happen_again(world: World, known: dict[str, str]) -> None:
    for title, verb in ONCE.items():
        with world.work() as work:
            work.lock()
            assert verb(work, world, known), title
            work.rollback()
        assert _call(world, verb, known), title


def _approval(known: dict[str, str], world: World) -> Approval:
    return Approval(
        impersonation_id=known["impersonation"],
        digest="d",
        decision="approve",
        approver_id=world.id("lead"),
        session_id=claims(world.id_token("lead"))["sid"],
        decided_at=NOW,
    )


def _consent(known: dict[str, str], number: int) -> Consent:
    return Consent(
        id=f"con_{number}",
        kind="request",
        subject_id=known["customer"],
        impersonation_id=known["impersonation"],
        digest="d",
        decision="approve",
        given_at=NOW,
    )


ADDED_ONCE: dict[str, Callable[[Work, World, dict[str, str], int], object]] = {
    "approval": lambda work, world, known, _: impersonations.add_approval(work.session, _approval(known, world)),
    "consent": lambda work, _, known, number: impersonations.add_consent(work.session, _consent(known, number)),
}


@pytest.mark.parametrize("add", ADDED_ONCE.values(), ids=ADDED_ONCE)
def test_decision_added_eight_times_at_once_is_added_once(world: World, known: dict[str, str], add: Any) -> None:
    def call(number: int) -> Callable[[World], bool]:
        def added(own: World) -> bool:
            with own.work() as work:
                work.lock()
                try:
                    add(work, own, known, number)
                except UniqueViolation:
                    work.rollback()
                    return False
            return True

        return added

    found = at_once(world, *[call(number) for number in range(THREADS)])
    assert sorted(found) == [False] * (THREADS - 1) + [True]


def test_second_open_impersonation_of_one_digest_violates_the_index(world: World, known: dict[str, str]) -> None:
    with world.work() as work:
        first = impersonations.find(work.session, known["impersonation"])
        assert first is not None
        second = replace(first, id="imp_second")
        work.lock()
        with pytest.raises(UniqueViolation):
            impersonations.add(work.session, second)
        work.rollback()
        work.lock()
        _move(work, State.ENDED, known)
        impersonations.add(work.session, second)
        assert impersonations.open_of_digest(work.session, first.digest) is not None


def test_ended_impersonation_never_moves_again(world: World, known: dict[str, str]) -> None:
    with world.work() as work:
        work.lock()
        assert _move(work, State.ENDED, known)
        assert _move(work, State.ACTIVE, known) is None
        assert _move(work, State.REVOKED, known) is None


def test_targets_tried_at_once_are_counted_each_once(world: World) -> None:
    def tried(target: str) -> Callable[[World], None]:
        def note(own: World) -> None:
            with own.work() as work:
                work.lock()
                attempts.note(work.session, own.id("agent2"), target, now=NOW)

        return note

    at_once(world, *[tried(target) for target in ("one", "two", "three", "four") * 2])
    with world.work() as work:
        count = attempts.count
        assert count(work.session, world.id("agent2"), but="", since=NOW - 1) == 4
        assert count(work.session, world.id("agent2"), but="one", since=NOW - 1) == 3
        assert count(work.session, world.id("agent2"), but="", since=NOW) == 0
