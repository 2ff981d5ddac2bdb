"""What is evidence, and from whom (RFC 8693 §2.1 and §4.4, design section 3 "Evidence")."""

from typing import Any

import pytest

from authserver.protocol.names import Kind
from authserver.storage import tokens
from authserver.tokens.issuer import Issuer
from tests.oauth.exchanging import (
    AT,
    ID,
    JWT,
    change_client,
    change_session,
    change_user,
    given,
    let_other_backend_exchange,
    mint,
    refused,
    sign,
)
from tests.world import API, ISSUER, Answer, World, claims

BAD = "invalid_request"


def present(world: World, way: str, token: str, *, kind: str = AT, **form: Any) -> Answer:
    """Present a token as the evidence of one way: the agent's in A, B and C, the customer's in D."""
    if way == "A":
        return world.way_a(actor_token=token, actor_token_type=kind, **form)
    if way == "B":
        return world.way_b(subject_token=token, subject_token_type=kind, **form)
    if way == "C":
        handle = world.start(client_id=form.get("client", "backend")).json["handle"]
        return world.way_c(handle, actor_token=token, actor_token_type=kind, **form)
    return world.way_d(subject_token=token, subject_token_type=kind, **form)


def holder(way: str) -> str:
    return "customer" if way == "D" else "agent"


def revoke(world: World, token: str) -> None:
    with world.work() as work:
        work.lock()
        assert tokens.revoke(work.session, claims(token)["jti"], now=world.clock.now())


@pytest.mark.parametrize("way", "ABCD")
def test_token_of_another_client_is_no_evidence_unless_allow_listed(world: World, way: str) -> None:
    let_other_backend_exchange(world)
    token = world.token(holder(way))
    refused(world, present(world, way, token, client="other-backend"), BAD, "evidence.of_another_client")
    change_client(world, "other-backend", accepts_tokens_of=["backend"])
    answer = present(world, way, token, client="other-backend")
    assert given(answer)["client_id"] == "other-backend"


@pytest.mark.parametrize("way", "ABCD")
def test_token_that_names_the_client_in_aud_is_evidence(world: World, way: str) -> None:
    let_other_backend_exchange(world)
    named = mint(world, holder(way), audience=(ISSUER, API, "other-backend"))
    assert given(present(world, way, named, client="other-backend"))["client_id"] == "other-backend"
    unnamed = mint(world, holder(way), audience=(ISSUER, API, "other"))
    refused(world, present(world, way, unnamed, client="other-backend"), BAD, "evidence.of_another_client")


def test_resource_server_may_exchange_a_token_for_a_resource_of_its_own(world: World) -> None:
    """RFC 8693 §1: the service that received the token calls another."""
    exchange = {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"], "ways": ["A", "D"]}
    change_client(world, "resource-server", scopes=["accounts:read"], **exchange)
    token = given(world.way_d(client="resource-server"))
    assert token["act"] == {"sub": "resource-server", "iss": ISSUER}
    refused(world, world.way_a(client="resource-server"), BAD, "evidence.of_another_client")


@pytest.mark.parametrize("way", "ABC")
def test_access_token_as_evidence_names_the_issuer(world: World, way: str) -> None:
    for audience in ((ISSUER,), (ISSUER, API)):
        assert present(world, way, mint(world, audience=audience)).status_code == 200
    refused(world, present(world, way, mint(world, audience=(API,))), BAD, "evidence.audience")


@pytest.mark.parametrize("way", "ABC")
def test_genuine_token_without_impersonate_is_access_denied(world: World, way: str) -> None:
    without = mint(world, scope=("impersonations:read",))
    refused(world, present(world, way, without), "access_denied", "actor.without_impersonate")


@pytest.mark.parametrize("way", "ABC")
def test_impersonate_counts_only_while_the_role_is_entitled_to_it(world: World, way: str) -> None:
    """The token keeps its scope; the person's role is read anew."""
    for kind, token in ((AT, world.token("agent")), (ID, world.id_token("agent"))):
        assert present(world, way, token, kind=kind).status_code == 200
    demoted = mint(world, "customer", scope=("impersonate",))
    refused(world, present(world, way, demoted), "access_denied", "actor.not_entitled")
    refused(world, present(world, way, world.id_token("admin"), kind=ID), "access_denied", "actor.not_entitled")


@pytest.mark.parametrize("way", "ABC")
def test_clients_own_token_is_no_person(world: World, way: str) -> None:
    own = mint(world, client_id="backend", user_id=None, sub="backend", session_id=None, scope=("impersonate",))
    refused(world, present(world, way, own), "access_denied", "actor.not_a_person")


@pytest.mark.parametrize("way", "ABC")
def test_id_token_is_evidence_only_from_a_client_registered_to_present_it(world: World, way: str) -> None:
    token = world.id_token("agent")
    for kind in (ID, JWT):
        assert present(world, way, token, kind=kind).status_code == 200
    change_client(world, "backend", presents_id_tokens=False)
    for kind in (ID, JWT):
        refused(world, present(world, way, token, kind=kind), BAD, "evidence.id_token_not_for_client")


def test_id_token_of_another_client_is_no_evidence_unless_allow_listed(world: World) -> None:
    let_other_backend_exchange(world)
    form = {"actor_token": world.id_token("agent"), "actor_token_type": ID, "client": "other-backend"}
    refused(world, world.way_a(**form), BAD, "evidence.of_another_client")
    change_client(world, "other-backend", accepts_tokens_of=["backend"])
    assert world.way_a(**form).status_code == 200


@pytest.mark.parametrize("way", "ABCD")
def test_declared_type_is_the_real_one(world: World, way: str) -> None:
    name = holder(way)
    refused(world, present(world, way, world.id_token(name)), BAD, "token.wrong_type")
    if way != "D":
        refused(world, present(world, way, world.token(name), kind=ID), BAD, "token.wrong_type")
        assert present(world, way, world.token(name), kind=JWT).status_code == 200


@pytest.mark.parametrize("way", "ABC")
def test_token_that_carries_act_is_no_actor(world: World, way: str) -> None:
    """A→B→A: whoever acts as somebody does not act as a third. (RFC 8693 §4.1: an actor is one who acts.)"""
    acting = str(world.way_a().json["access_token"])
    refused(world, present(world, way, acting), BAD, "evidence.carries_act")
    made = mint(world, extra={"act": {"sub": world.id("agent2"), "iss": ISSUER}})
    refused(world, present(world, way, made), BAD, "evidence.carries_act")


@pytest.mark.parametrize(
    "act",
    ["backend", 7, None, [], {}, {"sub": "backend"}, {"sub": 1, "iss": ISSUER}, {"sub": "x", "iss": ISSUER, "exp": 1}],
)
def test_token_with_a_malformed_act_is_no_evidence(world: World, act: object) -> None:
    """RFC 8693 §4.1."""
    refused(world, world.way_d(mint(world, "customer", extra={"act": act})), BAD, "token.actor_claim")
    refused(world, world.way_b(subject_token=mint(world, extra={"act": act})), BAD, "token.actor_claim")


@pytest.mark.parametrize("way", "BD")
def test_may_act_names_the_client_that_acts(world: World, way: str) -> None:
    """RFC 8693 §4.4, by `iss` and `sub`."""
    named = mint(world, holder(way), may_act={"sub": "backend", "iss": ISSUER})
    assert present(world, way, named).status_code == 200
    for may_act in ({"sub": "other-backend", "iss": ISSUER}, {"sub": "backend", "iss": "https://other.example"}):
        token = mint(world, holder(way), may_act=may_act)
        refused(world, present(world, way, token), "access_denied", "may_act.names_another")


@pytest.mark.parametrize("way", "BD")
def test_malformed_may_act_refuses(world: World, way: str) -> None:
    """RFC 8693 §4.4."""
    for may_act in (
        "backend",
        None,
        [],
        ["backend"],
        {},
        {"sub": "backend"},
        {"iss": ISSUER},
        {"sub": 1, "iss": ISSUER},
    ):
        token = mint(world, holder(way), extra={"may_act": may_act})
        refused(world, present(world, way, token), BAD, "token.actor_claim")


def test_may_act_in_way_d_is_held_against_the_holder_of_the_actor_token(world: World) -> None:
    change_client(world, "backend", accepts_tokens_of=["other-backend"])
    actor = {"actor_token": world.client_token("other-backend"), "actor_token_type": AT}
    for_other = mint(world, "customer", may_act={"sub": "other-backend", "iss": ISSUER})
    assert given(world.way_d(for_other, **actor))["act"] == {"sub": "other-backend", "iss": ISSUER}
    refused(world, world.way_d(for_other), "access_denied", "may_act.names_another")
    for_backend = mint(world, "customer", may_act={"sub": "backend", "iss": ISSUER})
    refused(world, world.way_d(for_backend, **actor), "access_denied", "may_act.names_another")


@pytest.mark.parametrize("way", "ABCD")
def test_expired_token_is_no_evidence(world: World, way: str) -> None:
    """RFC 8693 §2.2.2: `invalid_request`. Valid until the second before `exp`."""
    token = mint(world, holder(way), expires_at=world.clock.now() + 60)
    world.clock.pass_(59)
    assert present(world, way, token).status_code == 200
    world.clock.pass_(1)
    refused(world, present(world, way, token), BAD, "token.expired")


@pytest.mark.parametrize("way", "ABCD")
def test_revoked_token_is_no_evidence(world: World, way: str) -> None:
    token = mint(world, holder(way))
    assert present(world, way, token).status_code == 200
    revoke(world, token)
    refused(world, present(world, way, token), BAD, "token.revoked")


@pytest.mark.parametrize("kind", [AT, ID])
@pytest.mark.parametrize("way", "ABC")
def test_token_of_an_ended_session_is_no_evidence(world: World, way: str, kind: str) -> None:
    token = world.token("agent") if kind == AT else world.id_token("agent")
    assert present(world, way, token, kind=kind).status_code == 200
    start = world.start()
    change_session(world, "agent", ended_at=world.clock.now())
    form = {"actor_token": token, "actor_token_type": kind}
    answer = world.way_c(start.json["handle"], **form) if way == "C" else present(world, way, token, kind=kind)
    refused(world, answer, BAD, "session.ended")


def test_token_of_an_expired_or_ended_session_of_the_customer_is_no_evidence_in_way_d(world: World) -> None:
    change_session(world, "customer", expires_at=world.clock.now() + 10)
    assert given(world.way_d())["exp"] == world.clock.now() + 10
    world.clock.pass_(10)
    refused(world, world.way_d(), BAD, "session.ended")


@pytest.mark.parametrize("way", "ABCD")
def test_token_of_a_disabled_person_is_no_evidence(world: World, way: str) -> None:
    handle = world.start().json["handle"]
    change_user(world, holder(way), enabled=False)
    answer = world.way_c(handle) if way == "C" else present(world, way, world.token(holder(way)))
    refused(world, answer, BAD, "user.disabled")


@pytest.mark.parametrize("way", "ABCD")
def test_token_of_a_disabled_client_is_no_evidence(world: World, way: str) -> None:
    change_client(world, "backend", accepts_tokens_of=["other-backend"])
    token = mint(world, holder(way), client_id="other-backend")
    assert present(world, way, token).status_code == 200
    change_client(world, "other-backend", enabled=False)
    refused(world, present(world, way, token), BAD, "client.disabled")


def test_token_of_another_issuer_is_no_evidence_even_when_our_key_signed_it(world: World) -> None:
    wired = world.wired
    alien = Issuer("https://other.example", "ES256", wired.keyring, wired.clock, wired.entropy, lambda _, __: None)
    refused(world, world.way_a(actor_token=mint(world, issuer=alien)), BAD, "token.issuer")


def test_signed_token_that_was_never_registered_is_no_evidence(world: World) -> None:
    refused(world, world.way_a(actor_token=sign(world).token), BAD, "token.unregistered")


def test_impersonations_id_token_is_never_evidence(world: World) -> None:
    """Design section 3, S3."""
    token = str(world.way_a(requested_token_type=ID).json["access_token"])
    for way in "ABC":
        refused(world, present(world, way, token, kind=ID), BAD, "evidence.carries_act")
    refused(world, present(world, "D", token), BAD, "token.wrong_type")


def test_id_token_for_another_than_it_was_issued_to_is_no_evidence(world: World) -> None:
    token = mint(world, kind=Kind.ID, audience=("other-backend",))
    refused(world, world.way_a(actor_token=token, actor_token_type=ID), BAD, "token.client")


def test_exchange_does_not_use_up_its_evidence_and_the_output_outlives_it(world: World) -> None:
    """RFC 8693 §2.1: the input's validity is not changed, nor is the output's by the input's end."""
    token = mint(world, expires_at=world.clock.now() + 60)
    first, second = (str(world.way_a(actor_token=token).json["access_token"]) for _ in range(2))
    assert world.introspect(token, client="backend")["active"]
    world.clock.pass_(61)
    assert not world.introspect(token, client="backend")["active"]
    assert world.introspect(first)["active"]
    revoke(world, world.token("agent"))
    assert world.introspect(second)["active"]


def test_end_of_the_impersonation_ends_its_output(world: World) -> None:
    answer = world.way_a()
    token = answer.json["access_token"]
    assert world.introspect(token)["active"]
    assert world.end(answer.json["impersonation_id"]).status_code == 200
    assert world.introspect(token) == {"active": False}
    refused(world, world.way_d(token), BAD, "impersonation.ended")
