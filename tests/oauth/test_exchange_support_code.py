"""Way F: a customer's support code is subject and consent, once, within the customer's limits (design section 3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from authserver.impersonation.words import PRESENT_SUPPORT_CODE
from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_IMPERSONATION, TYPE_SUPPORT_CODE, TYPE_USER_ID
from authserver.storage import clients
from authserver.storage.tables import Consent
from tests.conftest import MakeWorld
from tests.oauth.exchanging import (
    ID,
    change_session,
    change_user,
    everything_stored,
    given,
    let_other_backend_exchange,
    mint,
    refused,
    session_of,
    waits,
)
from tests.signing_in import BrowserOf
from tests.support_codes import PATH, listed, make_code, state, way_f
from tests.world import API, PAYMENTS, World, error

BAD = "invalid_request"


def withdraw(world: World, impersonation_id: str, who: str = "customer-ask") -> None:
    answer = world.decide(impersonation_id, "consent", who, "deny")
    assert answer.status_code == 200, answer.text


def test_the_code_is_subject_and_consent_of_an_impersonation(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = make_code(world)
    assert error(world.way_a(target="customer-ask")) == "consent_required"
    answer = way_f(world, made["support_code"])
    token = given(answer)
    assert token["sub"] == world.id("customer-ask")
    assert token["act"]["sub"] == world.id("agent")
    assert token["impersonation"]["mode"] == "read_only"
    assert token["scope"] == "accounts:read"
    assert answer.json["issued_token_type"] == TYPE_ACCESS_TOKEN
    assert not {"auth_time", "acr", "amr"} & set(token)
    assert world.introspect(answer.json["access_token"])["active"]
    started = answer.json["impersonation_id"]
    with world.work() as work:
        consent = work.session.query(Consent).filter_by(impersonation_id=started).one()
        found = (consent.kind, consent.subject_id, consent.decision, consent.session_id)
        consent_id, digest = consent.id, consent.digest
    own = session_of(world, "customer-ask")
    assert found == ("support_code", world.id("customer-ask"), "approve", own)
    requested = world.events("impersonation:requested", started)[-1]
    assert (requested["way"], requested["consent_id"], requested["digest"]) == ("F", consent_id, digest)
    event = world.events("support-code:redeemed", started)[-1]
    assert (event["code_id"], event["digest"], event["actor"]) == (made["id"], digest, world.id("agent"))
    assert world.events("impersonation:activated", started)
    assert state(world, made["id"]) == "active"


def test_the_handle_renews_after_the_code_is_used(world: World) -> None:
    answer = way_f(world, make_code(world)["support_code"])
    for _ in range(2):
        renewed = world.way_c(answer.json["impersonation"])
        assert given(renewed)["impersonation"]["id"] == answer.json["impersonation_id"]
    world.clock.pass_(901)
    assert error(world.way_c(answer.json["impersonation"])) == "expired_token"


@pytest.mark.parametrize(
    "write", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} ".replace("-", " ")]
)
def test_the_code_may_be_typed_as_it_was_heard(world: World, write: Callable[[str], str]) -> None:
    code = make_code(world)["support_code"]
    typed = write(code).replace("0", "o").replace("1", "l")
    assert way_f(world, typed).status_code == 200


def test_a_code_is_used_once_and_a_replay_leaves_evidence(make_world: Callable[..., World]) -> None:
    world = make_world()
    code = make_code(world)["support_code"]
    first = way_f(world, code)
    assert first.status_code == 200
    for actor in ("agent", "agent2"):
        event = refused(world, way_f(world, code, actor), BAD, "support_code.replayed")
        assert event["actor"] == world.id(actor)
        assert world.events("request:refused", first.json["impersonation_id"])[-1] == event
    assert world.introspect(first.json["access_token"])["active"]
    assert len(world.events("support-code:redeemed")) == 1


def test_parameters_that_have_no_place_are_refused(world: World) -> None:
    code = make_code(world)["support_code"]
    named = way_f(world, code, requested_subject=world.id("customer-ask"))
    refused(world, named, BAD, "requested_subject.unexpected")
    refused(world, way_f(world, code, actor_token=None, actor_token_type=None), BAD, "actor.missing")
    refused(world, way_f(world, code, override="break_glass"), "access_denied", "policy.denied")
    assert way_f(world, code).status_code == 200, "no refusal used it up"


@pytest.mark.parametrize(
    ("form", "reason"),
    [({"reason": None}, "policy:reason.required"), ({"ticket_id": "x"}, "policy:reason.ticket-valid")],
)
def test_a_refused_start_leaves_the_code_to_be_used(world: World, form: dict[str, Any], reason: str) -> None:
    code = make_code(world)["support_code"]
    refused(world, way_f(world, code, **form), BAD, reason)
    assert way_f(world, code).status_code == 200


# --- limits


def test_full_mode_wants_a_code_that_says_so_and_an_actor_who_may(world: World) -> None:
    narrow, wide = make_code(world)["support_code"], make_code(world, mode="full")["support_code"]
    refused(world, way_f(world, narrow, "lead", mode="full"), "access_denied", "support_code.mode")
    refused(world, way_f(world, wide, "agent", mode="full"), "access_denied", "policy.denied")
    token = given(way_f(world, wide, "lead", mode="full"))
    assert (token["impersonation"]["mode"], token["scope"]) == ("full", "accounts:read cards:write")
    assert given(way_f(world, narrow, "lead"))["impersonation"]["mode"] == "read_only"


def test_a_full_code_without_a_mode_opens_read_only(world: World) -> None:
    token = given(way_f(world, make_code(world, mode="full")["support_code"], "lead"))
    assert (token["impersonation"]["mode"], token["scope"]) == ("read_only", "accounts:read")


def test_scopes_and_resources_are_cut_by_the_code(world: World) -> None:
    code = make_code(world, scopes=["payments:read"])["support_code"]
    refused(world, way_f(world, code), "invalid_target", "support_code.resource")
    refused(world, way_f(world, code, resource=None), "invalid_scope", "scope.nothing_left")
    both = way_f(world, code, resource=None, audience=PAYMENTS)
    assert (given(both)["scope"], given(both)["aud"]) == ("payments:read", PAYMENTS)
    other = make_code(world, scopes=["accounts:read"])["support_code"]
    refused(world, way_f(world, other, scope="cards:write"), "invalid_scope", "scope.nothing_left")


def test_lifetime_is_cut_by_the_code(world: World) -> None:
    answer = way_f(world, make_code(world, lifetime=120)["support_code"])
    assert answer.json["expires_in"] == 120
    world.clock.pass_(121)
    assert not world.introspect(answer.json["access_token"])["active"]
    assert error(world.way_c(answer.json["impersonation"])) == "expired_token"


def test_what_the_code_opened_is_not_shared_with_another_ask(world: World) -> None:
    """Its consent is bound to its digest: way A asks the customer anew."""
    opened = way_f(world, make_code(world, lifetime=3600)["support_code"])
    again = world.way_a(target="customer-ask")
    assert error(again) == "consent_required"
    assert again.json["impersonation_id"] != opened.json["impersonation_id"]


# --- policy still decides


def test_approval_is_still_needed_and_the_code_is_used_by_the_wait(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = make_code(world, "vip")
    asked = waits(world, way_f(world, made["support_code"]), "approval_required")
    refused(world, way_f(world, made["support_code"]), BAD, "support_code.replayed")
    assert error(world.way_c(asked["impersonation"])) == "authorization_pending"
    assert state(world, made["id"], "vip") == "active"
    assert world.decide(asked["impersonation_id"], "approval", "lead").json["state"] == "active"
    assert given(world.way_c(asked["impersonation"]))["sub"] == world.id("vip")


def test_no_code_beats_a_policy_that_forbids(world: World) -> None:
    code = make_code(world)["support_code"]
    change_user(world, "agent", conflicts=[world.id("customer-ask")])
    refused(world, way_f(world, code), "access_denied", "policy.denied")
    refused(world, way_f(world, code, "admin"), "access_denied", "actor.not_entitled")
    assert way_f(world, code, "agent2").status_code == 200


def test_a_policy_that_wants_more_than_a_code_refuses_it_unused(make_sqlite_world: MakeWorld, tmp_path: Any) -> None:
    from authserver.settings import config_folder  # noqa: PLC0415 - this test alone

    folder = tmp_path / "policy"
    folder.mkdir()
    for file in (config_folder() / "policy").iterdir():
        text = file.read_text(encoding="utf-8")
        (folder / file.name).write_text(text.replace(', "support_code"].', "]."), encoding="utf-8")
    world = make_sqlite_world(policy={"folder": str(folder)})
    made = make_code(world)
    refused(world, way_f(world, made["support_code"]), "access_denied", "support_code.not_enough")
    assert state(world, made["id"]) == "live"


# --- withdrawal


def test_withdrawing_the_consent_ends_it_at_once(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = make_code(world)
    opened = way_f(world, made["support_code"]).json
    withdraw(world, opened["impersonation_id"])
    assert not world.introspect(opened["access_token"])["active"]
    assert error(world.way_c(opened["impersonation"])) == "access_denied"
    assert world.events("impersonation:ended")[-1]["end_reason"] == "consent_withdrawn"
    assert state(world, made["id"]) == "used"


def test_revoking_a_used_code_withdraws_its_consent(world: World) -> None:
    made = make_code(world)
    opened = way_f(world, made["support_code"]).json
    answer = world.api("DELETE", f"{PATH}/{made['id']}", "customer-ask")
    assert (answer.status_code, answer.json["state"]) == (200, "used")
    assert not world.introspect(opened["access_token"])["active"]
    assert world.events("consent:decided", opened["impersonation_id"])[-1]["decision"] == "withdraw"
    assert world.events("impersonation:ended")[-1]["state"] == "revoked"


def test_revoking_a_code_that_waits_for_approval_ends_the_wait(world: World) -> None:
    made = make_code(world, "vip")
    asked = way_f(world, made["support_code"]).json
    world.api("DELETE", f"{PATH}/{made['id']}", "vip")
    assert error(world.way_c(asked["impersonation"])) == "access_denied"
    assert world.decide(asked["impersonation_id"], "approval", "lead").status_code == 409


# --- what kills a code


def _sign_out(world: World) -> None:
    with world.work() as work:
        customer = world.id("customer-ask")
        world.wired.sessions.end_all(work, customer, by=customer)


@pytest.mark.parametrize(
    ("kill", "reason"),
    [
        (lambda world: world.clock.pass_(600), "support_code.dead"),
        (_sign_out, "support_code.dead"),
        (lambda world: change_session(world, "customer-ask", expires_at=world.clock.now()), "support_code.dead"),
        (lambda world: change_user(world, "customer-ask", enabled=False), "support_code.dead"),
    ],
)
def test_a_code_dies_with_its_time_its_session_and_its_maker(
    make_world: Callable[..., World], kill: Callable[[World], None], reason: str
) -> None:
    world = make_world()
    code = make_code(world)["support_code"]
    kill(world)
    refused(world, way_f(world, code), BAD, reason)


def test_what_was_opened_outlives_the_session_that_made_the_code(world: World) -> None:
    """The code dies with it; the consent that it became is withdrawn by the customer, not by signing out."""
    opened = way_f(world, make_code(world)["support_code"]).json
    _sign_out(world)
    assert world.introspect(opened["access_token"])["active"]
    assert world.way_c(opened["impersonation"]).status_code == 200


# --- stores are separate by kind (CVE-2026-4282)


def test_nothing_else_does_in_place_of_a_code_and_a_code_for_nothing_else(world: World) -> None:
    made = make_code(world)
    code, handle = made["support_code"], world.way_a().json["impersonation"]
    browser = BrowserOf(world)
    browser.sign_in("customer")
    # each as another agent, for wrong codes are slowed down
    for other in (handle, browser.code(), world.id("customer-ask"), made["id"]):
        refused(world, way_f(world, other), BAD, "support_code.unknown")
    refused(world, way_f(world, world.token("customer"), "agent2"), BAD, "support_code.unknown")
    refused(world, world.way_c(code), BAD, "handle.unknown_or_not_the_clients")
    refused(world, way_f(world, code, subject_token_type=TYPE_USER_ID), "access_denied", "target.unknown")
    refused(world, way_f(world, handle, "lead", subject_token_type=TYPE_SUPPORT_CODE), BAD, "support_code.unknown")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "x", "code_verifier": "a" * 43}
    assert world.post("/oauth/token", form).json["error"] == "invalid_grant"
    form = {"grant_type": "refresh_token", "refresh_token": code}
    assert world.post("/oauth/token", form).json["error"] == "invalid_grant"
    assert way_f(world, code, subject_token_type=TYPE_IMPERSONATION).json["error"] == BAD
    assert state(world, made["id"]) == "live"


def test_codes_are_stored_nowhere_in_the_clear(world: World) -> None:
    made = [make_code(world), make_code(world)]
    way_f(world, made[0]["support_code"])
    way_f(world, "WRNG-WRNG-WRNG")
    stored = everything_stored(world)
    for code in (*(each["support_code"] for each in made), "WRNG-WRNG-WRNG"):
        assert code not in stored
        assert code.replace("-", "") not in stored
    assert made[0]["id"] in stored


# --- guessing


def test_wrong_codes_are_slowed_down_by_client_and_actor(make_world: Callable[..., World]) -> None:
    world = make_world()
    code = make_code(world)["support_code"]
    for _ in range(5):
        refused(world, way_f(world, "0000-0000-0000"), BAD, "support_code.unknown")
    slowed = way_f(world, code)
    assert slowed.json["interval"] == 2
    refused(world, slowed, "slow_down", "support_code.throttled")
    let_other_backend_exchange(world, ways=["F"], accepts_tokens_of=["backend"])
    assert way_f(world, "0000-0000-0000", client="other-backend").json["error"] == BAD
    assert way_f(world, "0000-0000-0000", "agent2").json["error"] == BAD
    assert world.way_a().status_code == 200
    world.clock.pass_(2)
    assert way_f(world, code).status_code == 200


def mistype(world: World, times: int = 1, code: str = "0000-0000-0000") -> None:
    for _ in range(times):
        assert way_f(world, code).json["error"] == BAD


def test_a_right_code_takes_back_what_was_mistyped_before_it(make_world: Callable[..., World]) -> None:
    world = make_world()
    for _ in range(3):
        mistype(world, 4)
        assert way_f(world, make_code(world)["support_code"]).status_code == 200
    mistype(world, 5)
    assert error(way_f(world, make_code(world)["support_code"])) == "slow_down"


def test_a_used_code_is_no_guess(world: World) -> None:
    code = make_code(world)["support_code"]
    assert way_f(world, code).status_code == 200
    mistype(world, 8, code)
    mistype(world, 4)
    mistype(world, 1, code)
    assert way_f(world, make_code(world)["support_code"]).status_code == 200


def test_what_was_mistyped_long_ago_is_forgotten(make_world: Callable[..., World]) -> None:
    world = make_world()
    mistype(world, 4)
    world.clock.pass_(899)
    mistype(world)
    assert error(way_f(world, "0000-0000-0000")) == "slow_down"
    world.clock.pass_(900)
    mistype(world, 5)
    assert way_f(world, "0000-0000-0000").json["interval"] == 2


def test_who_guesses_on_and_on_waits_longer_and_longer(make_world: Callable[..., World]) -> None:
    world = make_world()
    mistype(world, 4)
    waits_ = []
    for _ in range(5):
        mistype(world)
        waits_.append(way_f(world, "0000-0000-0000").json["interval"])
        world.clock.pass_(waits_[-1])
    assert waits_ == [2, 4, 8, 16, 32]


def test_right_codes_count_for_nothing(world: World) -> None:
    for _ in range(8):
        assert way_f(world, make_code(world)["support_code"]).status_code == 200


# --- who may


def test_a_client_without_the_way_may_not(world: World) -> None:
    with world.work() as work:
        work.lock()
        clients.change(work.session, "backend", ways=list("ABCDE"))
    code = make_code(world)["support_code"]
    refused(world, way_f(world, code), "unauthorized_client", "way.not_the_clients")


def test_the_actor_is_proved_before_the_code_is_looked_at(world: World) -> None:
    code = make_code(world)["support_code"]
    issuer_less = mint(world, audience=(API,))
    refused(world, way_f(world, code, actor_token=issuer_less), BAD, "evidence.audience")
    refused(world, way_f(world, code, actor_token=world.token("customer-ask")), "access_denied", "actor.not_entitled")
    acting = way_f(world, code).json["access_token"]
    refused(world, way_f(world, "0000-0000-0000", actor_token=acting), BAD, "evidence.carries_act")


def test_the_actor_may_be_proved_by_an_id_token_and_get_one_of_the_customer(world: World) -> None:
    code = make_code(world)["support_code"]
    answer = way_f(world, code, actor_token=world.id_token("agent"), actor_token_type=ID, requested_token_type=ID)
    assert answer.json["token_type"] == "N_A"
    assert given(answer)["act"]["sub"] == world.id("agent")
    assert "impersonation" in answer.json


def test_the_words_shown_are_in_the_evidence(world: World) -> None:
    silent, said = make_code(world), make_code(world, words_version=PRESENT_SUPPORT_CODE.version)
    for made, shown in ((silent, ("", "", "")), (said, ("support-code/1", "en", PRESENT_SUPPORT_CODE.hash))):
        started = way_f(world, made["support_code"]).json["impersonation_id"]
        created = next(e for e in world.events("support-code:created") if e["code_id"] == made["id"])
        redeemed = world.events("support-code:redeemed", started)[-1]
        for event in (created, redeemed):
            assert (event["words_version"], event["words_language"], event["words_hash"]) == shown
            assert event["words_shown"] is listed(world, made["id"])["words_shown"] is bool(shown[0])
            assert made["support_code"] not in json.dumps(event)
