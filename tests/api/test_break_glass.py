"""Break-glass: who may, what it passes over, what it owes, and that one owes only once (design section 4)."""

from collections.abc import Iterator
from functools import partial

import pytest

from authserver.protocol.names import Role
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, prove, statuses
from tests.oauth.exchanging import change_session, change_user, given, mint, refused, sign_in
from tests.world import API, Answer, World, claims, error

BROKEN = {"override": "break_glass"}
TOLD = "The mother called: her son lay in hospital, and the card was gone."
PASSKEY = {"acr": "phr", "amr": ["hwk", "user", "mfa"]}


def break_glass(world: World, target: str = "vip", **form: str) -> Answer:
    return world.way_a("lead", target, **BROKEN, **form)


def file_report(world: World, impersonation_id: str, who: str = "lead", report: str = TOLD) -> Answer:
    return world.api("POST", f"/api/v1/impersonations/{impersonation_id}/report", who, json={"report": report})


def put_in_group(world: World, name: str) -> None:
    change_user(world, name, groups=["break-glass"])
    change_session(world, name, **PASSKEY)


def without_consent(world: World) -> str:
    """Return a VIP without consent: both an approval and a consent are lacking."""
    change_user(world, "customer-ask", tier="vip")
    return "customer-ask"


def test_glass_is_broken_at_once_with_neither_consent_nor_approval(make_world: MakeWorld) -> None:
    world = make_world()
    target = without_consent(world)
    assert error(world.way_a("lead", target)) == "approval_required"
    answer = break_glass(world, target, mode="full")
    said = given(answer)
    assert said["impersonation"]["override"] == "break_glass"
    assert said["scope"] == "accounts:read cards:write", "what cannot be delegated is not, by any override"
    shown = world.introspect(answer.json["access_token"])
    assert (shown["active"], shown["impersonation"]["override"]) == (True, "break_glass")
    asked = world.events("impersonation:requested")[-1]
    assert (asked["override"], asked["state"]) == ("break_glass", "active")
    [opened] = world.events("break_glass:opened", answer.json["impersonation_id"])
    assert opened["actor"] == world.id("lead")
    assert opened["subject"] == world.id(target)
    assert opened["due_at"] == world.clock.now() + 86_400
    assert opened["contacts"] == 0
    record = world.api("GET", f"/api/v1/impersonations/{answer.json['impersonation_id']}", "auditor").json
    assert (record["override"], record["approval"], record["consent"]) == ("break_glass", None, None)
    assert record["report"] == {"due_at": "2027-01-16T08:00:00.000Z", "filed_at": None}


def test_api_breaks_the_glass_as_the_exchange_does(world: World) -> None:
    started = world.start("lead", "vip", **BROKEN)
    assert (started.status_code, started.json["state"]) == (201, "active")
    assert given(world.way_c(started.json["handle"], "lead"))["impersonation"]["override"] == "break_glass"
    assert len(world.events("break_glass:opened")) == 1


def test_event_counts_the_contacts_who_are_told(make_sqlite_world: MakeWorld) -> None:
    contacts = ["security@example.com", "duty@example.com"]
    world = make_sqlite_world(notification={"security_contacts": contacts}, break_glass={"report_seconds": 60})
    assert break_glass(world).status_code == 200
    [opened] = world.events("break_glass:opened")
    assert (opened["contacts"], opened["due_at"]) == (2, world.clock.now() + 60)


def test_what_is_not_broken_into_carries_no_override(world: World) -> None:
    answer = world.way_a("lead")
    assert "override" not in given(answer)["impersonation"]
    assert "override" not in world.introspect(answer.json["access_token"])["impersonation"]
    shown = world.api("GET", f"/api/v1/impersonations/{answer.json['impersonation_id']}", "lead").json
    assert (shown["override"], shown["report"]) == (None, None)
    assert world.events("break_glass:opened") == []


# --- who, and by what proof


def test_only_the_group_may(world: World) -> None:
    change_session(world, "agent", **PASSKEY)
    event = refused(world, world.way_a("agent", "vip", **BROKEN), "access_denied", "policy.denied")
    assert event["policies"] == ["break-glass.who"]
    change_user(world, "lead", groups=["break-glasses"])
    refused(world, break_glass(world), "access_denied", "policy.denied")
    assert world.start("lead", "vip", **BROKEN).status_code == 403
    assert world.events("break_glass:opened") == []
    put_in_group(world, "agent")
    assert world.way_a("agent", "vip", **BROKEN).status_code == 200


@pytest.mark.parametrize(
    ("values", "fine"),
    [
        ({"acr": "urn:authserver:acr:mfa"}, {"acr": "phr"}),
        ({"acr": "urn:authserver:acr:password"}, {"acr": "phrh"}),
        ({"auth_time": -301}, {"auth_time": -300}),
    ],
)
def test_proof_is_fresh_and_cannot_be_phished(world: World, values: dict[str, object], fine: dict[str, object]) -> None:
    def at(columns: dict[str, object]) -> dict[str, object]:
        return {n: world.clock.now() + v if isinstance(v, int) else v for n, v in columns.items()}

    change_session(world, "lead", **at(values))
    answer = break_glass(world)
    refused(world, answer, "insufficient_user_authentication", "policy.step_up")
    assert (answer.json["acr_values"], answer.json["max_age"]) == ("phr phrh", 300)
    challenged = world.start("lead", "vip", **BROKEN)
    assert challenged.status_code == 401
    assert 'acr_values="phr phrh", max_age="300"' in challenged.headers["WWW-Authenticate"]
    change_session(world, "lead", **at(fine))
    assert break_glass(world).status_code == 200


@pytest.mark.parametrize("target", ["agent", "lead", "admin", "disabled"])
def test_plain_forbid_is_not_beaten(world: World, target: str) -> None:
    refused(world, break_glass(world, target), "access_denied", "policy.denied")
    change_user(world, "vip", conflicts=[world.id("lead")])
    assert refused(world, break_glass(world), "access_denied", "policy.denied")["policies"] == ["target.conflict"]
    refused(world, break_glass(world, ticket_id="none"), "invalid_request", "policy:reason.ticket-valid")
    assert world.events("break_glass:opened") == []


def test_client_alone_breaks_nothing(world: World) -> None:
    """Neither its own token, nor one on behalf of a customer, nor ways that have no actor who is a person."""
    alone = world.client_token("backend", resource=API)
    assert error(break_glass(world, actor_token=alone)) in {"invalid_request", "access_denied"}
    behalf = world.way_d().json["access_token"]
    assert error(break_glass(world, actor_token=behalf)) in {"invalid_request", "access_denied"}
    refused(world, world.way_d(**BROKEN), "invalid_request", "mode.unexpected")
    assert world.api("POST", "/api/v1/impersonations", token=alone, json=BROKEN).status_code in {401, 403}
    assert world.events("break_glass:opened") == []


# --- the report


def test_right_is_suspended_until_the_report_is_filed(make_world: MakeWorld) -> None:
    world = make_world()
    first = break_glass(world).json["impersonation_id"]
    event = refused(world, break_glass(world, "customer"), "access_denied", "policy.denied")
    assert event["policies"] == ["break-glass.report-owed"]
    world.end(first, "lead")
    refused(world, break_glass(world, "customer"), "access_denied", "policy.denied")
    filed = file_report(world, first)
    assert filed.status_code == 200, filed.text
    assert filed.json["report"] == {"due_at": "2027-01-16T08:00:00.000Z", "filed_at": "2027-01-15T08:00:00.000Z"}
    assert break_glass(world, "customer").status_code == 200
    [reported] = world.events("break_glass:reported")
    assert (reported["actor"], reported["overdue"]) == (world.id("lead"), False)
    assert "The mother called" not in str(reported), "what stands in a report is personal"


def test_report_tells_of_the_whole_and_so_comes_after_the_end(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    owed = world.start("lead", "vip", expires_in=60, **BROKEN).json["id"]
    early = file_report(world, owed)
    assert (early.status_code, early.json["error"]) == (409, "conflict")
    assert "once the impersonation has ended" in early.json["detail"]
    assert world.events("request:refused")[-1]["reason"] == "report.too_early"
    world.clock.pass_(60)
    assert file_report(world, owed).status_code == 200, "its clock has ended it"
    assert world.events("break_glass:reported")[0]["overdue"] is False


@pytest.mark.parametrize(("chars", "status"), [(11, 400), (12, 200)])
def test_how_much_a_report_says_at_least_is_configured(make_sqlite_world: MakeWorld, chars: int, status: int) -> None:
    world = make_sqlite_world(break_glass={"report_min_chars": 12})
    owed = break_glass(world).json["impersonation_id"]
    world.end(owed, "lead")
    filed = file_report(world, owed, report="  " + "x" * (chars - 2) + " \n y")
    assert filed.status_code == status, filed.text
    if status == 400:
        assert (filed.json["error"], filed.json["min_chars"]) == ("invalid_request", 12)
        assert world.events("request:refused")[-1]["reason"] == "report.too_short"


def test_everything_else_goes_on_while_a_report_is_owed(world: World) -> None:
    before = world.way_a("lead", "customer").json
    broken = break_glass(world).json
    for _ in range(2):
        assert given(world.way_c(broken["impersonation"], "lead"))["impersonation"]["override"] == "break_glass"
    assert world.way_c(before["impersonation"], "lead").status_code == 200
    assert world.way_a("lead", "customer", ticket_id="BANK-2").status_code == 200
    again = break_glass(world)
    assert again.status_code == 200, "the same request once more is the same impersonation"
    assert again.json["impersonation_id"] == broken["impersonation_id"]
    assert len(world.events("break_glass:opened")) == 1
    put_in_group(world, "agent")
    assert world.way_a("agent", "vip", **BROKEN).status_code == 200, "a report is owed by one person"


def test_override_may_be_repeated_in_way_c_and_proof_is_asked_as_at_the_start(world: World) -> None:
    handle = break_glass(world).json["impersonation"]
    world.clock.pass_(400)
    assert world.way_c(handle, "lead", **BROKEN).status_code == 200, "the proof was fresh when it was asked for"
    change_session(world, "lead", acr="urn:authserver:acr:mfa")
    refused(world, world.way_c(handle, "lead"), "insufficient_user_authentication", "policy.step_up")
    refused(world, break_glass(world, "customer"), "access_denied", "policy.denied")


@pytest.mark.parametrize(
    ("who", "status"), [("agent", 404), ("vip", 403), ("admin", 403), ("auditor", 403), ("customer", 404)]
)
def test_nobody_else_files_it(world: World, who: str, status: int) -> None:
    owed = break_glass(world).json["impersonation_id"]
    assert file_report(world, owed, who).status_code == status
    assert world.events("break_glass:reported") == []


def test_another_lead_and_the_impersonation_itself_do_not_file_it(world: World) -> None:
    started = break_glass(world).json
    other = add_person(world, "lead2", Role.LEAD)
    assert file_report(world, started["impersonation_id"], other).status_code == 403
    path, body = f"/api/v1/impersonations/{started['impersonation_id']}/report", {"report": "x"}
    assert world.api("POST", path, token=started["access_token"], json=body).status_code == 403
    assert world.events("break_glass:reported") == []


def test_report_is_filed_once_and_only_where_one_is_owed(world: World) -> None:
    owed = break_glass(world).json["impersonation_id"]
    world.end(owed, "lead")
    plain = world.way_a("lead").json["impersonation_id"]
    assert file_report(world, plain).status_code == 409
    assert file_report(world, "imp_unknown").status_code == 404
    for nothing in ("", " \n\t", "x" * 10_001, "x" * 39, " x " + " " * 40):
        assert file_report(world, owed, report=nothing).status_code == 400
    world.clock.pass_(86_401)
    sign_in(world, "lead", "ses_later", **PASSKEY)
    renewed = _token_of_session(world, "ses_later")
    path = f"/api/v1/impersonations/{owed}/report"
    assert world.api("POST", path, token=renewed, json={"report": TOLD}).status_code == 200
    assert world.api("POST", path, token=renewed, json={"report": TOLD * 2}).status_code == 409
    [reported] = world.events("break_glass:reported")
    assert reported["overdue"] is True


def _token_of_session(world: World, session_id: str) -> str:
    return mint(world, "lead", session_id=session_id, scope=tuple(claims(world.token("lead"))["scope"].split()))


# --- at once


@pytest.fixture
def raced(make_world: MakeWorld) -> Iterator[World]:
    made = make_world()
    yield made
    report = prove(made)
    assert report.ok, report.findings


def test_glass_broken_for_many_at_once_is_broken_for_one(raced: World) -> None:
    targets = [add_person(raced, f"customer-{number}", Role.CUSTOMER) for number in range(4)]
    answers = at_once(raced, *[partial(break_glass, target=target) for target in targets])
    assert statuses(answers) == [200, 400, 400, 400]
    assert {error(answer) for answer in answers if answer.status_code == 400} == {"access_denied"}
    [opened] = raced.events("break_glass:opened")
    [first] = [answer.json["impersonation_id"] for answer in answers if answer.status_code == 200]
    raced.end(first, "lead")
    assert file_report(raced, first).status_code == 200
    answers = at_once(raced, *[partial(break_glass, target=target, ticket_id="BANK-9") for target in targets])
    assert statuses(answers) == [200, 400, 400, 400]
    assert opened["actor"] == raced.id("lead")


def test_same_glass_broken_many_times_at_once_is_one_impersonation(raced: World) -> None:
    answers = at_once(raced, *[break_glass] * 4)
    assert statuses(answers) == [200] * 4
    assert len({answer.json["impersonation_id"] for answer in answers}) == 1
    assert len(raced.events("break_glass:opened")) == 1


def test_report_filed_many_times_at_once_is_filed_once(raced: World) -> None:
    owed = break_glass(raced).json["impersonation_id"]
    raced.end(owed, "lead")
    answers = at_once(raced, *[partial(file_report, impersonation_id=owed)] * 4)
    assert statuses(answers) == [200, 409, 409, 409]
    assert len(raced.events("break_glass:reported")) == 1
