"""Approval and consent through the API: who may decide, on what, and until when (design section 4)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from authserver.cli import demo_cast
from authserver.impersonation.enablement import Enablement
from authserver.protocol.names import Role
from authserver.storage import people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Approval, Consent, User
from tests.conftest import MakeWorld
from tests.world import API, START, Answer, World, error

ASKS = {"approval": "vip", "consent": "customer-ask"}
"""Who has to be asked, for each kind of decision: the customer's tier wants an approval, or they a consent."""
DECIDES = {"approval": "lead", "consent": "customer-ask"}


def start(world: World, what: str) -> str:
    """Start what waits for an approval, or a consent."""
    started = world.start(target=ASKS[what])
    assert started.json["state"] == f"awaiting_{what}"
    return str(started.json["id"])


def arrange(world: World, change: Callable[[Work], object]) -> None:
    with world.work() as work:
        work.lock()
        change(work)


def state(world: World, impersonation_id: str) -> str:
    return str(world.api("GET", f"/api/v1/impersonations/{impersonation_id}", "admin").json["state"])


def decisions(world: World, what: str) -> list[str]:
    return [event["decision"] for event in world.events(f"{what}:decided")]


def without_standing_consent(world: World) -> None:
    standing = update(Consent).where(Consent.kind == "standing", Consent.subject_id == world.id("vip"))
    arrange(world, lambda work: work.session.execute(standing.values(withdrawn_at=world.clock.now())))


@pytest.fixture(params=["approval", "consent"])
def what(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def test_decision_activates_what_waited_for_it(make_world: MakeWorld, what: str) -> None:
    world = make_world()
    started = world.start(target=ASKS[what]).json
    world.clock.pass_(2)
    decided = world.decide(started["id"], what, DECIDES[what])
    assert (decided.status_code, decided.json["state"]) == (200, "active")
    assert decided.json[what] == {
        "decision": "approve",
        "by": world.id(DECIDES[what]),
        "at": "2027-01-15T08:00:02.000Z",
        "withdrawn_at": None,
        "expires_in": None,
        **({"way": "app", "remark": None} if what == "consent" else {"way": None, "remark": ""}),
    }
    assert decided.json["expires_at"] == "2027-01-15T09:00:02.000Z"
    assert world.introspect(world.way_c(started["handle"]).json["access_token"])["active"]


def test_same_decision_once_more_changes_nothing(world: World, what: str) -> None:
    waiting = start(world, what)
    first = world.decide(waiting, what, DECIDES[what])
    world.clock.pass_(1)
    again = world.decide(waiting, what, DECIDES[what])
    assert (again.status_code, again.json) == (200, first.json)
    assert decisions(world, what) == ["approve"]


def test_denial_ends_it_for_good(world: World, what: str) -> None:
    started = world.start(target=ASKS[what]).json
    denied = world.decide(started["id"], what, DECIDES[what], "deny")
    assert (denied.status_code, denied.json["state"]) == (200, "denied")
    assert (denied.json["ended_by"], denied.json["end_reason"]) == (world.id(DECIDES[what]), f"{what}_denied")
    assert error(world.way_c(started["handle"])) == "access_denied"
    assert world.decide(started["id"], what, DECIDES[what], "deny").status_code == 200
    assert world.decide(started["id"], what, DECIDES[what]).status_code == 409
    assert state(world, started["id"]) == "denied"
    assert decisions(world, what) == ["deny"]


def test_denial_after_approval_withdraws_and_revokes(make_world: MakeWorld, what: str) -> None:
    world = make_world()
    started = world.start(target=ASKS[what]).json
    world.decide(started["id"], what, DECIDES[what])
    token = world.way_c(started["handle"]).json["access_token"]
    withdrawn = world.decide(started["id"], what, DECIDES[what], "deny")
    assert (withdrawn.status_code, withdrawn.json["state"]) == (200, "revoked")
    assert withdrawn.json["end_reason"] == f"{what}_withdrawn"
    assert withdrawn.json[what]["withdrawn_at"] == "2027-01-15T08:00:00.000Z"
    assert world.introspect(token) == {"active": False}
    assert error(world.way_c(started["handle"])) == "access_denied"
    assert decisions(world, what) == ["approve", "withdraw"]
    assert world.decide(started["id"], what, DECIDES[what]).status_code == 409
    assert [event["state"] for event in world.events("impersonation:ended")] == ["revoked"]


@pytest.mark.parametrize(("seconds", "status", "then"), [(299, 200, "active"), (300, 409, "expired")])
def test_decision_comes_in_time_or_not_at_all(
    make_world: MakeWorld, what: str, seconds: int, status: int, then: str
) -> None:
    world = make_world()
    waiting = start(world, what)
    world.clock.pass_(seconds)
    assert world.decide(waiting, what, DECIDES[what]).status_code == status
    assert state(world, waiting) == then
    assert decisions(world, what) == (["approve"] if status == 200 else [])


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_what_does_not_wait_for_a_decision_takes_none(world: World, decision: str) -> None:
    active = world.start().json["id"]
    assert world.decide(active, "approval", "lead", decision).status_code == 409
    assert world.decide(active, "consent", "customer", decision).status_code == 409
    waiting = start(world, "approval")
    assert world.decide(waiting, "consent", "vip", decision).status_code == 409
    assert (state(world, active), state(world, waiting)) == ("active", "awaiting_approval")


@pytest.mark.parametrize("body", [{}, {"decision": "maybe"}, {"decision": "approve", "by": "somebody"}], ids=str)
def test_malformed_decision_is_400(world: World, what: str, body: dict[str, Any]) -> None:
    waiting = start(world, what)
    refused = world.api("POST", f"/api/v1/impersonations/{waiting}/{what}", DECIDES[what], json=body)
    assert refused.status_code == 400
    assert state(world, waiting) == f"awaiting_{what}"


# --- who


@pytest.mark.parametrize(
    ("who", "status"), [("agent", 403), ("vip", 403), ("admin", 403), ("auditor", 403), ("agent2", 404)]
)
def test_only_a_lead_approves(world: World, who: str, status: int) -> None:
    waiting = start(world, "approval")
    assert world.decide(waiting, "approval", who).status_code == status
    assert state(world, waiting) == "awaiting_approval"
    assert decisions(world, "approval") == []
    assert world.decide(waiting, "approval", "lead").status_code == 200


def second_lead(world: World) -> None:
    arrange(world, lambda work: people.change(work.session, world.id("admin"), roles=[Role.LEAD, Role.ADMIN]))


def with_scopes_of_its_roles(world: World, name: str) -> str:
    """Sign a person in anew, for a token that has the scopes of all their roles."""
    wired = world.wired
    with world.work() as work:
        user = people.find(work.session, world.id(name))
        assert user is not None
        return str(demo_cast._tokens(wired, work, user)["access_token"])


def test_lead_does_not_approve_what_they_ask_for_themselves(world: World) -> None:
    waiting = world.start("lead", "vip").json["id"]
    assert world.decide(waiting, "approval", "lead").status_code == 403
    assert world.events("request:refused")[-1]["reason"] == "approval.not_a_second_person"
    second_lead(world)
    path = f"/api/v1/impersonations/{waiting}/approval"
    other = with_scopes_of_its_roles(world, "admin")
    assert world.api("POST", path, token=other, json={"decision": "approve"}).json["state"] == "active"


def test_lead_who_is_the_subject_does_not_approve(world: World) -> None:
    """Staff are no targets; whoever became a lead while it waited is caught at the decision all the same."""
    waiting = start(world, "approval")
    roles = update(User).where(User.id == world.id("vip")).values(roles=[Role.CUSTOMER, Role.LEAD])
    arrange(world, lambda work: work.session.execute(roles))
    own = with_scopes_of_its_roles(world, "vip")
    path = f"/api/v1/impersonations/{waiting}/approval"
    assert world.api("POST", path, token=own, json={"decision": "approve"}).status_code == 403
    assert state(world, waiting) == "awaiting_approval"


def test_decision_of_one_lead_is_not_changed_by_another(world: World) -> None:
    waiting = start(world, "approval")
    world.decide(waiting, "approval", "lead")
    second_lead(world)
    path, other = f"/api/v1/impersonations/{waiting}/approval", with_scopes_of_its_roles(world, "admin")
    assert world.api("POST", path, token=other, json={"decision": "deny"}).status_code == 409
    assert state(world, waiting) == "active"


def test_lead_who_lost_the_role_approves_nothing(world: World) -> None:
    waiting = start(world, "approval")
    arrange(world, lambda work: people.change(work.session, world.id("lead"), roles=[Role.SUPPORT]))
    assert world.decide(waiting, "approval", "lead").status_code == 404
    assert state(world, waiting) == "awaiting_approval"


@pytest.mark.parametrize(
    ("who", "status"), [("agent", 403), ("lead", 403), ("admin", 403), ("auditor", 403), ("customer", 404)]
)
def test_only_the_subject_consents(world: World, who: str, status: int) -> None:
    waiting = start(world, "consent")
    assert world.decide(waiting, "consent", who).status_code == status
    assert state(world, waiting) == "awaiting_consent"
    assert decisions(world, "consent") == []


def test_token_that_acts_for_the_subject_does_not_consent(world: World) -> None:
    """Neither an impersonation's of that very customer, nor one on behalf of them, nor the backend's own."""
    other = world.start(target="customer-ask", ticket_id="BANK-1").json
    world.decide(other["id"], "consent", "customer-ask")
    acting = world.way_c(other["handle"]).json["access_token"]
    tokens = {
        "impersonation": acting,
        "on behalf": world.way_d(world.token("customer-ask")).json["access_token"],
        "on behalf of the impersonation": world.way_d(acting).json["access_token"],
        "backend": world.client_token("backend", resource=API),
    }
    waiting = start(world, "consent")
    path, body = f"/api/v1/impersonations/{waiting}/consent", {"decision": "approve"}
    answers = {name: world.api("POST", path, token=token, json=body).status_code for name, token in tokens.items()}
    assert answers == {"impersonation": 403, "on behalf": 403, "on behalf of the impersonation": 403, "backend": 401}
    assert state(world, waiting) == "awaiting_consent"
    assert world.decide(waiting, "consent", "customer-ask").json["state"] == "active"


# --- the digest, and the order


@pytest.mark.parametrize(("row", "kind"), [(Approval, "approval"), (Consent, "consent")])
def test_decision_on_another_digest_counts_for_nothing(world: World, row: type[Approval | Consent], kind: str) -> None:
    started = world.start(target=ASKS[kind]).json
    world.decide(started["id"], kind, DECIDES[kind])
    assert world.way_c(started["handle"]).status_code == 200
    other = update(row).where(row.impersonation_id == started["id"]).values(digest="0" * 64)
    arrange(world, lambda work: work.session.execute(other))
    assert error(world.way_c(started["handle"])) == "access_denied"


def test_decision_binds_the_digest_of_what_was_asked(world: World, what: str) -> None:
    waiting = start(world, what)
    world.decide(waiting, what, DECIDES[what])
    [asked] = world.events("impersonation:requested", waiting)
    [decided] = world.events(f"{what}:decided", waiting)
    assert asked["digest"] == decided["digest"]


def test_approval_comes_first_and_then_the_customer_is_asked(make_world: MakeWorld) -> None:
    world = make_world()
    without_standing_consent(world)
    started = world.start(target="vip").json
    assert started["state"] == "awaiting_approval"
    assert world.decide(started["id"], "consent", "vip").status_code == 409
    world.clock.pass_(200)
    approved = world.decide(started["id"], "approval", "lead").json
    assert (approved["state"], approved["pending_until"]) == ("awaiting_consent", "2027-01-15T08:08:20.000Z")
    assert world.decide(started["id"], "approval", "lead").json["state"] == "awaiting_consent"
    assert error(world.way_c(started["handle"])) == "authorization_pending"
    world.clock.pass_(200)
    assert world.decide(started["id"], "consent", "vip").json["state"] == "active"
    assert world.way_c(started["handle"]).status_code == 200


def test_approval_withdrawn_while_the_customer_is_asked_denies(world: World) -> None:
    without_standing_consent(world)
    waiting = world.start(target="vip").json["id"]
    world.decide(waiting, "approval", "lead")
    withdrawn = world.decide(waiting, "approval", "lead", "deny").json
    assert (withdrawn["state"], withdrawn["end_reason"]) == ("denied", "approval_withdrawn")


# --- what an approver may add


def approval(world: World, impersonation_id: str, **body: Any) -> Answer:
    path = f"/api/v1/impersonations/{impersonation_id}/approval"
    return world.api("POST", path, "lead", json={"decision": "approve", **body})


def test_approver_may_shorten_and_say_why_and_the_digest_stays(make_world: MakeWorld) -> None:
    world = make_world()
    without_standing_consent(world)
    started = world.start(target="vip").json
    approved = approval(world, started["id"], expires_in=600, remark="ten minutes will do").json
    assert (approved["state"], approved["expires_in"]) == ("awaiting_consent", 600)
    assert (approved["approval"]["expires_in"], approved["approval"]["remark"]) == (600, "ten minutes will do")
    shown = world.api("GET", f"/api/v1/impersonations/{started['id']}", "vip").json["consent_request"]
    assert "at most 10 minutes" in shown["words"][2]
    assert world.decide(started["id"], "consent", "vip").json["expires_at"] == "2027-01-15T08:10:00.000Z"
    token = world.way_c(started["handle"]).json
    assert token["expires_in"] == 600
    [decided], [consented] = world.events("approval:decided"), world.events("consent:decided")
    assert decided["digest"] == consented["digest"]
    assert decided["lifetime"] == 600


@pytest.mark.parametrize(
    "body", [{"expires_in": 3601}, {"expires_in": 0}, {"decision": "deny", "expires_in": 60}], ids=str
)
def test_approver_may_not_lengthen_nor_shorten_what_they_deny(world: World, body: dict[str, Any]) -> None:
    waiting = start(world, "approval")
    assert approval(world, waiting, **body).status_code == 400
    assert (state(world, waiting), decisions(world, "approval")) == ("awaiting_approval", [])


def test_approval_once_more_with_another_life_is_a_conflict(world: World) -> None:
    waiting = start(world, "approval")
    assert approval(world, waiting, expires_in=600).json["state"] == "active"
    assert approval(world, waiting, expires_in=600).status_code == 200
    assert approval(world, waiting, expires_in=300).status_code == 409


@pytest.mark.parametrize(("said", "until"), [(3600, START + 3600), ("2027-01-15T10:00:00+01:00", START + 3600)])
def test_approver_may_have_the_notice_withheld(world: World, said: int | str, until: int) -> None:
    asked: list[tuple[str, str, int]] = []

    def withhold(work: Work, record: Record, *, by: str, until: int) -> Record:
        assert work.locked
        asked.append((record.id, by, until))
        return record

    world.wired.governance.approvals.withhold = withhold
    waiting = start(world, "approval")
    assert approval(world, waiting, withhold_notice_until=said).json["state"] == "active"
    assert asked == [(waiting, world.id("lead"), until)]


@pytest.mark.parametrize("said", [3600, 0, "tomorrow", "2027-13-15T10:00:00Z", "2027-01-15T10:00:00", "deny"])
def test_notice_is_not_withheld_where_there_is_none_nor_until_no_date(world: World, said: int | str) -> None:
    waiting = start(world, "approval")
    body = {"decision": "deny", "withhold_notice_until": 60} if said == "deny" else {"withhold_notice_until": said}
    assert approval(world, waiting, **body).status_code == 400
    assert (state(world, waiting), decisions(world, "approval")) == ("awaiting_approval", [])


def test_another_lead_may_decide_where_the_first_is_a_lead_no_more(world: World) -> None:
    without_standing_consent(world)
    waiting = world.start(target="vip").json["id"]
    approval(world, waiting)
    arrange(world, lambda work: people.change(work.session, world.id("lead"), roles=[Role.SUPPORT]))
    assert world.decide(waiting, "consent", "vip").json["state"] == "awaiting_approval"
    second_lead(world)
    path, other = f"/api/v1/impersonations/{waiting}/approval", with_scopes_of_its_roles(world, "admin")
    assert world.api("POST", path, token=other, json={"decision": "approve"}).json["state"] == "active"


@pytest.mark.parametrize(
    ("decision", "polled"), [(None, "authorization_pending"), ("approve", None), ("deny", "access_denied")]
)
def test_poller_learns_what_was_decided(world: World, what: str, decision: str | None, polled: str | None) -> None:
    started = world.start(target=ASKS[what]).json
    if decision:
        world.decide(started["id"], what, DECIDES[what], decision)
    answer = world.way_c(started["handle"])
    assert (answer.status_code == 200) if polled is None else (error(answer) == polled)


def test_poller_learns_that_nobody_decided(world: World, what: str) -> None:
    started = world.start(target=ASKS[what]).json
    world.clock.pass_(300)
    assert error(world.way_c(started["handle"])) == "expired_token"


def test_approver_who_is_disabled_takes_what_they_approved_with_them(world: World) -> None:
    waiting = start(world, "approval")
    world.decide(waiting, "approval", "lead")
    wired = world.wired
    with world.work() as work:
        Enablement(wired.lifecycle, wired.trail, wired.clock).disable_person(work, world.id("lead"), by="test")
    assert state(world, waiting) == "ended"
