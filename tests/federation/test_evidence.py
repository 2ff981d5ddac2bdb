"""Ways B and E of token exchange through HTTP: a trusted issuer's token as evidence (design section 3)."""

from collections.abc import Callable
from typing import Any

import pytest
import requests_mock

from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT, TYPE_USER_ID
from authserver.storage import clients, people
from authserver.storage import federation as links
from tests.federation.idp import IDP, JWKS, Idp, settings
from tests.world import API, ISSUER, REASON, START, Answer, World, claims, error

MakeWorld = Callable[..., World]
CUSTOMERS = {"population": "customers", "acr": {}}


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp()
    idp.serve(requests_mock)
    return idp


def federated(make: MakeWorld, **changes: Any) -> World:
    return make(federation={"issuers": {"corp": settings(**changes)}})


def way_b(world: World, token: str, target: str = "customer", **form: Any) -> Answer:
    form = {"subject_token_type": TYPE_ID_TOKEN, "requested_subject": world.id(target), **form}
    return world.exchange(**{"subject_token": token, "resource": API, **REASON, **form})


def way_e(world: World, token: str, **form: Any) -> Answer:
    return world.exchange(**{"subject_token": token, "subject_token_type": TYPE_ID_TOKEN, "resource": API, **form})


def refused_for(world: World) -> str:
    return str(world.events("request:refused")[-1]["reason"])


# --- way B


def test_an_agent_signed_in_at_the_company_acts_for_a_customer(make_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_world)
    answer = way_b(world, idp.token())
    assert answer.status_code == 200, answer.text
    said = claims(answer.json["access_token"])
    assert (said["sub"], said["act"]) == (world.id("customer"), {"sub": world.id("agent"), "iss": ISSUER})
    assert said["exp"] == START + 600, "no later than the agent's own token"
    seen = world.introspect(answer.json["access_token"])
    assert seen["impersonation"]["actor_acr"] == "urn:authserver:acr:mfa"
    assert seen["impersonation"]["actor_auth_time"] == START - 5
    [started] = world.events("session:started")
    assert started["issuer"] == IDP
    assert [event["how"] for event in world.events("identity:linked")] == ["linked"]


def test_the_tokens_of_one_sign_in_share_a_session_and_the_handle_renews(
    make_sqlite_world: MakeWorld, idp: Idp
) -> None:
    world = federated(make_sqlite_world)
    first = way_b(world, idp.token(sid="s1"))
    world.clock.pass_(500)
    later = idp.token(sid="s1", iat=START + 500, exp=START + 1100, jti="jti-2")
    renewed = world.way_c(first.json["impersonation"], actor_token=later, actor_token_type=TYPE_ID_TOKEN)
    assert renewed.status_code == 200, renewed.text
    world.clock.pass_(200)
    assert world.introspect(renewed.json["access_token"])["active"]
    assert len(world.events("session:started")) == 1


def test_a_new_sign_in_renews_after_the_first_session_is_over(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    first = way_b(world, idp.token())
    world.clock.pass_(700)
    later = idp.token(iat=START + 700, exp=START + 1300, auth_time=START + 690)
    renewed = world.way_c(first.json["impersonation"], actor_token=later, actor_token_type=TYPE_ID_TOKEN)
    assert renewed.status_code == 200, renewed.text
    assert world.introspect(renewed.json["access_token"])["active"]
    assert not world.introspect(first.json["access_token"])["active"]


def test_a_session_that_was_ended_here_stays_ended(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    answer = way_b(world, idp.token(sid="s1"))
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("agent"), now=START)
    assert not world.introspect(answer.json["access_token"])["active"]
    assert error(way_b(world, idp.token(sid="s1", jti="jti-2"))) == "access_denied"
    assert refused_for(world) == "session.ended"


ALTERED: dict[str, tuple[dict[str, Any], str, str]] = {
    "issuer": ({"iss": "https://other.example.com"}, "invalid_request", "token.key"),
    "audience": ({"aud": "another"}, "invalid_request", "foreign.audience"),
    "azp": ({"azp": "another"}, "invalid_request", "foreign.issued_to_another"),
    "exp": ({"exp": START - 1}, "invalid_request", "foreign.expired"),
    "iat": ({"iat": START + 120}, "invalid_request", "foreign.not_yet"),
    "act": ({"act": {"sub": "boss"}}, "invalid_request", "evidence.carries_act"),
    "may_act": ({"may_act": {"sub": "another", "iss": IDP}}, "access_denied", "may_act.names_another"),
    "email": ({"email": "nobody@example.com"}, "access_denied", "person.not_linked"),
    "email of a customer": ({"email": "customer@example.com"}, "access_denied", "person.not_linked"),
    "email not verified": ({"email_verified": False}, "access_denied", "person.email_not_verified"),
    "email said nothing of": ({"email_verified": None}, "access_denied", "person.email_not_verified"),
    "role without impersonate": ({"email": "auditor@example.com"}, "access_denied", "actor.not_entitled"),
    "acr": ({"acr": "unknown"}, "insufficient_user_authentication", "policy.step_up"),
    "auth_time": ({"auth_time": START - 50_000}, "insufficient_user_authentication", "policy.step_up"),
    "no auth_time": ({"auth_time": None}, "insufficient_user_authentication", "policy.step_up"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_evidence_with_a_field_altered_gives_no_token(make_sqlite_world: MakeWorld, idp: Idp, name: str) -> None:
    changes, expected, reason = ALTERED[name]
    world = federated(make_sqlite_world)
    assert error(way_b(world, idp.token(**changes))) == expected
    assert refused_for(world) == reason


def test_who_may_not_present_is_refused(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world, presenters=[{"client": "another"}])
    assert error(way_b(world, idp.token())) == "invalid_request"
    assert refused_for(world) == "foreign.presenter"


def test_an_actor_token_with_b_or_e_is_refused(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    actor = {"actor_token": world.token("agent"), "actor_token_type": TYPE_ACCESS_TOKEN}
    assert error(way_b(world, idp.token(), **actor)) == "invalid_request"
    assert error(way_e(world, idp.token(), **actor)) == "invalid_request"


def test_the_issuers_word_serves_as_actor_token_too(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    answer = world.exchange(
        subject_token=world.id("customer"),
        subject_token_type=TYPE_USER_ID,
        actor_token=idp.token(),
        actor_token_type=TYPE_JWT,
        resource=API,
        **REASON,
    )
    assert answer.status_code == 200, answer.text


def test_an_issuer_of_customers_never_evidences_staff(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world, **CUSTOMERS)
    assert error(way_b(world, idp.token())) == "access_denied"
    assert refused_for(world) == "person.not_linked"
    with world.work() as work:
        work.lock()
        links.add_link(work.session, IDP, "sub-1", world.id("agent"), now=START, seen_at=START)
    assert error(way_b(world, idp.token())) == "access_denied"
    assert refused_for(world) == "person.population"


def test_roles_come_by_rule_and_none_is_no_sign_in(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    rules = [
        {"claim": "realm_access.roles", "contains": "leads", "role": "lead"},
        {"claim": "job", "equals": "agent", "role": "support"},
    ]
    world = federated(make_sqlite_world, roles=rules)
    assert error(way_b(world, idp.token())) == "access_denied"
    assert refused_for(world) == "person.no_role"
    lead = idp.token(realm_access={"roles": ["leads"]}, job="agent", iat=START - 10)
    assert way_b(world, lead, mode="full").status_code == 200
    assert way_b(world, idp.token(job="agent", jti="j2")).status_code == 200
    assert error(way_b(world, lead, mode="full", ticket_id="BANK-2")) == "access_denied", "a newer token said less"


def test_people_are_created_only_where_allowed(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    rules = [{"claim": "job", "equals": "agent", "role": "support"}]
    world = federated(make_sqlite_world, provision="create", roles=rules)
    new = idp.token(sub="new", email="new@example.com", name="New Agent", job="agent")
    answer = way_b(world, new)
    assert answer.status_code == 200, answer.text
    [created] = [event for event in world.events("user:changed") if event["by"] == "issuer:corp"]
    assert (created["action"], created["changes"]) == ("created", {"roles": ["support"]})
    taken = idp.token(sub="other", email="customer@example.com", job="agent")
    assert error(way_b(world, taken)) == "access_denied"
    assert refused_for(world) == "person.username_taken"
    again = idp.token(sub="third", email="NEW@example.com", job="agent")
    assert error(way_b(world, again)) == "access_denied"
    assert refused_for(world) == "person.linked_to_another_subject"


def test_a_disabled_person_has_no_evidence(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    assert way_b(world, idp.token()).status_code == 200
    with world.work() as work:
        work.lock()
        people.set_enabled(work.session, world.id("agent"), enabled=False)
    assert error(way_b(world, idp.token())) == "access_denied"
    assert refused_for(world) == "person.disabled"


def test_an_issuer_that_is_down_gives_no_token_and_leaves_evidence(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = federated(make_sqlite_world)
    requests_mock.get(JWKS, status_code=503)
    assert error(way_b(world, idp.token())) == "invalid_request"
    assert refused_for(world) == "transport.status"


# --- way E


def test_a_customers_own_token_gives_their_own_access_token(make_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_world, **CUSTOMERS)
    answer = way_e(world, idp.token(email="customer@example.com"), subject_token_type=TYPE_JWT)
    assert answer.status_code == 200, answer.text
    said = claims(answer.json["access_token"])
    assert said["sub"] == world.id("customer")
    assert not said.keys() & {"act", "impersonation"}
    assert (said["auth_time"], said["acr"], said["amr"]) == (START - 5, "mfa", ["otp", "pwd"])
    assert said["exp"] == START + 600
    assert set(said["scope"].split()) == {"accounts:read", "cards:write"}, "what cannot be delegated is not given"
    assert answer.json["scope"] == said["scope"]
    assert world.introspect(answer.json["access_token"])["active"]
    [issued] = [event for event in world.events("token:issued") if event["way"] == "E"]
    assert (issued["subject"], issued["actor"]) == (world.id("customer"), None)


def test_the_token_of_e_dies_with_its_session(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world, **CUSTOMERS)
    answer = way_e(world, idp.token(email="customer@example.com"))
    with world.work() as work:
        work.lock()
        people.end_sessions(work.session, world.id("customer"), now=START)
    assert not world.introspect(answer.json["access_token"])["active"]


def test_e_never_grants_impersonate(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    with world.work() as work:
        work.lock()
        clients.change(work.session, "backend", scopes=["impersonate", "impersonations:read"])
    answer = way_e(world, idp.token(), resource=ISSUER)
    assert answer.json["scope"] == "impersonations:read"
    assert error(way_e(world, idp.token(), resource=ISSUER, scope="impersonate")) == "invalid_scope"
    own = answer.json["access_token"]
    assert error(way_b(world, own, subject_token_type=TYPE_ACCESS_TOKEN)) == "access_denied"


@pytest.mark.parametrize(
    ("changes", "form", "expected"),
    [
        ({"act": {"sub": "boss", "iss": IDP}}, {}, "invalid_request"),
        ({"may_act": {"sub": "another", "iss": IDP}}, {}, "access_denied"),
        ({"may_act": "another"}, {}, "invalid_request"),
        ({}, {"requested_token_type": TYPE_ID_TOKEN}, "invalid_request"),
        ({}, {"mode": "full"}, "invalid_request"),
        ({}, {"override": "break_glass"}, "invalid_request"),
        ({}, {"scope": "contacts:write"}, "invalid_scope"),
        ({}, {"resource": "https://unknown.example.com"}, "invalid_target"),
        ({"email": "disabled@example.com"}, {}, "access_denied"),
        ({"email": "agent@example.com"}, {}, "access_denied"),
    ],
)
def test_what_e_refuses(
    make_sqlite_world: MakeWorld, idp: Idp, changes: dict[str, Any], form: dict[str, Any], expected: str
) -> None:
    world = federated(make_sqlite_world, **CUSTOMERS)
    assert error(way_e(world, idp.token(**{"email": "customer@example.com", **changes}), **form)) == expected


def test_our_own_tokens_are_no_evidence_in_e(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    assert idp.issuer == IDP
    assert error(way_e(world, world.id_token("customer"))) == "invalid_request"
    assert refused_for(world) == "subject.not_of_a_trusted_issuer"


def test_a_client_without_the_way_may_not_go_it(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    with world.work() as work:
        work.lock()
        clients.change(work.session, "backend", ways=["A", "B", "C", "D"])
    assert error(way_e(world, idp.token())) == "unauthorized_client"


# --- signed out there


def told(world: World, idp: Idp, **about: Any) -> None:
    """Have the issuer say that somebody signed out."""
    said = {"iss": IDP, "aud": "authserver", "iat": world.clock.now(), "exp": world.clock.now() + 120, **about}
    said |= {"jti": str(about), "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
    token = idp.sign(said, typ="logout+jwt")
    assert world.post("/federation/backchannel-logout", {"logout_token": token}, client=None).status_code == 200


@pytest.mark.parametrize("about", [{"sid": "s1"}, {"sub": "sub-1", "sid": "s1"}, {"sub": "sub-1"}])
def test_token_that_comes_only_after_its_sign_out_is_no_evidence(
    make_sqlite_world: MakeWorld, idp: Idp, about: dict[str, str]
) -> None:
    world = federated(make_sqlite_world)
    told(world, idp, **about)
    assert error(way_b(world, idp.token(sid="s1"))) == "access_denied"
    assert refused_for(world) == "session.ended_upstream"
    assert world.events("session:started") == []
    world.clock.pass_(400)
    world.wired.jobs.tick()
    assert error(way_b(world, idp.token(sid="s1", jti="jti-2"))) == "access_denied", (
        "it is not forgotten with the order"
    )
    later = idp.token(sid="s2", iat=START + 400, exp=START + 1000, auth_time=START + 400, jti="jti-3")
    assert way_b(world, later).status_code == 200, "whoever signs in again is somebody again"


def test_sign_out_of_another_changes_nothing_for_a_token(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    told(world, idp, sid="s2")
    told(world, idp, sub="sub-2")
    told(world, idp, sub="s1")
    assert way_b(world, idp.token(sid="s1")).status_code == 200


def test_latest_sign_out_of_a_subject_counts(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = federated(make_sqlite_world)
    told(world, idp, sub="sub-1")
    world.clock.pass_(100)
    between = idp.token(iat=START + 50, exp=START + 900, auth_time=START + 50)
    assert way_b(world, between).status_code == 200
    world.clock.pass_(1)
    told(world, idp, sub="sub-1", nothing="new")
    assert error(way_b(world, between)) == "access_denied"
    fresh = idp.token(iat=START + 60, exp=START + 900, auth_time=START + 60, jti="jti-2", sid="s9")
    assert error(way_b(world, fresh)) == "access_denied"
