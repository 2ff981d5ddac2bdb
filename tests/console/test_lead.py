"""A lead at the console: the queue of what waits for a decision, what runs, and the big red button."""

import re

import pytest

from tests.conftest import MakeWorld
from tests.console.staff import Staff, console_world, text
from tests.signing_in import hidden
from tests.world import Answer, World

QUEUE, ACTIVE = "/console/queue", "/console/active"
WHOM = "Vivian Customer"


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return console_world(make_sqlite_world)


@pytest.fixture
def lead(world: World) -> Staff:
    staff = Staff(world)
    staff.enter("lead")
    return staff


def waiting(world: World, **more: object) -> str:
    """Ask for what somebody has to approve."""
    return str(world.start("agent", "vip", **more).json["id"])


def state(world: World, impersonation_id: str) -> str:
    return str(world.api("GET", f"/api/v1/impersonations/{impersonation_id}", "lead").json["state"])


def decide(lead: Staff, impersonation_id: str, decision: str, shown: Answer | None = None, **more: str) -> Answer:
    shown = shown or lead.get(QUEUE)
    fields = {"digest": hidden(shown)["digest"], "decision": decision, **more}
    return lead.send(f"{QUEUE}/{impersonation_id}", shown, **fields)


def test_all_that_a_decision_needs_is_on_the_queue(world: World, lead: Staff) -> None:
    waiting(world, reason="a card was lost", ticket_id="BANK-77", expires_in=1200)
    shown = text(lead.get(QUEUE))
    for words in (
        "Avery Agent",
        WHOM,
        "a card was lost",
        "BANK-77",
        "Read only",
        "20 min, as asked",
        "Accounts https://api.example.com",
        "See your accounts, their balances and transactions accounts:read",
    ):
        assert words in shown, words


def test_an_empty_queue_says_so(lead: Staff) -> None:
    assert "Nothing waits for you" in lead.get(QUEUE).text


def test_where_nothing_is_open_there_is_nothing_to_end(world: World, lead: Staff) -> None:
    shown = lead.get(ACTIVE).text
    assert "Nobody acts as a customer now" in shown
    assert "End everything" not in shown
    waiting(world)  # it is ended with everything, too
    assert "End everything" in lead.get(ACTIVE).text
    assert "End everything" in lead.get(f"{ACTIVE}/now").text


def test_approved_with_a_remark_it_goes_on(world: World, lead: Staff) -> None:
    asked = waiting(world)
    answer = decide(lead, asked, "approve", remark="checked with the branch")
    assert (answer.status_code, answer.headers["Location"]) == (303, QUEUE)
    assert f"Approved. Avery Agent for {WHOM}." in lead.get(QUEUE).text
    approval = world.api("GET", f"/api/v1/impersonations/{asked}", "lead").json["approval"]
    assert (approval["decision"], approval["by"]) == ("approve", world.id("lead"))
    assert approval["remark"] == "checked with the branch"
    assert state(world, asked) == "active"


def test_denied_it_is_over(world: World, lead: Staff) -> None:
    asked = waiting(world)
    assert decide(lead, asked, "deny", remark="not for this").status_code == 303
    assert state(world, asked) == "denied"


def test_a_lead_may_shorten(world: World, lead: Staff) -> None:
    asked = waiting(world, expires_in=1800)
    assert decide(lead, asked, "approve", expires_in="300").status_code == 303
    assert world.api("GET", f"/api/v1/impersonations/{asked}", "lead").json["expires_in"] == 300


def test_for_a_legal_reason_a_lead_may_have_the_customer_told_later(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world, notification={"withholding_reason_codes": ["legal_request"]})
    lead = Staff(world)
    lead.enter("lead")
    plain = waiting(world)
    assert "The customer is told" not in lead.get(QUEUE).text
    world.api("POST", f"/api/v1/impersonations/{plain}/end", "agent")
    asked = waiting(world, reason_code="legal_request")
    assert "The customer is told" in lead.get(QUEUE).text
    assert decide(lead, asked, "approve", withhold="86400").status_code == 303
    [withheld] = world.events("notice:withheld", asked)
    assert withheld["until"] == world.clock.now() + 86400


def test_a_decision_on_something_else_than_was_shown_counts_for_nothing(world: World, lead: Staff) -> None:
    asked = waiting(world)
    answer = lead.send(
        f"{QUEUE}/{asked}", lead.get(QUEUE), digest="0" * 64, decision="approve", remark="kept <i>words</i>"
    )
    assert answer.status_code == 409
    assert "not as it was when you looked" in answer.text
    assert "kept &lt;i&gt;words&lt;/i&gt;" in answer.text
    assert state(world, asked) == "awaiting_approval"


def test_what_a_lead_asked_for_is_for_another(world: World, lead: Staff) -> None:
    own = str(world.start("lead", "vip").json["id"])
    assert own not in lead.get(QUEUE).text
    assert lead.send(f"{QUEUE}/{own}", decision="approve").status_code in {403, 409}
    assert state(world, own) == "awaiting_approval"


@pytest.mark.parametrize("who", ["agent2", "auditor", "admin"])
def test_nobody_else_decides(world: World, who: str) -> None:
    asked = waiting(world)
    staff = Staff(world)
    staff.enter(who)
    shown = staff.get(QUEUE)
    assert "Approve</button>" not in shown.text
    assert staff.send(f"{QUEUE}/{asked}", shown, decision="approve").status_code in {403, 404}
    assert state(world, asked) == "awaiting_approval"
    assert world.events("request:refused")[-1]["actor"] == world.id(who)


def test_without_the_forms_own_proof_nothing_is_decided(world: World, lead: Staff) -> None:
    asked = waiting(world)
    assert lead.post(f"{QUEUE}/{asked}", decision="approve").status_code == 403
    assert lead.post(f"{ACTIVE}/end", reason="now").status_code == 403
    assert state(world, asked) == "awaiting_approval"


def test_one_that_runs_is_ended_from_the_list(world: World, lead: Staff) -> None:
    running = str(world.start("agent", "customer").json["id"])
    shown = lead.get(ACTIVE)
    assert re.search(r'aria-label="End Avery Agent as Casey Customer"', shown.text)
    answer = lead.send(f"/console/impersonations/{running}/end", shown, then="active")
    assert (answer.status_code, answer.headers["Location"]) == (303, ACTIVE)
    assert state(world, running) == "ended"


def test_all_of_it_is_ended_with_a_reason(world: World, lead: Staff) -> None:
    ids = [str(world.start("agent", "customer").json["id"]), waiting(world)]
    refused = lead.send(f"{ACTIVE}/end", reason="")
    assert refused.status_code == 400
    assert lead.send(f"{ACTIVE}/end", reason="a stolen laptop").status_code == 303
    assert "Ended 2." in lead.get(ACTIVE).text
    assert [state(world, each) for each in ids] == ["ended", "ended"]


@pytest.mark.parametrize("who", ["agent", "auditor"])
def test_not_everybody_ends_everything(world: World, who: str) -> None:
    running = str(world.start("agent2", "customer").json["id"])
    staff = Staff(world)
    staff.enter(who)
    assert staff.send(f"{ACTIVE}/end", staff.get(ACTIVE), reason="for fun").status_code == 403
    assert state(world, running) == "active"
