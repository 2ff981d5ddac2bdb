"""The server's signature over an approval: whoever forges one is found, and the event named (design section 5)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from authserver.audit import chain
from authserver.audit.approvals import statement
from authserver.audit.events.governance import ApprovalDecided
from tests.conftest import MakeWorld
from tests.journeys.at_once import prove

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

APPROVAL = ApprovalDecided(
    impersonation_id="imp_1",
    approver="usr_lead",
    session_id="ses_1",
    decision="approve",
    digest="d" * 64,
    decided_at=1_700_000_000,
    lifetime=600,
    remark="fine",
)


def signed(house: House, event: ApprovalDecided = APPROVAL) -> ApprovalDecided:
    said = {name: getattr(event, name) for name in ("approver", "session_id", "decision", "digest", "decided_at")}
    whole = {**said, "impersonation_id": event.impersonation_id, "lifetime": event.lifetime}
    kid, signature = house.key.sign(statement(whole))
    return replace(event, kid=kid, signature=signature)


def findings(house: House) -> tuple[str, ...]:
    report = house.verify()
    assert report.ok is (not report.findings)
    return report.findings


def test_signed_approval_is_proved(small_house: House) -> None:
    small_house.record(signed(small_house), signed(small_house, replace(APPROVAL, decision="withdraw")))
    assert findings(small_house) == ()


FORGERIES: dict[str, Callable[[House], ApprovalDecided]] = {
    "another approver": lambda house: replace(signed(house), approver="usr_agent"),
    "another session": lambda house: replace(signed(house), session_id="ses_2"),
    "another digest": lambda house: replace(signed(house), digest="e" * 64),
    "another decision": lambda house: replace(signed(house), decision="deny"),
    "another time": lambda house: replace(signed(house), decided_at=1_700_000_001),
    "a longer life": lambda house: replace(signed(house), lifetime=6000),
    "another impersonation": lambda house: replace(signed(house), impersonation_id="imp_2"),
    "no signature": lambda _: APPROVAL,
    "an unknown key": lambda house: replace(signed(house), kid="audit-2"),
    "a broken signature": lambda house: replace(signed(house), signature="zz"),
    "a key but no signature": lambda house: replace(signed(house), signature=None),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_approval_is_named(small_house: House, forgery: str) -> None:
    """Even where the chain itself was written without a fault."""
    small_house.fill(1)
    small_house.record(FORGERIES[forgery](small_house))
    [finding] = findings(small_house)
    assert finding.startswith("event 2 (approval:decided")
    assert "holds an approval" in finding


def append(house: House, payload: dict[str, Any]) -> None:
    """Append to the chain, by all its rules, what no version of the server would write."""
    last = house.events()[-1]
    row = last._replace(seq=last.seq + 1, prev=last.digest, name="approval:decided", impersonation_id="imp_1")
    row = row._replace(payload=json.dumps(payload, separators=(",", ":"), sort_keys=True))
    row = row._replace(digest=chain.digest(row))
    values = ", ".join(f":{field}" for field in row._fields)
    house.tamper(f"INSERT INTO audit_events ({', '.join(row._fields)}) VALUES ({values})", **row._asdict())  # noqa: S608
    made = "INSERT INTO audit_mentions (chain_id, kind, value, seq) VALUES ('main', 'person', :value, :seq)"
    house.tamper(made, value=payload["approver"], seq=row.seq)
    house.tamper("UPDATE audit_chains SET seq = :seq, digest = :digest", seq=row.seq, digest=row.digest)


OLD = {"approver": "usr_lead", "session_id": "ses_1", "decision": "approve", "digest": "d" * 64}


def test_approvals_of_before_there_were_signatures_pass(small_house: House) -> None:
    small_house.fill(1)
    append(small_house, OLD)
    small_house.record(signed(small_house))
    assert findings(small_house) == ()


def test_old_form_after_the_first_signed_approval_is_a_forgery(small_house: House) -> None:
    small_house.record(signed(small_house))
    append(small_house, OLD)
    [finding] = findings(small_house)
    assert finding.startswith("event 2 ")
    assert "without a signature" in finding


def test_what_real_decisions_leave_is_proved_by_the_real_key(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    for decisions in (["approve", "deny"], ["deny"]):
        waiting = world.start(target="vip").json["id"]
        for decision in decisions:
            assert world.decide(waiting, "approval", "lead", decision).status_code == 200
    assert [event["decision"] for event in world.events("approval:decided")] == ["approve", "withdraw", "deny"]
    report = prove(world)
    assert report.ok, report.findings
