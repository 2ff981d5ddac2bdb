"""The approvals that count are rows: one that is not what its signed event says is named (design section 4)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from authserver.storage import governance, impersonations
from authserver.storage.tables import Approval
from tests.conftest import MakeWorld
from tests.consenting import approve, ask_each_time, consent, extend
from tests.journeys.at_once import prove
from tests.world import World


def approved(world: World, **body: Any) -> str:
    started: str = world.start(target="vip", **body).json["id"]
    assert approve(world, started).json["state"] == "active"
    return started


def tamper(world: World, impersonation_id: str, **values: Any) -> None:
    """Do what somebody with the database's password can."""
    with world.work() as work:
        work.lock()
        row = update(Approval).where(Approval.impersonation_id == impersonation_id)
        work.session.execute(row.values(**values))


def test_what_real_decisions_leave_is_what_was_signed(make_world: MakeWorld) -> None:
    """Also where a longer life was approved and then not consented to, so that the approval counts for the old one."""
    world = make_world()
    ask_each_time(world, "vip")
    halved = world.start(target="vip", expires_in=600).json["id"]
    approve(world, halved)
    consent(world, halved, "vip")
    extend(world, halved, expires_in=1200)
    assert approve(world, halved).json["extension"] is not None
    assert consent(world, halved, "vip", decision="deny").json["state"] == "active"
    assert prove(world).findings == ()
    world.clock.pass_(1)
    extend(world, halved, expires_in=1200)
    assert approve(world, halved, expires_in=1100).status_code == 200
    consent(world, halved, "vip")
    world.decide(halved, "approval", "lead", "deny")
    denied = world.start(target="vip", ticket_id="BANK-2").json["id"]
    assert world.decide(denied, "approval", "lead", "deny").json["state"] == "denied"
    assert prove(world).findings == ()


FORGERIES: dict[str, tuple[Callable[[World, str], dict[str, Any]], str]] = {
    "another digest": (lambda *_: {"digest": "e" * 64}, "is on another digest than its signed event"),
    "another approver": (
        lambda world, _: {"approver_id": world.id("agent2")},
        "says something else than its signed event",
    ),
    "another decision": (lambda *_: {"decision": "deny"}, "says something else than its signed event"),
    "another time": (lambda *_: {"decided_at": 1}, "says something else than its signed event"),
    "a longer life": (lambda *_: {"lifetime": 6000}, "says something else than its signed event"),
    "another signature": (lambda *_: {"signature": "x"}, "has no signed event"),
    "no signature": (lambda *_: {"kid": None, "signature": None}, "has no signed event"),
    "a withdrawal": (lambda *_: {"withdrawn_at": 1}, "is withdrawn without a signed event"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_altered_row_is_named(world: World, forgery: str) -> None:
    approved(world, ticket_id="BANK-1")
    changed = approved(world)
    values, words = FORGERIES[forgery]
    tamper(world, changed, **values(world, changed))
    [finding] = prove(world).findings
    assert finding.startswith(f"the approval of {changed} {words}")


def test_row_that_was_never_signed_is_named(world: World) -> None:
    waiting = world.start(target="vip").json["id"]
    with world.work() as work:
        work.lock()
        held = impersonations.find(work.session, waiting)
        assert held is not None
        forged = Approval(
            impersonation_id=waiting,
            digest=held.digest,
            decision="approve",
            approver_id=world.id("lead"),
            session_id=held.actor_session_id,
            decided_at=world.clock.now(),
        )
        work.session.add(forged)
    assert prove(world).findings == (f"the approval of {waiting} has no signed event",)


def test_withdrawn_row_that_counts_again_is_named(world: World) -> None:
    withdrawn = approved(world)
    assert world.decide(withdrawn, "approval", "lead", "deny").json["state"] == "revoked"
    tamper(world, withdrawn, withdrawn_at=None)
    [finding] = prove(world).findings
    assert finding.startswith(f"the approval of {withdrawn} was withdrawn by event")


def test_approval_of_one_impersonation_proves_nothing_for_another(world: World) -> None:
    """Not even with its own signature and digest."""
    one, other = approved(world), world.start(target="vip", ticket_id="BANK-3").json["id"]
    with world.work() as work:
        work.lock()
        row = work.session.get(Approval, one)
        assert row is not None
        values = {column.key: getattr(row, column.key) for column in Approval.__table__.columns}
        work.session.execute(delete(Approval))
        work.session.add(Approval(**{**values, "impersonation_id": other}))
    removed, moved = sorted(prove(world).findings, key=lambda words: "no signed event" in words)
    assert moved == f"the approval of {other} has no signed event"
    assert removed.endswith(" was removed")


def test_approval_that_was_removed_is_named(make_world: MakeWorld) -> None:
    """What was denied, or never had to be approved, has none and is not."""
    world = make_world()
    extend(world, world.start("agent2").json["id"], expires_in=1000)
    first = approved(world)
    assert prove(world).findings == ()
    with world.work() as work:
        work.lock()
        work.session.execute(delete(Approval).where(Approval.impersonation_id == first))
    [finding] = prove(world).findings
    assert finding.startswith(f"the approval of {first}, signed in event ")
    assert finding.endswith(" was removed")


def test_approval_that_went_with_its_impersonation_is_not_missed(make_sqlite_world: MakeWorld) -> None:
    """A retention that removes an impersonation removes what belongs to it."""
    world = make_sqlite_world()
    first = approved(world)
    with world.work() as work:
        work.lock()
        work.session.execute(delete(Approval).where(Approval.impersonation_id == first))
        missing = set(governance.decided_without_row(work.session, "main", "approval:decided", after=0, limit=9))
        assert {event.impersonation_id for event in missing} == {first}
        work.session.execute(text("UPDATE audit_events SET impersonation_id = 'imp_gone' WHERE name LIKE 'approval:%'"))
        assert governance.decided_without_row(work.session, "main", "approval:decided", after=0, limit=9) == []
