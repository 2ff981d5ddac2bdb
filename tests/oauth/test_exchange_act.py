"""On behalf of a user (way D), and the act chain (RFC 8693 §4.1, design section 3 "Evidence")."""

from collections.abc import Callable
from typing import Any

import pytest

from authserver.tokens.issuer import Issuer
from tests.oauth.exchanging import (
    AT,
    ID,
    change_client,
    change_session,
    change_user,
    given,
    let_other_backend_exchange,
    mint,
    refused,
    sign_in,
)
from tests.world import API, ISSUER, PAYMENTS, REASON, World, claims

BACKEND = {"sub": "backend", "iss": ISSUER}
OTHER = {"sub": "other-backend", "iss": ISSUER}


def by_other(world: World) -> dict[str, Any]:
    """Return the actor parameters of a client's own token that the asking client may present."""
    change_client(world, "backend", accepts_tokens_of=["other-backend"])
    return {"actor_token": world.client_token("other-backend"), "actor_token_type": AT}


def chain(token: dict[str, Any]) -> list[str]:
    """Return the `sub`s of an act chain, the outermost first, after checking its form."""
    found, act = [], token.get("act")
    while act is not None:
        assert set(act) <= {"sub", "iss", "act"}
        assert act["iss"] == ISSUER
        found.append(act["sub"])
        act = act.get("act")
    return found


def test_way_d_keeps_the_user_and_names_the_client_that_acts(world: World) -> None:
    token = given(world.way_d())
    assert token["sub"] == world.id("customer")
    assert token["act"] == BACKEND
    assert set(token) == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "act"}
    assert not world.events("impersonation:requested")
    issued = world.events("token:issued")[-1]
    assert (issued["way"], issued["actor"], issued["subject"]) == ("D", "backend", world.id("customer"))


def test_way_d_needs_neither_reason_nor_consent_for_it_is_the_users_own_token(world: World) -> None:
    token = given(world.way_d(world.token("customer-ask"), scope="accounts:read cards:write"))
    assert token["scope"] == "accounts:read cards:write"


def test_actor_token_of_a_client_names_that_client(world: World) -> None:
    form = by_other(world)
    assert given(world.way_d(**form))["act"] == OTHER
    change_client(world, "backend", accepts_tokens_of=[])
    refused(world, world.way_d(**form), "invalid_request", "evidence.of_another_client")
    own = {"actor_token": world.client_token("backend"), "actor_token_type": AT}
    assert given(world.way_d(**own))["act"] == BACKEND


@pytest.mark.parametrize("name", ["agent", "lead", "admin", "customer"])
def test_person_is_never_the_actor_in_way_d(world: World, name: str) -> None:
    for token, kind in ((world.token(name), AT), (world.id_token(name), ID)):
        answer = world.way_d(actor_token=token, actor_token_type=kind)
        event = refused(world, answer, "access_denied", "actor.is_a_person")
        assert (event["actor"], event["way"]) == (world.id(name), "D")


def test_token_that_carries_act_is_no_actor_in_way_d(world: World) -> None:
    for acting in (world.way_a().json["access_token"], world.way_d().json["access_token"]):
        answer = world.way_d(actor_token=acting, actor_token_type=AT)
        refused(world, answer, "invalid_request", "evidence.carries_act")


def test_clients_own_token_is_no_users_in_way_d(world: World) -> None:
    refused(world, world.way_d(world.client_token("backend")), "invalid_request", "subject.not_a_user")


def test_scopes_never_widen(world: World) -> None:
    """CVE-2026-56668; what the subject token has not is dropped, nothing left is `invalid_scope`."""
    narrow = mint(world, "customer", scope=("accounts:read",))
    assert given(world.way_d(narrow))["scope"] == "accounts:read"
    assert given(world.way_d(narrow, scope="accounts:read cards:write"))["scope"] == "accounts:read"
    refused(world, world.way_d(narrow, scope="cards:write"), "invalid_scope", "scope.nothing_left")
    refused(world, world.way_d(narrow, resource=PAYMENTS), "invalid_scope", "scope.nothing_left")
    first = world.way_d(scope="accounts:read").json["access_token"]
    assert given(world.way_d(first))["scope"] == "accounts:read"
    assert given(world.way_d(first, scope="accounts:read cards:write"))["scope"] == "accounts:read"


def test_what_cannot_be_delegated_is_dropped_though_the_users_own_token_has_it(world: World) -> None:
    assert "contacts:write" in claims(world.token("customer"))["scope"].split()
    answer = world.way_d(scope="accounts:read contacts:write")
    assert given(answer)["scope"] == "accounts:read"
    payments = world.way_d(resource=PAYMENTS)
    assert given(payments)["scope"] == "drafts:write payments:read"


def test_scopes_that_the_user_has_lost_are_dropped(world: World) -> None:
    assert world.way_d().status_code == 200
    change_user(world, "customer", roles=[])
    refused(world, world.way_d(), "invalid_scope", "scope.nothing_left")


def test_agents_own_token_gives_nothing_on_their_behalf_that_could_impersonate(world: World) -> None:
    refused(world, world.way_d(world.token("agent")), "invalid_scope", "scope.nothing_left")
    refused(world, world.way_d(world.token("agent"), resource=ISSUER), "invalid_target", "resource.not_the_clients")


def test_earlier_actors_are_nested_and_the_latest_stands_outermost(world: World) -> None:
    form = by_other(world)
    first = world.way_d().json["access_token"]
    second = world.way_d(first, **form).json["access_token"]
    assert claims(second)["act"] == {**OTHER, "act": BACKEND}
    third = world.way_d(second)
    assert given(third)["act"] == {**BACKEND, "act": {**OTHER, "act": BACKEND}}
    assert world.introspect(third.json["access_token"])["act"] == given(third)["act"]


def test_depth_of_the_chain_is_bounded(world: World) -> None:
    token, depths = world.token("customer"), []
    for _ in range(4):
        token = str(world.way_d(token).json["access_token"])
        depths.append(len(chain(claims(token))))
    assert depths == [1, 2, 3, 4]
    refused(world, world.way_d(token), "access_denied", "act.too_deep")
    assert world.introspect(token)["active"]


def test_bound_of_the_chain_counts_the_agent_of_an_impersonation(make_sqlite_world: Callable[..., World]) -> None:
    world = make_sqlite_world(tokens={"max_act_depth": 2})
    token = world.way_a().json["access_token"]
    once = world.way_d(token).json["access_token"]
    assert chain(claims(once)) == ["backend", world.id("agent")]
    refused(world, world.way_d(once), "access_denied", "act.too_deep")


@pytest.mark.parametrize(("actor", "mode"), [("agent", "read_only"), ("lead", "full")])
def test_way_d_on_an_impersonation_keeps_it_its_mode_and_its_ceiling(world: World, actor: str, mode: str) -> None:
    first = world.way_a(actor=actor, mode=mode)
    token = given(world.way_d(first.json["access_token"]))
    assert token["impersonation"] == given(first)["impersonation"]
    assert token["impersonation"]["mode"] == mode
    assert token["scope"] == given(first)["scope"]
    assert token["sub"] == world.id("customer")
    assert chain(token) == ["backend", world.id(actor)]
    wider = world.way_d(first.json["access_token"], scope="accounts:read cards:write contacts:write")
    assert given(wider)["scope"] == given(first)["scope"]


def test_read_only_stays_read_only_through_way_d(world: World) -> None:
    token = world.way_a().json["access_token"]
    refused(world, world.way_d(token, scope="cards:write"), "invalid_scope", "scope.nothing_left")
    refused(world, world.way_d(token, mode="full"), "invalid_request", "mode.unexpected")


def test_way_d_on_an_impersonation_dies_with_it_and_all_that_comes_after(make_world: Callable[..., World]) -> None:
    world = make_world()
    first = world.way_a()
    second = world.way_d(first.json["access_token"]).json["access_token"]
    third = world.way_d(second).json["access_token"]
    for token in (second, third):
        shown = world.introspect(token)
        assert shown["active"]
        assert shown["impersonation"]["id"] == first.json["impersonation_id"]
    assert world.end(first.json["impersonation_id"]).status_code == 200
    for token in (first.json["access_token"], second, third):
        assert world.introspect(token) == {"active": False}
        refused(world, world.way_d(token), "invalid_request", "impersonation.ended")


def test_way_d_on_an_impersonation_dies_with_the_session_of_its_actor(world: World) -> None:
    """CVE-2026-8922, CVE-2025-13173: it shows at once; and the customer's own session is not inherited."""
    first = world.way_a().json["access_token"]
    second = world.way_d(first).json["access_token"]
    change_session(world, "customer", ended_at=world.clock.now())
    assert world.introspect(second)["active"]
    change_session(world, "agent", ended_at=world.clock.now())
    assert world.introspect(second) == {"active": False}
    refused(world, world.way_d(first), "invalid_request", "session.ended")


def test_leaving_the_actor_out_never_gives_a_cleaner_token(world: World) -> None:
    """RFC 8693 §4.1; a subject token that carries `act` keeps it."""
    form = by_other(world)
    impersonating = world.way_a().json["access_token"]
    for more in ({}, form):
        token = given(world.way_d(impersonating, **more))
        assert chain(token)[-1] == world.id("agent")
        assert token["impersonation"]["id"]
    delegated = world.way_d(**form).json["access_token"]
    assert chain(given(world.way_d(delegated))) == ["backend", "other-backend"]


def test_token_with_act_is_no_subject_of_an_impersonation(world: World) -> None:
    """An agent who acts as a customer takes no third identity."""
    impersonating = world.way_a().json["access_token"]
    answer = world.way_b(subject_token=impersonating, target="vip")
    refused(world, answer, "invalid_request", "evidence.carries_act")


def test_nested_actors_give_no_privilege(world: World) -> None:
    """RFC 8693 §4.1: only the outermost actor counts for access decisions."""
    token = world.way_d(world.way_a(actor="lead").json["access_token"]).json["access_token"]
    for path in ("/api/v1/impersonations", "/api/v1/users"):
        assert world.api("GET", path, token=token).status_code == 403


def test_introspection_shows_what_the_token_says(world: World) -> None:
    """RFC 7662 §2.2; an impersonation tells more of its actor, and the reason where the resource may see it."""
    own = mint(world, "customer", may_act={"sub": "backend", "iss": ISSUER})
    for token in (own, world.way_a().json["access_token"], world.way_d(own).json["access_token"]):
        shown, said = world.introspect(token), claims(token)
        if "impersonation" in said:
            said["impersonation"] |= {
                "actor_auth_time": claims(world.token("agent"))["auth_time"],
                "actor_acr": "urn:authserver:acr:mfa",
                "reason": REASON["reason"],
            }
        assert shown == {"active": True, "token_type": "Bearer", **said}


def test_allow_listed_client_goes_on_and_becomes_the_outermost_actor(world: World) -> None:
    """RFC 8693 §4.1."""
    let_other_backend_exchange(world)
    change_client(world, "other-backend", accepts_tokens_of=["backend"])
    first = world.way_a().json["access_token"]
    second = world.way_d(first, client="other-backend")
    assert chain(given(second)) == ["other-backend", world.id("agent")]
    assert given(second)["client_id"] == "other-backend"


def test_way_d_output_outlives_its_input_but_not_the_users_session(world: World) -> None:
    session = sign_in(world, "customer", "ses_short", expires_at=world.clock.now() + 600)
    short = mint(world, "customer", session_id=session, expires_at=world.clock.now() + 60)
    answer = world.way_d(short)
    assert given(answer)["exp"] == world.clock.now() + 600
    world.clock.pass_(61)
    assert world.introspect(answer.json["access_token"])["active"]
    world.clock.pass_(540)
    assert world.introspect(answer.json["access_token"]) == {"active": False}


def test_users_token_of_a_stranger_is_no_evidence(world: World) -> None:
    wired = world.wired
    alien = Issuer("https://other.example", "ES256", wired.keyring, wired.clock, wired.entropy, lambda _, __: None)
    refused(world, world.way_d(mint(world, "customer", issuer=alien)), "invalid_request", "token.issuer")


def test_client_of_the_actor_token_that_is_disabled_acts_no_more(world: World) -> None:
    form = by_other(world)
    assert world.way_d(**form, audience=API).status_code == 200
    change_client(world, "other-backend", enabled=False)
    refused(world, world.way_d(**form), "invalid_request", "client.disabled")
