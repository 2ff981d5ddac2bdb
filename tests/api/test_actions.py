"""Performed actions (design sections 2 and 4): who reports them, until when, once each, and who reads them."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from authserver.storage import clients, resources
from tests.conftest import MakeWorld
from tests.journeys.at_once import assertion_form, at_once, prove, statuses
from tests.world import API, PAYMENTS, START, Answer, World

RESOURCE_SERVER = "resource-server"


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def action(name: str = "one", **changes: Any) -> dict[str, Any]:
    own = {"id": name, "kind": "view.accounts", "at": instant(START), "details": {"count": 2, "ok": True}}
    return {**own, **changes}


def report(
    world: World,
    impersonation_id: str,
    *actions: Any,
    client: str | None = RESOURCE_SERVER,
    token: str | None = None,
    **body: Any,
) -> Answer:
    """Report as a client, or with a token."""
    headers = world.basic(client) if client and token is None else {}
    path = f"/api/v1/impersonations/{impersonation_id}/actions"
    return world.api("POST", path, token=token, headers=headers, json={"actions": list(actions), **body})


def listed(world: World, impersonation_id: str, who: str = "agent", **query: Any) -> dict[str, Any]:
    answer = world.api("GET", f"/api/v1/impersonations/{impersonation_id}/actions", who, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def active(world: World) -> str:
    return str(world.way_a().json["impersonation_id"])


def refused(answer: Answer, status: int, error: str) -> None:
    assert (answer.status_code, answer.json.get("error")) == (status, error), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


# --- once each


def test_batch_is_taken_once_and_its_event_carries_a_digest_that_a_reader_can_recompute(world: World) -> None:
    impersonation = active(world)
    first = report(world, impersonation, action("b"), action("a", kind="open", details={}))
    assert (first.status_code, first.json) == (200, {"accepted": 2, "known": 0})
    again = report(world, impersonation, action("a"), action("b"), action("c"), action("c", kind="other"))
    assert again.json == {"accepted": 1, "known": 3}
    items = listed(world, impersonation)["items"]
    assert [(item["id"], item["kind"], item["reported_by"]) for item in items] == [
        ("a", "open", RESOURCE_SERVER),
        ("b", "view.accounts", RESOURCE_SERVER),
        ("c", "view.accounts", RESOURCE_SERVER),
    ]
    assert items[1] == {
        **action("b"),
        "at": "2027-01-15T08:00:00.000Z",
        "received_at": "2027-01-15T08:00:00.000Z",
        "reported_by": RESOURCE_SERVER,
    }
    events = world.events("actions:reported", impersonation)
    assert [(event["reported_by"], event["count"]) for event in events] == [(RESOURCE_SERVER, 2), (RESOURCE_SERVER, 1)]
    told = [
        {"at_ms": START * 1000, "details": {}, "id": "a", "kind": "open"},
        {"at_ms": START * 1000, "details": {"count": 2, "ok": True}, "id": "b", "kind": "view.accounts"},
    ]
    text = json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
    assert events[0]["digest"] == hashlib.sha256(text).hexdigest()


def test_batch_that_is_wholly_known_leaves_no_event(world: World) -> None:
    impersonation = active(world)
    assert report(world, impersonation, action()).json == {"accepted": 1, "known": 0}
    assert report(world, impersonation, action()).json == {"accepted": 0, "known": 1}
    assert len(world.events("actions:reported")) == 1


def test_each_reporter_has_ids_of_its_own(world: World) -> None:
    """Whoever holds the token cannot use an id up that the API will report under."""
    answer = world.way_a().json
    impersonation, token = answer["impersonation_id"], answer["access_token"]
    assert report(world, impersonation, action(kind="of.the.app"), token=token).json == {"accepted": 1, "known": 0}
    assert report(world, impersonation, action(kind="of.the.api")).json == {"accepted": 1, "known": 0}
    shown = {(item["reported_by"], item["kind"]) for item in listed(world, impersonation)["items"]}
    assert shown == {(world.id("agent"), "of.the.app"), (RESOURCE_SERVER, "of.the.api")}


def test_same_batch_reported_eight_times_at_once_counts_once(make_world: MakeWorld) -> None:
    world = make_world()
    impersonation = active(world)
    batch = [action(str(number)) for number in range(5)]
    answers = at_once(world, *[lambda own: report(own, impersonation, *batch)] * 8)
    assert statuses(answers) == [200] * 8
    assert sum(answer.json["accepted"] for answer in answers) == 5
    assert len(listed(world, impersonation)["items"]) == 5
    assert sum(event["count"] for event in world.events("actions:reported")) == 5
    assert prove(world).ok


# --- who


def test_resource_server_reports_only_for_impersonations_that_name_a_resource_of_its_own(world: World) -> None:
    elsewhere = world.way_a(resource=PAYMENTS, scope="payments:read").json["impersonation_id"]
    for impersonation in (elsewhere, "imp_unknown"):
        refused(report(world, impersonation, action()), 404, "not_found")
    assert world.events("request:refused")[-1]["client_id"] == RESOURCE_SERVER
    for client in ("backend", "other-backend"):
        refused(report(world, active(world), action(), client=client), 404, "not_found")


def test_client_that_fails_to_authenticate_is_401_and_challenged(world: World) -> None:
    impersonation = active(world)
    path = f"/api/v1/impersonations/{impersonation}/actions"
    for header in (world.basic(RESOURCE_SERVER, "wrong"), {"Authorization": "Basic !"}, world.basic("nobody", "x")):
        answer = world.api("POST", path, headers=header, json={"actions": [action()]})
        refused(answer, 401, "invalid_client")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="authserver"'
    refused(report(world, impersonation, action(), client=None), 401, "invalid_token")
    assert listed(world, impersonation)["items"] == []


def test_disabled_client_reports_nothing(world: World) -> None:
    impersonation = active(world)
    with world.work() as work:
        work.lock()
        clients.change(work.session, RESOURCE_SERVER, enabled=False)
    refused(report(world, impersonation, action()), 401, "invalid_client")


def test_client_without_a_secret_reports_by_an_assertion_that_is_used_up(world: World) -> None:
    """RFC 7523 §2.2: the members of the form stand in the JSON here."""
    impersonation, form = active(world), assertion_form(world, "keyed-api")
    with world.work() as work:
        work.lock()
        resources.find(work.session, [API])[API].owner_client_id = "keyed-api"
    proof = {name: value for name, value in form("one").items() if name.startswith("client_assertion")}
    first = report(world, impersonation, action(), client=None, **proof)
    assert (first.status_code, first.json) == (200, {"accepted": 1, "known": 0})
    assert listed(world, impersonation)["items"][0]["reported_by"] == "keyed-api"
    refused(report(world, impersonation, action(), client=None, **proof), 401, "invalid_client")
    refused(report(world, impersonation, action(), **proof), 400, "invalid_request")


def test_plain_token_of_a_person_or_of_a_client_reports_nothing(world: World) -> None:
    impersonation = active(world)
    for who in ("agent", "lead", "admin", "customer"):
        refused(report(world, impersonation, action(), token=world.token(who)), 403, "insufficient_scope")
    assert listed(world, impersonation)["items"] == []


def test_token_of_another_impersonation_reports_nothing(world: World) -> None:
    other = world.way_a("agent2").json["access_token"]
    refused(report(world, active(world), action(), token=other), 403, "insufficient_scope")


def test_token_with_act_reads_no_actions(world: World) -> None:
    answer = world.way_a().json
    path = f"/api/v1/impersonations/{answer['impersonation_id']}/actions"
    refused(world.api("GET", path, token=answer["access_token"]), 403, "insufficient_scope")


# --- until when


def test_reports_are_taken_for_a_minute_after_the_end(world: World) -> None:
    impersonation = active(world)
    world.end(impersonation)
    world.clock.pass_(59)
    assert report(world, impersonation, action()).json == {"accepted": 1, "known": 0}
    world.clock.pass_(1)
    refused(report(world, impersonation, action("late")), 409, "conflict")


def test_token_of_an_ended_impersonation_reports_nothing_more(world: World) -> None:
    answer = world.way_a().json
    world.end(answer["impersonation_id"])
    refused(report(world, answer["impersonation_id"], action(), token=answer["access_token"]), 401, "invalid_token")


def test_clock_that_has_run_out_counts_before_any_job_has_seen_it(world: World) -> None:
    impersonation = world.start(expires_in=100).json["id"]
    world.clock.pass_(100 + 59)
    assert report(world, impersonation, action()).status_code == 200
    world.clock.pass_(1)
    refused(report(world, impersonation, action("late")), 409, "conflict")


def test_impersonation_that_never_began_takes_no_reports(world: World) -> None:
    waiting = world.start(target="customer-ask").json["id"]
    refused(report(world, waiting, action()), 409, "conflict")
    world.decide(waiting, "consent", "customer-ask", "deny")
    refused(report(world, waiting, action()), 409, "conflict")


# --- what


UNFIT: tuple[dict[str, Any], ...] = (
    {"id": ""},
    {"id": "x" * 65},
    {"id": "a/b"},
    {"kind": "View"},
    {"kind": ""},
    {"kind": "x" * 65},
    {"kind": "view accounts"},
    {"at": "2027-01-15"},
    {"at": "2027-01-15T08:00:00"},
    {"at": "2027-02-30T08:00:00Z"},
    {"at": START},
    {"at": instant(START + 61)},
    {"details": {"nested": {"a": 1}}},
    {"details": {"list": [1]}},
    {"details": {"fraction": 1.5}},
    {"details": {"big": 2**53}},
    {"details": {"nul": "\0"}},
    {"details": {"surrogate": "\ud800"}},
    {"details": {"a key": 1}},
    {"details": {"long": "x" * 1016}},
    {"details": {f"k{number}": "x" * 100 for number in range(11)}},
    {"details": None},
    {"more": 1},
)


def test_action_that_does_not_fit_is_refused_with_its_whole_batch(world: World) -> None:
    impersonation = active(world)
    for changes in UNFIT:
        refused(report(world, impersonation, action(), action("two", **changes)), 400, "invalid_request")
    assert listed(world, impersonation)["items"] == []


def test_action_at_the_limits_is_taken(world: World) -> None:
    impersonation = active(world)
    largest = action("x" * 64, kind="k" * 64, at=instant(START + 60), details={"text": "x" * (1024 - 11)})
    assert report(world, impersonation, largest).json == {"accepted": 1, "known": 0}
    offset = action("offset", at="2027-01-15T09:30:00.123456789+01:30", details={"none": None, "no": False})
    assert report(world, impersonation, offset).json == {"accepted": 1, "known": 0}
    shown = {item["id"]: item for item in listed(world, impersonation)["items"]}
    assert shown["offset"]["at"] == "2027-01-15T08:00:00.123Z"
    assert shown["offset"]["details"] == {"none": None, "no": False}


def test_action_of_before_it_began_is_refused_but_for_clocks_that_differ(make_world: MakeWorld) -> None:
    world = make_world()
    waiting = world.start(target="vip").json["id"]
    world.clock.pass_(200)
    assert world.decide(waiting, "approval", "lead").json["state"] == "active"
    began = START + 200
    batch = [action("one", at=instant(began)), action("two", at=instant(began - 61))]
    refused(report(world, waiting, *batch), 400, "invalid_request")
    assert world.events("request:refused")[-1]["reason"] == "actions.past"
    assert report(world, waiting, action("three", at=instant(began - 60))).json == {"accepted": 1, "known": 0}
    assert [item["id"] for item in listed(world, waiting)["items"]] == ["three"]


def test_batch_of_none_or_too_many_is_refused(world: World) -> None:
    impersonation = active(world)
    for count in (0, 101):
        batch = [action(str(number)) for number in range(count)]
        refused(report(world, impersonation, *batch), 400, "invalid_request")


# --- reading


def test_actions_are_read_a_page_at_a_time_in_the_order_of_their_arrival(world: World) -> None:
    impersonation = active(world)
    names = ["z", "m", "a", "y", "b"]
    for name in names:
        assert report(world, impersonation, action(name)).status_code == 200
        world.clock.pass_(1)
    found, cursor = [], None
    while True:
        page = listed(world, impersonation, limit=2, **({"cursor": cursor} if cursor else {}))
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == names
    path = f"/api/v1/impersonations/{impersonation}/actions"
    for wrong in ("", "x", "AAAA", "MTIz"):
        refused(world.api("GET", path, "agent", query_string={"cursor": wrong}), 400, "invalid_request")


def test_customer_reads_what_was_done_as_them_and_a_stranger_does_not(world: World) -> None:
    impersonation = active(world)
    report(world, impersonation, action())
    for who in ("customer", "lead", "auditor", "admin"):
        assert [item["id"] for item in listed(world, impersonation, who)["items"]] == ["one"]
    path = f"/api/v1/impersonations/{impersonation}/actions"
    for who in ("vip", "agent2"):
        refused(world.api("GET", path, who), 404, "not_found")
