"""An approval is what a second person decided and the server signed; a row that says so is none (design section 4)."""

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from authserver.audit.approvals import statement
from authserver.storage import impersonations
from authserver.storage.keys import StoredKey
from authserver.storage.tables import Approval, Impersonation, SigningKey
from authserver.tokens import key_files
from authserver.tokens.keyring import HeadSigner
from tests.conftest import MakeWorld
from tests.consenting import approve, ask_each_time, consent, extend, read
from tests.oauth.exchanging import change_user
from tests.world import World, error


def waiting(world: World) -> dict[str, Any]:
    started = world.start(target="vip").json
    assert started["state"] == "awaiting_approval"
    return started


def approved(world: World) -> dict[str, Any]:
    started = waiting(world)
    assert approve(world, started["id"]).json["state"] == "active"
    assert renews(world, started)
    return started


def renews(world: World, started: dict[str, Any]) -> bool:
    return world.way_c(started["handle"]).status_code == 200


def put(world: World, impersonation_id: str, **values: Any) -> None:
    """Write a lead's approval into the database, as somebody does who may write to it."""
    with world.work() as work:
        work.lock()
        record = impersonations.find(work.session, impersonation_id)
        assert record is not None
        row = {
            "impersonation_id": record.id,
            "digest": record.digest,
            "decision": "approve",
            "approver_id": world.id("lead"),
            "session_id": record.actor_session_id,
            "decided_at": world.clock.now(),
            "remark": "",
            "kid": None,
            "signature": None,
            **values,
        }
        work.session.execute(delete(Approval).where(Approval.impersonation_id == record.id))
        work.session.add(Approval(**row))


def change(world: World, impersonation_id: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        work.session.execute(update(Approval).where(Approval.impersonation_id == impersonation_id).values(**values))


def row(world: World, impersonation_id: str) -> dict[str, Any]:
    with world.work() as work:
        found = work.session.execute(select(Approval).where(Approval.impersonation_id == impersonation_id)).scalar_one()
        names = ("digest", "decision", "approver_id", "session_id", "decided_at", "lifetime", "kid", "signature")
        return {name: getattr(found, name) for name in names}


def forged(world: World, started: dict[str, Any], signer: HeadSigner) -> dict[str, Any]:
    """Sign a lead's approval with a key of one's own."""
    with world.work() as work:
        record = impersonations.find(work.session, started["id"])
        assert record is not None
    said = {
        "impersonation_id": record.id,
        "digest": record.digest,
        "approver": world.id("lead"),
        "session_id": record.actor_session_id,
        "decision": "approve",
        "decided_at": world.clock.now(),
        "lifetime": None,
    }
    kid, signature = signer.sign(statement(said))
    return {"kid": kid, "signature": signature}


def test_row_without_a_signature_opens_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    started = waiting(world)
    put(world, started["id"])
    with world.work() as work:  # with the state too: every renewal asks for the approval again
        work.lock()
        active = {"state": "active", "activated_at": world.clock.now(), "expires_at": world.clock.now() + 600}
        changed = update(Impersonation).where(Impersonation.id == started["id"]).values(**active)
        work.session.execute(changed)
    assert error(world.way_c(started["handle"])) == "access_denied"
    assert world.events("request:refused")[-1]["reason"] == "impersonation.needs_again"


def test_same_request_again_still_waits_beside_a_forged_row(world: World) -> None:
    started = waiting(world)
    put(world, started["id"])
    assert world.start(target="vip").json["state"] == "awaiting_approval"
    assert read(world, started["id"])["state"] == "awaiting_approval"


def test_key_that_only_the_database_knows_signs_no_approval(world: World) -> None:
    started = waiting(world)
    private = key_files.generate("Ed25519")
    signer = HeadSigner(private.thumbprint(), private)
    with world.work() as work:
        work.lock()
        key = StoredKey(
            signer.kid, "audit", "Ed25519", key_files.public_members(private.as_dict(private=False)),
            world.clock.now(), world.clock.now(), None, None, demo=True,
        )  # fmt: skip
        work.session.add(SigningKey(**{name: getattr(key, name) for name in key.__dataclass_fields__}))
    put(world, started["id"], **forged(world, started, signer))
    assert world.start(target="vip").json["state"] == "awaiting_approval"


def test_signature_over_another_request_approves_nothing(world: World) -> None:
    genuine = row(world, approved(world)["id"])
    other = world.start(target="vip", reason="another reason").json
    put(world, other["id"], **genuine)
    assert world.start(target="vip", reason="another reason").json["state"] == "awaiting_approval"
    with world.work() as work:
        record = impersonations.find(work.session, other["id"])
        assert record is not None
    change(world, other["id"], digest=record.digest)
    assert world.start(target="vip", reason="another reason").json["state"] == "awaiting_approval"


@pytest.mark.parametrize("column", ["decided_at", "lifetime", "session_id", "approver_id", "signature", "kid"])
def test_row_that_is_changed_afterwards_is_no_approval(world: World, column: str) -> None:
    started = approved(world)
    change_user(world, "agent2", roles=["support", "lead"])
    was = row(world, started["id"])
    others = {
        "decided_at": was["decided_at"] + 1,
        "lifetime": 60,
        "session_id": None,
        "approver_id": world.id("agent2"),
        "signature": was["signature"][:-8] + "AAAAAAAA",
        "kid": "A" * 43,
    }
    if column == "session_id":
        with world.work() as work:
            record = impersonations.find(work.session, started["id"])
            assert record is not None
        others["session_id"] = record.actor_session_id
    change(world, started["id"], **{column: others[column]})
    assert error(world.way_c(started["handle"])) == "access_denied"
    change(world, started["id"], **{column: was[column]})
    assert renews(world, started)


def test_denial_that_is_turned_round_is_no_approval(world: World) -> None:
    started = waiting(world)
    assert approve(world, started["id"], decision="deny").json["state"] == "denied"
    genuine = row(world, started["id"])
    again = waiting(world)
    put(world, again["id"], **{**genuine, "decision": "approve"})
    assert world.start(target="vip").json["state"] == "awaiting_approval"


def test_approval_for_fewer_seconds_is_one(world: World) -> None:
    started = waiting(world)
    assert approve(world, started["id"], expires_in=120).json["state"] == "active"
    assert renews(world, started)


def test_yes_to_a_longer_life_that_came_to_nothing_is_a_yes_to_the_present_one(make_world: MakeWorld) -> None:
    world = make_world()
    ask_each_time(world, "vip")
    started = waiting(world)
    approve(world, started["id"])
    assert consent(world, started["id"], "vip").json["state"] == "active"
    before = row(world, started["id"])
    world.clock.pass_(5)
    extend(world, started["id"], expires_in=3600)
    approve(world, started["id"])
    longer = row(world, started["id"])
    assert longer["digest"] != before["digest"]
    assert consent(world, started["id"], "vip", decision="deny").json["extension"] is None
    after = row(world, started["id"])
    assert (after["digest"], after["signature"]) == (before["digest"], longer["signature"])
    assert renews(world, started)
    [_, decided] = world.events("approval:decided")
    assert (decided["digest"], decided["covers"]) == (longer["digest"], before["digest"])


def test_approval_signed_by_a_retired_key_still_is_one_and_by_a_revoked_key_is_none(world: World) -> None:
    started = approved(world)
    keyring = world.wired.keyring
    with world.work() as work:
        rotation = keyring.rotate(work, "Ed25519", 0, use="audit")
    assert renews(world, started)
    assert rotation.predecessor is not None
    with world.work() as work:
        keyring.revoke(work, rotation.predecessor.kid).delete_file()
    assert error(world.way_c(started["handle"])) == "access_denied"
