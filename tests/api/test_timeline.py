"""One impersonation as a timeline: everything to who reads the trail, and to each other reader what they may know."""

from base64 import urlsafe_b64decode as b64decode
from typing import Any

import pytest

from authserver.api import cursors
from authserver.audit.events.governance import NoticeSent, NoticeWithheld
from authserver.storage import impersonations, trail
from tests.conftest import MakeWorld
from tests.consenting import extend
from tests.world import REASON, Answer, World

ACTION = {"id": "1", "kind": "view.accounts", "at": "2027-01-15T08:00:05Z", "details": {"screen": "accounts"}}
PRIVATE = {"policies", "policy_set", "client_address", "session_address", "address", "signature", "recipient", "kid"}


def timeline(world: World, impersonation_id: str, who: str = "auditor", **query: Any) -> Answer:
    return world.api("GET", f"/api/v1/impersonations/{impersonation_id}/timeline", who, query_string=query)


def pages(world: World, impersonation_id: str, who: str, limit: int) -> list[list[dict[str, Any]]]:
    """Read all of it by cursor."""
    found, cursor = [], None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = timeline(world, impersonation_id, who, **query).json
        found.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def report(world: World, started: dict[str, Any], *actions: dict[str, Any]) -> None:
    token = world.way_c(started["handle"]).json["access_token"]
    path = f"/api/v1/impersonations/{started['id']}/actions"
    assert world.api("POST", path, token=token, json={"actions": list(actions)}).status_code == 200


def items(world: World, impersonation_id: str, who: str = "auditor") -> list[dict[str, Any]]:
    answer = timeline(world, impersonation_id, who)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def titles(world: World, impersonation_id: str, who: str = "auditor") -> list[str]:
    return [item["title"] for item in items(world, impersonation_id, who)]


def story(world: World) -> str:
    """Tell a whole one: asked, approved, used, extended, refused something, and ended."""
    started = world.start(target="vip", expires_in=600).json
    body = {"decision": "approve", "remark": "seen the ticket"}
    world.api("POST", f"/api/v1/impersonations/{started['id']}/approval", "lead", json=body)
    token = world.way_c(started["handle"]).json["access_token"]
    world.clock.pass_(10)
    world.api("POST", f"/api/v1/impersonations/{started['id']}/actions", token=token, json={"actions": [ACTION]})
    world.api("POST", f"/api/v1/impersonations/{started['id']}/extend", token=token, json={"expires_in": 60})
    world.end(started["id"])
    return str(started["id"])


def test_reader_of_the_trail_sees_everything_in_its_order(make_world: MakeWorld) -> None:
    world = make_world()
    told = story(world)
    shown = items(world, told)
    assert [(item["kind"], item["title"]) for item in shown] == [
        ("request", "Requested"),
        ("approval", "Approved"),
        ("active", "Became active"),
        ("token", "A token was issued"),
        ("action", "view.accounts"),
        ("report", "Performed actions were reported"),
        ("refusal", "A call was refused"),
        ("end", "Ended"),
    ]
    assert [item["at"][17:23] for item in shown] == ["00.000"] * 4 + ["05.000"] + ["10.000"] * 3
    request, approval = shown[0], shown[1]
    assert request["by"] == {"id": world.id("agent"), "name": items(world, told, "vip")[0]["by"]["name"]}
    assert request["by"]["name"]
    assert request["details"]["reason"] == REASON["reason"]
    assert request["details"]["client_address"] == "127.0.0.1"
    assert request["details"]["policies"]
    assert approval["by"]["id"] == world.id("lead")
    assert (approval["details"]["remark"], approval["details"]["decision"]) == ("seen the ticket", "approve")
    assert [item["seq"] is None for item in shown] == [item["kind"] == "action" for item in shown]
    assert timeline(world, told).json["next_cursor"] is None


def test_lead_and_actor_see_what_was_done_and_not_why_the_policy_said_so(world: World) -> None:
    told = story(world)
    staff = items(world, told, "lead")
    assert [item["kind"] for item in staff] == [item["kind"] for item in items(world, told)]
    actor = items(world, told, "agent")
    assert [item["kind"] for item in actor] == [item["kind"] for item in staff if item["kind"] != "refusal"]
    for item in staff + actor:
        assert not PRIVATE & item["details"].keys()
    [refused] = [item for item in staff if item["kind"] == "refusal"]
    assert refused["details"] == {"endpoint": "api.extend_impersonation", "error": "insufficient_scope"}
    [token] = [item for item in actor if item["kind"] == "token"]
    assert len(token["details"]["jti"]) == 8
    assert token["details"]["audience"] == ["https://api.example.com"]


def test_customer_sees_a_plain_one(world: World) -> None:
    told = story(world)
    shown = items(world, told, "vip")
    assert [item["kind"] for item in shown] == ["request", "approval", "active", "token", "action", "end"]
    details: dict[str, dict[str, Any]] = {item["kind"]: item["details"] for item in shown}
    assert details["approval"] == {"decision": "approve"}
    assert details["end"] == {"state": "ended"}
    assert set(details["token"]) == {"audience", "scopes", "expires_at"}
    assert set(details["request"]) <= {
        *("reason", "reason_code", "ticket_id", "mode", "lifetime", "resources", "scopes", "override")
    }
    assert {item["by"]["id"] for item in shown if item["by"]} == {world.id("agent")}
    assert [item["by"] for item in shown if item["kind"] == "approval"] == [None]
    assert {item["seq"] for item in shown} == {None}
    text = timeline(world, told, "vip").text
    assert not [word for word in ("127.0.0.1", world.id("lead"), "seen the ticket", "policies") if word in text]


def test_customer_is_not_told_what_is_withheld_nor_that_it_was(world: World) -> None:
    told = story(world)
    with world.work() as work:
        work.lock()
        until = world.clock.now() + 600
        withheld = NoticeWithheld(impersonation_id=told, by=world.id("lead"), reason_code="legal_request", until=until)
        alert = NoticeSent(
            impersonation_id=told, message_id="<m>", kind="security_alert", channel="mail", recipient="x@y", attempts=1
        )
        own = NoticeSent(
            impersonation_id=told,
            message_id="<m>",
            kind="impersonation_ended",
            channel="mail",
            recipient="x@y",
            attempts=1,
        )
        for event in (withheld, alert, own):
            world.wired.trail.record(work, event)
    for who, expected in {"vip": 1, "agent": 1, "lead": 3, "auditor": 3}.items():
        assert len([item for item in items(world, told, who) if item["kind"] == "notice"]) == expected
    assert "withheld" not in timeline(world, told, "vip").text
    assert "x@y" not in timeline(world, told, "lead").text
    assert "x@y" in timeline(world, told).text


@pytest.mark.parametrize("how", ["withheld", "undecided"])
def test_customer_who_may_not_know_yet_is_answered_as_if_there_were_none(
    make_sqlite_world: MakeWorld, how: str
) -> None:
    world = make_sqlite_world(notification={"withholding_reason_codes": ["legal_request"]})
    started = world.start(target="vip", reason_code="legal_request").json["id"]
    if how == "withheld":
        body = {"decision": "approve", "withhold_notice_until": 1800}
        answer = world.api("POST", f"/api/v1/impersonations/{started}/approval", "lead", json=body)
        assert answer.status_code == 200, answer.text
    hidden, unknown = timeline(world, started, "vip"), timeline(world, "imp_unknown", "vip")
    assert (hidden.status_code, hidden.json) == (unknown.status_code, unknown.json) == (404, unknown.json)
    assert world.events("request:refused")[-2]["reason"] == "impersonation.withheld"
    assert timeline(world, started, "agent").status_code == 200
    world.clock.pass_(1800)
    if how == "withheld":
        assert timeline(world, started, "vip").status_code == 200
        assert "withheld" not in timeline(world, started, "vip").text


def test_erased_words_are_in_no_timeline(make_world: MakeWorld) -> None:
    """Though the row of the impersonation has them still."""
    world = make_world()
    told = story(world)
    [requested] = world.events("impersonation:requested")
    with world.work() as work:
        work.lock()
        assert trail.erase_personal(work.session, "main", requested["seq"], "reason")
        kept = impersonations.find(work.session, told)
        assert kept is not None
        assert kept.reason == REASON["reason"]
    for who in ("vip", "agent", "lead", "auditor"):
        assert REASON["reason"] not in timeline(world, told, who).text


def test_reading_anothers_is_recorded_and_ones_own_is_not(world: World) -> None:
    told = story(world)
    for who in ("vip", "agent", "lead", "auditor"):
        timeline(world, told, who)
    shown = [(event["reader"], event["how"], event["query"]) for event in world.events("trail:read")]
    assert shown == [(world.id(who), "timeline", {"impersonation_id": told}) for who in ("lead", "auditor")]
    assert titles(world, told)[-1] == "Ended"


@pytest.mark.parametrize("who", ["agent2", "customer"])
def test_whose_it_is_not_learns_nothing(world: World, who: str) -> None:
    told = story(world)
    refused, unknown = timeline(world, told, who), timeline(world, "imp_unknown", who)
    assert (refused.status_code, refused.json) == (404, unknown.json)
    assert world.events("request:refused")[-2]["endpoint"] == "api.read_timeline"


@pytest.mark.parametrize("who", ["auditor", "lead", "agent", "vip"])
@pytest.mark.parametrize("limit", [1, 3])
def test_it_is_read_a_page_at_a_time(world: World, who: str, limit: int) -> None:
    """Also of what happened at one instant, and of actions among it; no page is short of what is not shown."""
    told = story(world)
    whole = items(world, told, who)
    found = pages(world, told, who, limit)
    assert [item for page in found for item in page] == whole
    assert {len(page) for page in found[:-1]} == {limit}
    assert 0 < len(found[-1]) <= limit
    assert timeline(world, told, who, limit=len(whole)).json["next_cursor"] is None


def test_actions_of_one_instant_hide_nothing(world: World) -> None:
    """Whoever reports them chooses their time."""
    started = world.start(expires_in=600).json
    for batch in ("z", "a"):
        world.clock.pass_(1)
        report(world, started, *({**ACTION, "id": f"{batch}{number}"} for number in range(5)))
    world.clock.pass_(10)
    world.end(started["id"])
    shown = [item for page in pages(world, started["id"], "auditor", 3) for item in page]
    done = [item["details"]["id"] for item in shown if item["kind"] == "action"]
    assert done == [*(f"z{number}" for number in range(5)), *(f"a{number}" for number in range(5))]
    assert shown[-1]["kind"] == "end"


def test_what_happens_meanwhile_is_on_a_later_page(world: World) -> None:
    """Also where it happens at the instant at which the page before ended."""
    started = world.start(expires_in=600).json
    report(world, started, {**ACTION, "at": "2027-01-15T08:00:00Z"})
    before = timeline(world, started["id"], limit=len(items(world, started["id"])) - 1).json
    world.end(started["id"])
    after = timeline(world, started["id"], cursor=before["next_cursor"]).json
    assert [item["kind"] for item in after["items"]] == ["end", "action"]
    assert after["next_cursor"] is None


def test_cursor_tells_the_customer_nothing_of_what_they_do_not_see(world: World) -> None:
    """Neither a place in the trail nor how much of an instant is not shown to them."""
    told = story(world)
    found = []
    for hidden in range(2):
        cursor = timeline(world, told, "vip", limit=5).json["next_cursor"]
        found.append(b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        with world.work() as work:
            work.lock()
            withheld = NoticeWithheld(impersonation_id=told, by="usr_x", reason_code="legal_request", until=hidden)
            world.wired.trail.record(work, withheld)
    assert found[0] == found[1]
    assert found[0].split("/")[1:] == ["0", "1"]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": ""},
        {"cursor": "garbage!"},
        {"cursor": "é"},
        {"cursor": "1"},
        {"cursor": "MTIz" * 40},
        {"cursor": cursors.write(1)},
        {"cursor": cursors.write(1, "1")},
        {"cursor": cursors.write(1, "1", "1", "1")},
        {"cursor": cursors.write(-1, "1", "1")},
        {"cursor": cursors.write(2**62, "1", "1")},
        {"cursor": cursors.write(1, "1", "-1")},
        {"cursor": cursors.write(1, "1", "")},
        {"cursor": cursors.write(1, "1" * 10, "1")},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "many"},
        {"limit": ["1", "2"]},
        {"since": "2027-01-15T08:00:05Z"},
    ],
    ids=str,
)
def test_malformed_page_is_400_and_nothing_was_read(world: World, query: dict[str, Any]) -> None:
    started = world.start().json["id"]
    refused = timeline(world, started, **query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert refused.json["error"] == "invalid_request"
    assert not world.events("trail:read")


def test_bad_cursor_is_refused_as_in_other_listings(world: World) -> None:
    started = world.start().json["id"]
    elsewhere = world.api("GET", "/api/v1/impersonations", "auditor", query_string={"cursor": "x"})
    for cursor in ("x", cursors.write(1, "1", "x")):
        assert timeline(world, started, cursor=cursor).json == elsewhere.json
        assert world.events("request:refused")[-1]["reason"] == "cursor.malformed"


def test_cursor_opens_nothing_to_whose_it_is_not(world: World) -> None:
    told = story(world)
    cursor = timeline(world, told, "agent", limit=1).json["next_cursor"]
    assert timeline(world, told, "agent2", cursor=cursor).status_code == 404


def test_cursor_beyond_the_end_finds_nothing(world: World) -> None:
    told = story(world)
    for cursor in (cursors.write(2**62 - 1, "0", "0"), cursors.write(1_800_000_000_000, "9" * 9, "9" * 9)):
        shown = timeline(world, told, cursor=cursor)
        assert (shown.status_code, shown.json["next_cursor"]) == (200, None)


def test_each_page_that_is_read_is_recorded(world: World) -> None:
    told = story(world)
    cursor = timeline(world, told, limit=5).json["next_cursor"]
    timeline(world, told, limit=5, cursor=cursor)
    first = {"impersonation_id": told}
    assert [event["query"] for event in world.events("trail:read")] == [
        first,
        {**first, "since": "2027-01-15T08:00:05.000Z"},
    ]


def test_extension_stands_in_it(world: World) -> None:
    started = world.start(expires_in=600).json["id"]
    assert extend(world, started, expires_in=900).status_code == 200
    [item] = [item for item in items(world, started, "customer") if item["kind"] == "extension"]
    assert item["details"]["lifetime"] == 900
