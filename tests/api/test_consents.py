"""Consent in each of its ways, through the API: who can give it, what is recorded, how it is taken back (section 4)."""

import hashlib
from typing import Any

import pytest

from authserver.impersonation import consent_words
from authserver.storage import people
from tests.conftest import MakeWorld
from tests.consenting import ONE, approve, ask_each_time, asking, consent, enter, number, read, with_codes, wrong
from tests.world import API, Answer, World, error

CONSENTS = "/api/v1/consents"


def standing(world: World, who: str = "customer-ask", **body: object) -> Answer:
    return world.api("POST", CONSENTS, who, json={"expires_in": 3600, **body})


def verify_address(world: World, who: str, *, verified: bool) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id(who), email_verified=verified)


# --- standing


def test_standing_consent_lets_the_next_ask_begin_until_it_runs_out(make_world: MakeWorld) -> None:
    world = make_world()
    given = standing(world)
    assert (given.status_code, given.json["expires_at"]) == (201, "2027-01-15T09:00:00.000Z")
    assert world.start(target="customer-ask").json["state"] == "active"
    world.clock.pass_(3599)
    assert world.start(target="customer-ask", ticket_id="BANK-1").json["state"] == "active"
    world.clock.pass_(1)
    assert world.start(target="customer-ask", ticket_id="BANK-2").status_code in {401, 201}


def test_standing_consent_records_its_words_and_its_basis(world: World) -> None:
    given, words = standing(world).json, consent_words.of_standing()
    assert given["words"] == list(words.sentences)
    [event] = [one for one in world.events("consent:granted") if one["consent_id"] == given["id"]]
    for shown in (given, event):
        assert (shown["words_version"], shown["words_language"], shown["basis"]) == ("standing/1", "en", "consent")
        assert shown["words_hash"] == hashlib.sha256(words.text.encode()).hexdigest()


def test_app_is_told_the_words_and_may_say_which_it_has_shown(world: World) -> None:
    told = world.api("GET", CONSENTS, "customer-ask").json["standing_words"]
    assert standing(world, words_version=told["words_version"]).status_code == 201
    assert standing(world, words_version="standing/0").status_code == 400


@pytest.mark.parametrize("expires_in", [0, -1, 31_536_001, "always", None])
def test_standing_consent_without_an_end_in_bounds_is_400(world: World, expires_in: object) -> None:
    assert standing(world, expires_in=expires_in).status_code == 400
    assert world.start(target="customer-ask").json["state"] == "awaiting_consent"


def test_withdrawn_standing_consent_revokes_all_that_rest_on_it(make_world: MakeWorld) -> None:
    world = make_world()
    given = standing(world).json["id"]
    tokens = [world.way_a(target="customer-ask", ticket_id=f"BANK-{n}").json["access_token"] for n in range(2)]
    other = world.way_a(target="customer").json["access_token"]
    path = f"{CONSENTS}/{given}/withdraw"
    first = world.api("POST", path, "customer-ask")
    assert first.json["withdrawn_at"] is not None
    assert world.api("POST", path, "customer-ask").json == first.json
    assert [world.introspect(token)["active"] for token in (*tokens, other)] == [False, False, True]
    assert [event["end_reason"] for event in world.events("impersonation:ended")] == ["consent_withdrawn"] * 2
    assert {event["state"] for event in world.events("impersonation:ended")} == {"revoked"}
    assert len(world.events("consent:withdrawn")) == 1
    assert world.start(target="customer-ask").json["state"] == "awaiting_consent"


def test_standing_consent_of_another_is_as_unknown(world: World) -> None:
    given = standing(world).json["id"]
    assert world.api("POST", f"{CONSENTS}/{given}/withdraw", "customer").status_code == 404
    assert world.api("POST", f"{CONSENTS}/con_unknown/withdraw", "customer").status_code == 404
    assert given not in world.api("GET", CONSENTS, "customer").text


# --- to one request


def test_app_is_shown_the_words_and_the_agent_the_number(world: World) -> None:
    waiting = asking(world)
    shown = read(world, waiting["id"], "customer-ask")
    request = shown["consent_request"]
    assert shown["consent_number"] is None
    assert waiting["consent_number"] == number(world, waiting["id"]) in request["numbers"]
    assert request["numbers"] == sorted(set(request["numbers"]))
    assert len(request["numbers"]) == 3
    assert "Avery Agent" in request["words"][0]
    assert "“a wrong balance”" in request["words"][1]
    for who in ("lead", "admin", "auditor"):
        other = read(world, waiting["id"], who)
        assert (other["consent_number"], other["consent_request"]) == (None, None)


def test_backend_is_told_the_number_with_the_answer(world: World) -> None:
    answer = world.way_a(target="customer-ask")
    assert error(answer) == "consent_required"
    assert answer.json["consent_number"] == number(world, answer.json["impersonation_id"])


@pytest.mark.parametrize("with_number", [True, False])
def test_consent_records_way_words_and_basis(world: World, *, with_number: bool) -> None:
    waiting = asking(world)["id"]
    words = read(world, waiting, "customer-ask")["consent_request"]
    body: dict[str, Any] = {"number": number(world, waiting)} if with_number else {}
    way = "number_match" if with_number else "app"
    given = consent(world, waiting, **body).json
    assert (given["state"], given["consent"]["way"]) == ("active", way)
    [event] = world.events("consent:decided", waiting)
    assert (event["way"], event["basis"], event["session_id"][:4]) == (way, "consent", "ses_")
    [row] = world.api("GET", CONSENTS, "customer-ask").json["items"]
    for name in ("words_version", "words_language", "words_hash"):
        assert event[name] == row[name] == words[name] != ""


def test_wrong_number_denies_the_request_for_good(make_world: MakeWorld) -> None:
    world = make_world()
    started = world.way_a(target="customer-ask").json
    waiting, right = started["impersonation_id"], started["consent_number"]
    others = [n for n in read(world, waiting, "customer-ask")["consent_request"]["numbers"] if n != right]
    ended = consent(world, waiting, number=others[0])
    assert (ended.status_code, ended.json["state"], ended.json["end_reason"]) == (200, "denied", "number_mismatch")
    assert [event["decision"] for event in world.events("consent:decided", waiting)] == ["mismatch"]
    assert consent(world, waiting, number=right).status_code == 409
    assert error(world.way_c(started["impersonation"])) == "access_denied"


def test_number_can_be_made_to_be_wanted_of_the_app_too(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(consent={"number_match_required": True})
    waiting = asking(world)["id"]
    assert consent(world, waiting).status_code == 400
    assert read(world, waiting)["state"] == "awaiting_consent"
    assert consent(world, waiting, number=number(world, waiting)).json["state"] == "active"


def test_number_where_none_was_asked_is_not_recorded_as_a_match(world: World) -> None:
    waiting = asking(world, consent_way="mail")["id"]
    assert read(world, waiting)["consent_number"] is None
    assert consent(world, waiting, number=42).status_code == 400
    assert consent(world, waiting).json["consent"]["way"] == "mail"


def test_request_by_mail_waits_for_a_day(world: World) -> None:
    assert asking(world, consent_way="mail")["pending_until"] == "2027-01-16T08:00:00.000Z"


def test_way_that_is_not_configured_is_400(world: World) -> None:
    assert world.start(target="customer-ask", consent_way="code").status_code == 400
    assert error(world.way_a(target="customer-ask", consent_way="code")) == "invalid_request"


@pytest.mark.parametrize("change", [{"reason": "another"}, {"ticket_id": "BANK-2"}, {"expires_in": 60}])
def test_what_is_asked_differently_is_asked_anew(world: World, change: dict[str, Any]) -> None:
    first = asking(world)["id"]
    consent(world, first)
    assert world.start(target="customer-ask").json["id"] == first
    assert asking(world, **change)["id"] != first


def test_consent_given_twice_withdrawn_twice_is_each_once(world: World) -> None:
    waiting = asking(world)["id"]
    assert consent(world, waiting).json == consent(world, waiting).json
    withdrawn = world.decide(waiting, "consent", "customer-ask", "deny")
    assert (withdrawn.json["state"], withdrawn.json["end_reason"]) == ("revoked", "consent_withdrawn")
    assert world.decide(waiting, "consent", "customer-ask", "deny").json == withdrawn.json
    assert [event["decision"] for event in world.events("consent:decided", waiting)] == ["approve", "withdraw"]
    assert consent(world, waiting).status_code == 409


# --- by a code


def test_code_read_out_by_the_customer_is_their_consent(make_world: MakeWorld) -> None:
    world, sent = with_codes(make_world)
    started = world.way_a(target="customer-ask", consent_way="code").json
    [(waiting, code)] = sent
    assert (waiting, len(code)) == (started["impersonation_id"], 6)
    assert "consent_number" not in started
    entered = enter(world, waiting, code)
    assert (entered.status_code, entered.json["state"], entered.json["consent"]["way"]) == (200, "active", "code")
    assert world.introspect(world.way_c(started["impersonation"]).json["access_token"])["active"]
    [event] = world.events("consent:decided", waiting)
    assert (event["way"], event["session_id"], event["subject"]) == ("code", None, world.id("customer-ask"))
    assert event["words_hash"]
    [tried] = world.events("consent_code:tried", waiting)
    assert (tried["actor"], tried["correct"], tried["left"]) == (world.id("agent"), True, 4)
    assert code not in str(world.events())
    assert enter(world, waiting, code).status_code == 409
    assert world.decide(waiting, "consent", "customer-ask", "deny").json["state"] == "revoked"


def test_code_dies_after_five_wrong_tries_and_the_request_with_it(make_world: MakeWorld) -> None:
    world, sent = with_codes(make_world)
    waiting = asking(world, consent_way="code")["id"]
    code = sent[0][1]
    answers = [enter(world, waiting, wrong(code)) for _ in range(5)]
    assert [(answer.status_code, answer.json["tries_left"]) for answer in answers] == [
        (400, left) for left in (4, 3, 2, 1, 0)
    ]
    assert enter(world, waiting, code).status_code == 409
    ended = read(world, waiting)
    assert (ended["state"], ended["end_reason"], ended["consent"]) == ("denied", "consent_code_tries", None)
    assert [event["left"] for event in world.events("consent_code:tried", waiting)] == [4, 3, 2, 1, 0]


def test_fifth_try_may_be_the_right_one(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    waiting = asking(world, consent_way="code")["id"]
    for _ in range(4):
        enter(world, waiting, wrong(sent[0][1]))
    assert enter(world, waiting, sent[0][1]).json["state"] == "active"


def test_code_of_one_request_is_none_of_another(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    first = asking(world, consent_way="code")["id"]
    second = asking(world, consent_way="code", ticket_id="BANK-2")["id"]
    codes = dict(sent)
    assert codes[first] != codes[second]
    assert enter(world, second, codes[first]).status_code == 400
    assert enter(world, first, codes[first]).json["state"] == "active"


def test_code_lives_for_its_time(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world, consent={"ways": ["code"], "code_seconds": 60})
    waiting = asking(world)["id"]
    world.clock.pass_(60)
    assert enter(world, waiting, sent[0][1]).status_code == 409
    assert read(world, waiting)["state"] == "expired"


def test_code_is_sent_once_however_often_is_asked(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    assert len({asking(world, consent_way="code")["id"] for _ in range(3)}) == len(sent) == 1


def test_code_goes_to_no_address_that_was_not_verified(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    verify_address(world, "customer-ask", verified=False)
    refused = world.start(target="customer-ask", consent_way="code")
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    assert world.events("request:refused")[-1]["reason"] == "consent_way.address_not_verified"
    assert (sent, world.events("impersonation:requested")) == ([], [])


def test_code_is_refused_where_nothing_sends_it(make_sqlite_world: MakeWorld) -> None:
    world, _ = with_codes(make_sqlite_world)
    world.wired.governance.codes.send = None
    assert error(world.way_a(target="customer-ask", consent_way="code")) == "invalid_request"


def test_code_is_sent_only_once_the_lead_has_approved(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    ask_each_time(world, "vip")
    waiting = world.start(target="vip", consent_way="code").json
    assert (waiting["state"], sent) == ("awaiting_approval", [])
    assert approve(world, waiting["id"]).json["state"] == "awaiting_consent"
    assert enter(world, waiting["id"], sent[0][1]).json["state"] == "active"


def test_address_that_is_verified_no_more_denies_what_a_lead_approves(make_world: MakeWorld) -> None:
    world, sent = with_codes(make_world)
    ask_each_time(world, "vip")
    waiting = world.start(target="vip", consent_way="code").json["id"]
    verify_address(world, "vip", verified=False)
    denied = approve(world, waiting).json
    assert (denied["state"], denied["end_reason"]) == ("denied", "consent_way.address_not_verified")
    assert sent == []


def test_agent_who_guesses_from_request_to_request_has_to_wait(make_sqlite_world: MakeWorld) -> None:
    world, sent = with_codes(make_sqlite_world)
    for round_ in range(2):
        waiting = asking(world, consent_way="code", ticket_id=f"BANK-{round_}")["id"]
        for _ in range(5):
            assert enter(world, waiting, wrong(sent[-1][1])).status_code == 400
    waiting = asking(world, consent_way="code", ticket_id="BANK-9")["id"]
    enter(world, waiting, wrong(sent[-1][1]))
    assert enter(world, waiting, sent[-1][1]).status_code == 429


@pytest.mark.parametrize(("who", "status"), [("agent2", 404), ("lead", 403), ("customer-ask", 403), ("customer", 404)])
def test_nobody_but_its_actor_enters_a_code(make_sqlite_world: MakeWorld, who: str, status: int) -> None:
    world, sent = with_codes(make_sqlite_world)
    waiting = asking(world, consent_way="code")["id"]
    assert enter(world, waiting, sent[0][1], who).status_code == status
    assert enter(world, waiting, sent[0][1]).status_code == 200


# --- who can never give it


def test_agent_cannot_consent_for_the_customer_by_anything_they_hold(world: World) -> None:
    """The client's whole answer, the actor's tokens, the client's own, and an impersonation token of that customer."""
    open_ = world.way_a(target="customer-ask", ticket_id="BANK-7").json["impersonation_id"]
    consent(world, open_)
    acting = world.way_a(target="customer-ask", ticket_id="BANK-7").json["access_token"]
    answer = world.way_a(target="customer-ask").json
    waiting, shown = answer["impersonation_id"], answer["consent_number"]
    held = {
        "nothing": None,
        "handle": answer["impersonation"],
        "actor": world.token("agent"),
        "actor's id token": world.id_token("agent"),
        "lead": world.token("lead"),
        "admin": world.token("admin"),
        "client": world.client_token("backend", resource=API),
        "impersonation": acting,
        "on behalf of it": world.way_d(acting).json["access_token"],
        "another customer": world.token("customer"),
    }
    body = {"decision": "approve", "number": shown}
    calls = {
        f"{ONE}/{waiting}/consent": body,
        f"{ONE}/{waiting}/approval": {"decision": "approve"},
        f"{ONE}/{waiting}/consent-code": {"code": "000000"},
        "/api/v1/consents": {"expires_in": 3600},
        "/session/support-codes": {},
    }
    for name, token in held.items():
        for path, form in calls.items():
            own = name == "another customer" and path in {"/api/v1/consents", "/session/support-codes"}
            no_form = (name, path) == ("nothing", "/session/support-codes")
            not_waiting = (name, path) in {
                ("actor", f"{ONE}/{waiting}/consent-code"),
                ("lead", f"{ONE}/{waiting}/approval"),
            }
            status = world.api("POST", path, token=token, json=form).status_code
            assert status in ({201} if own else {409} if not_waiting else {401, 403, 404, 400 if no_form else 404}), (
                name,
                path,
                status,
            )
        page = world.post(
            f"/account/requests/{waiting}",
            {"number": str(shown), "decision": "approve"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert page.status_code in {400, 401, 403}, name
    assert read(world, waiting)["state"] == "awaiting_consent"
    assert world.events("consent:decided", waiting) == []
    assert consent(world, waiting, number=shown).json["state"] == "active"


def test_session_that_was_signed_out_gives_no_consent(world: World) -> None:
    waiting = asking(world)["id"]
    with world.work() as work:
        world.wired.sessions.end_all(work, world.id("customer-ask"), by="test")
    assert consent(world, waiting).status_code == 401
    assert read(world, waiting)["state"] == "awaiting_consent"
