"""Starting, listing and reading impersonations through the API (design sections 2 and 4)."""

from typing import Any

import pytest
from sqlalchemy import update

from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, Way
from authserver.storage import clients
from authserver.storage.tables import Session
from tests.world import API, ISSUER, PAYMENTS, REASON, START, Answer, World, claims, error

LIST = "/api/v1/impersonations"
NOBODY = "usr_00000000000000000000000000000000"


def exchanging(world: World, client_id: str = "other-backend") -> None:
    """Let a second client exchange, on the agents' tokens that were issued to `backend`."""
    with world.work() as work:
        work.lock()
        clients.change(
            work.session,
            client_id,
            grant_types=[GRANT_TOKEN_EXCHANGE],
            ways=list(Way),
            scopes=["accounts:read"],
            accepts_tokens_of=["backend"],
        )


def test_start_answers_201_with_id_state_and_handle(world: World) -> None:
    started = world.start()
    assert started.status_code == 201
    assert started.headers["Cache-Control"] == "no-store"
    body = started.json
    assert body["id"].startswith("imp_")
    assert body["handle"] not in {"", body["id"]}
    assert body | {"id": "", "handle": ""} == {
        "id": "",
        "handle": "",
        "state": "active",
        "digest": body["digest"],
        "actor": {"id": world.id("agent"), "name": "Avery Agent", "username": "agent@example.com"},
        "subject": {"id": world.id("customer"), "name": "Casey Customer", "username": "c…@example.com"},
        "client_id": "backend",
        "resource": [API],
        "resources": [
            {
                "uri": API,
                "name": "Accounts",
                "scopes": [
                    {"name": "accounts:read", "description": "See your accounts, their balances and transactions"}
                ],
            }
        ],
        "scope": "accounts:read",
        "mode": "read_only",
        **REASON,
        "expires_in": 3600,
        "created_at": "2027-01-15T08:00:00.000Z",
        "pending_until": None,
        "activated_at": "2027-01-15T08:00:00.000Z",
        "expires_at": "2027-01-15T09:00:00.000Z",
        "ended_at": None,
        "ended_by": None,
        "end_reason": None,
        "approval": None,
        "consent": None,
        "consent_way": "account",
        "consent_number": None,
        "consent_request": None,
        "override": None,
        "grace_until": None,
        "extension": None,
        "report": None,
    }


def test_handle_of_a_start_is_redeemed_by_the_callers_own_client(world: World) -> None:
    started = world.start().json
    token = claims(world.way_c(started["handle"]).json["access_token"])
    assert token["sub"] == world.id("customer")
    assert token["act"] == {"sub": world.id("agent"), "iss": ISSUER}
    assert token["impersonation"] == {"id": started["id"], "mode": "read_only", "ticket_id": "BANK-1042"}


def test_handle_is_redeemed_only_by_the_client_that_the_start_names(world: World) -> None:
    exchanging(world)
    started = world.start(client_id="other-backend").json
    assert started["client_id"] == "other-backend"
    assert error(world.way_c(started["handle"], client="backend")) == "invalid_request"
    token = claims(world.way_c(started["handle"], client="other-backend").json["access_token"])
    assert token["client_id"] == "other-backend"


def test_client_that_may_not_exchange_is_refused_as_an_unknown_one_is(world: World) -> None:
    known, unknown = world.start(client_id="resource-server"), world.start(client_id="nobody")
    assert known.status_code == 400
    assert (known.status_code, known.json) == (unknown.status_code, unknown.json)


def test_disabled_client_starts_nothing(world: World) -> None:
    exchanging(world)
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "other-backend", enabled=False)
    assert world.start(client_id="other-backend").status_code == 400


@pytest.mark.parametrize(
    ("target", "state", "need"), [("customer-ask", "awaiting_consent", 300), ("vip", "awaiting_approval", 300)]
)
def test_start_that_needs_somebodys_word_waits_for_it(world: World, target: str, state: str, need: int) -> None:
    started = world.start(target=target)
    assert (started.status_code, started.json["state"]) == (201, state)
    assert started.json["pending_until"] == "2027-01-15T08:05:00.000Z"
    assert started.json["expires_at"] is None
    assert error(world.way_c(started.json["handle"])) == "authorization_pending"
    world.clock.pass_(need)
    assert error(world.way_c(started.json["handle"])) == "expired_token"


def test_starting_again_finds_the_same_impersonation_and_gives_a_new_handle(world: World) -> None:
    first, again = world.start().json, world.start().json
    assert first["id"] == again["id"]
    assert first["handle"] != again["handle"]
    assert len(world.events("impersonation:requested")) == 1
    assert {world.way_c(each["handle"]).status_code for each in (first, again)} == {200}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"mode": "full"}, 403, "access_denied"),
        ({"reason": ""}, 400, "invalid_request"),
        ({"reason": "   "}, 400, "invalid_request"),
        ({"reason_code": "curiosity"}, 400, "invalid_request"),
        ({"ticket_id": ""}, 400, "invalid_request"),
        ({"ticket_id": "bank 1042"}, 400, "invalid_request"),
        ({"resource": ["https://elsewhere.example"]}, 400, "invalid_target"),
        ({"resource": ["/relative"]}, 400, "invalid_target"),
        ({"resource": [ISSUER]}, 400, "invalid_target"),
        ({"scope": "accounts:everything"}, 400, "invalid_scope"),
        ({"scope": "payments:read"}, 400, "invalid_scope"),
        ({"scope": "contacts:write"}, 400, "invalid_scope"),
        ({"scope": "cards:write"}, 400, "invalid_scope"),
    ],
    ids=str,
)
def test_start_is_refused(world: World, body: dict[str, Any], status: int, code: str) -> None:
    refused = world.start(**body)
    assert (refused.status_code, refused.json["error"]) == (status, code)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert world.events("impersonation:requested") == []
    assert world.events("request:refused")[-1]["error"] == code


def test_lead_starts_in_full_mode_where_an_agent_may_not(world: World) -> None:
    started = world.start("lead", mode="full", scope="cards:write")
    assert (started.status_code, started.json["mode"], started.json["scope"]) == (201, "full", "cards:write")
    assert world.start("agent", mode="full").status_code == 403


def test_unknown_disabled_and_privileged_targets_are_refused_alike(world: World) -> None:
    answers = [world.start(subject=NOBODY)] + [world.start(target=name) for name in ("disabled", "lead", "agent")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    assert answers[0].json["error"] == "access_denied"


def test_actor_who_signed_in_too_weakly_is_challenged_to_step_up(world: World) -> None:
    """RFC 9470 §3."""
    with world.work() as work:
        work.lock()
        work.session.execute(update(Session).where(Session.user_id == world.id("agent")).values(acr="0"))
    refused = world.start()
    assert (refused.status_code, refused.json["error"]) == (401, "insufficient_user_authentication")
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="authserver", error="insufficient_user_authentication"')
    assert 'acr_values="urn:authserver:acr:password urn:authserver:acr:mfa phr"' in challenge
    assert 'max_age="43200"' in challenge
    assert world.start("lead").status_code == 201


@pytest.mark.parametrize(("asked", "granted"), [(60, 60), (None, 3600), (999_999, 3600)])
def test_lifetime_is_what_was_asked_up_to_the_limit(world: World, asked: int | None, granted: int) -> None:
    started = world.start(expires_in=asked).json
    assert started["expires_in"] == granted
    token = claims(world.way_c(started["handle"]).json["access_token"])
    assert token["exp"] == START + granted


def test_scope_of_several_resources_is_cut_to_what_reading_needs(world: World) -> None:
    started = world.start(resource=[API, PAYMENTS]).json
    assert set(started["scope"].split()) == {"accounts:read", "payments:read"}
    assert started["resource"] == [API, PAYMENTS]


# --- list


def ids(answer: Answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_agents_and_customers_list_their_own_and_overseers_list_all(world: World) -> None:
    one, two = world.start("agent").json["id"], world.start("agent2", "vip").json["id"]
    own = {"agent": {one}, "agent2": {two}, "customer": {one}, "vip": {two}, "customer-ask": set[str]()}
    every = {"lead": {one, two}, "admin": {one, two}, "auditor": {one, two}}
    assert {who: set(ids(world.api("GET", LIST, who))) for who in own | every} == own | every


def test_list_shows_no_handle(world: World) -> None:
    started = world.start().json
    listed = world.api("GET", LIST, "agent")
    assert "handle" not in listed.json["items"][0]
    assert started["handle"] not in listed.text


@pytest.mark.parametrize("seconds", [0, 1])
def test_pages_are_newest_first_and_stable_while_others_start(world: World, seconds: int) -> None:
    started = []
    for number in range(5):
        started.append(world.start(ticket_id=f"BANK-{number}").json["id"])
        world.clock.pass_(seconds)
    whole = ids(world.api("GET", LIST, "agent"))
    assert whole == (list(reversed(started)) if seconds else sorted(started, reverse=True))
    seen: list[str] = []
    cursor: str | None = None
    world.clock.pass_(1)
    for _ in range(3):
        page = world.api("GET", LIST, "agent", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += ids(page)
        cursor = page.json["next_cursor"]
        world.start(ticket_id=f"LATER-{len(seen)}")
    assert seen == whole
    assert cursor is None


def test_last_page_that_is_full_has_no_next_one(world: World) -> None:
    for number in range(2):
        world.start(ticket_id=f"BANK-{number}")
    assert world.api("GET", LIST, "agent", query_string={"limit": 2}).json["next_cursor"] is None


def test_list_is_filtered_by_state(world: World) -> None:
    active, asked, ended = (world.start(target=name).json["id"] for name in ("customer", "customer-ask", "vip"))
    world.end(ended)
    found = {
        state: ids(world.api("GET", LIST, "agent", query_string={"state": state}))
        for state in ("active", "awaiting_consent", "ended", "revoked")
    }
    assert found == {"active": [active], "awaiting_consent": [asked], "ended": [ended], "revoked": []}


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "garbage!"},
        {"cursor": "é"},
        {"cursor": ""},
        {"cursor": "MTIz" * 40},
        {"cursor": "eA"},
        {"cursor": "LTEuYQ"},
        {"cursor": "MS4A"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "many"},
        {"state": "asleep"},
        {"unknown": "1"},
        {"limit": ["1", "2"]},
    ],
    ids=str,
)
def test_malformed_page_is_400(world: World, query: dict[str, Any]) -> None:
    refused = world.api("GET", LIST, "agent", query_string=query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")


# --- read


@pytest.mark.parametrize("who", ["agent", "customer", "lead", "admin", "auditor"])
def test_impersonation_is_read_by_its_people_and_overseers(world: World, who: str) -> None:
    started = world.start().json
    shown = world.api("GET", f"{LIST}/{started['id']}", who)
    assert shown.status_code == 200
    expected = {name: value for name, value in started.items() if name != "handle"}
    if who == "customer":  # staff's user names are for staff
        expected |= {side: {**expected[side], "username": None} for side in ("actor", "subject")}
    assert shown.json == expected


@pytest.mark.parametrize("who", ["agent2", "vip"])
def test_impersonation_not_ones_own_is_as_unknown(world: World, who: str) -> None:
    started = world.start().json
    foreign, unknown = (world.api("GET", f"{LIST}/{name}", who) for name in (started["id"], "imp_unknown"))
    assert foreign.status_code == 404
    assert (foreign.status_code, foreign.text) == (unknown.status_code, unknown.text)
    assert dict(foreign.headers).keys() == dict(unknown.headers).keys()
