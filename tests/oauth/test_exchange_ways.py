"""Which parameters belong together in ways A, B, C and D (RFC 8693 §2.1, design section 3)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.oauth.exchanging import (
    AT,
    ID,
    URN,
    change_client,
    change_user,
    given,
    let_other_backend_exchange,
    of_way,
    refused,
)
from tests.world import API, ISSUER, REASON, World, claims, error

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
USER_ID = "urn:authserver:params:oauth:token-type:user-id"
IMPERSONATION = "urn:authserver:params:oauth:token-type:impersonation"


@pytest.mark.parametrize("way", "ABCD")
def test_success_has_the_members_of_rfc_8693_section_2_2_1(world: World, way: str) -> None:
    answer = of_way(world, way)()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert (body["issued_token_type"], body["token_type"], body["expires_in"]) == (AT, "Bearer", 3600)
    assert body["scope"] == claims(body["access_token"])["scope"]
    assert "refresh_token" not in body


def test_grant_stands_in_the_metadata(world: World) -> None:
    """RFC 8414 §2."""
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        assert GRANT in world.api("GET", path).json["grant_types_supported"]


def test_ways_a_and_b_give_the_handle_and_the_id_and_way_d_gives_neither(world: World) -> None:
    for answer in (world.way_a(), world.way_b()):
        assert answer.json["impersonation_id"] == given(answer)["impersonation"]["id"]
        assert world.way_c(answer.json["impersonation"]).status_code == 200
    assert not {"impersonation", "impersonation_id"} & set(world.way_d().json)


def test_every_way_of_impersonation_names_customer_and_agent(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    for answer in (world.way_a(), world.way_b(), world.way_c(handle)):
        token = given(answer)
        assert token["sub"] == world.id("customer")
        assert token["act"] == {"sub": world.id("agent"), "iss": ISSUER}
        assert token["client_id"] == "backend"


def test_impersonation_token_has_the_claims_of_rfc_9068_and_never_the_customers_authentication(world: World) -> None:
    answer = world.way_a()
    token = given(answer)
    assert set(token) == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "act", "impersonation"}
    assert token["impersonation"] == {
        "id": answer.json["impersonation_id"],
        "mode": "read_only",
        "ticket_id": REASON["ticket_id"],
    }


REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "A": [
        ({"subject_token": None}, "form.missing:subject_token"),
        ({"subject_token": ""}, "form.missing:subject_token"),
        ({"subject_token_type": None}, "form.missing:subject_token_type"),
        ({"actor_token": None}, "actor.half"),
        ({"actor_token": ""}, "actor.half"),
        ({"actor_token_type": None}, "actor.half"),
        ({"actor_token": None, "actor_token_type": None}, "actor.missing"),
        ({"requested_subject": "usr_1"}, "requested_subject.unexpected"),
        ({"mode": "write"}, "mode.unknown"),
        ({"override": "please"}, "override.unknown"),
        ({"subject_token_type": f"{URN}refresh_token"}, "subject.type"),
        ({"subject_token_type": f"{URN}saml2"}, "subject.type"),
        ({"subject_token_type": "access_token"}, "subject.type"),
        ({"actor_token_type": f"{URN}refresh_token"}, "actor.type"),
        ({"actor_token_type": USER_ID}, "actor.type"),
        ({"actor_token_type": IMPERSONATION}, "actor.type"),
        ({"requested_token_type": f"{URN}refresh_token"}, "requested_token_type"),
        ({"requested_token_type": "nonsense"}, "requested_token_type"),
        ({"reason": "r" * 1001}, "reason.too_long"),
        ({"reason_code": "r" * 129}, "reason_code.too_long"),
        ({"ticket_id": "T" * 129}, "ticket_id.too_long"),
    ],
    "B": [
        ({"subject_token_type": ""}, "form.missing:subject_token_type"),
        ({"actor_token": "x", "actor_token_type": AT}, "actor.unexpected"),
        ({"requested_subject": "u" * 256}, "requested_subject.too_long"),
    ],
    "C": [
        ({"actor_token_type": ""}, "actor.half"),
        ({"actor_token": None, "actor_token_type": None}, "actor.missing"),
        ({"requested_subject": "usr_1"}, "requested_subject.unexpected"),
    ],
    "D": [
        ({"actor_token_type": AT}, "actor.half"),
        ({"mode": "read_only"}, "mode.unexpected"),
        ({"mode": "full"}, "mode.unexpected"),
        ({"override": "break_glass"}, "mode.unexpected"),
        ({"requested_token_type": ID}, "requested_token_type.unexpected"),
    ],
}


@pytest.mark.parametrize("way", "ABCD")
def test_combination_without_a_meaning_is_invalid_request(world: World, way: str) -> None:
    """RFC 8693 §2.1 and §2.2.2; nothing is started and nothing issued."""
    call = of_way(world, way)
    before = len(world.events("token:issued"))
    for form, reason in REFUSED[way]:
        refused(world, call(**form), "invalid_request", reason)
    assert len(world.events("token:issued")) == before
    assert call().status_code == 200


@pytest.mark.parametrize(
    ("form", "policy"),
    [
        ({"reason": None}, "reason.required"),
        ({"reason": " "}, "reason.required"),
        ({"ticket_id": None}, "reason.ticket-required"),
        ({"ticket_id": "bank-1"}, "reason.ticket-valid"),
        ({"ticket_id": "BANK-1 "}, "reason.ticket-valid"),
        ({"reason_code": "because"}, "reason.code-known"),
    ],
)
@pytest.mark.parametrize("way", "AB")
def test_start_without_the_reason_that_the_policy_wants_is_invalid_request(
    world: World, way: str, form: dict[str, Any], policy: str
) -> None:
    refused(world, of_way(world, way)(**form), "invalid_request", f"policy:{policy}")
    assert not world.events("impersonation:requested")
    assert of_way(world, way)(reason_code=None).status_code == 200


def test_break_glass_is_for_nobody_but_the_group_break_glass(world: World) -> None:
    refused(world, world.way_a(override="break_glass"), "access_denied", "policy.denied")
    change_user(world, "lead", groups=[])
    refused(world, world.way_a(actor="lead", override="break_glass"), "access_denied", "policy.denied")


@pytest.mark.parametrize("name", ["subject_token", "scope", "grant_type", "actor_token", "mode", "requested_subject"])
def test_repeated_parameter_is_invalid_request(world: World, name: str) -> None:
    """RFC 6749 §3.2; only `resource` and `audience` may repeat."""
    form = {
        "grant_type": GRANT,
        "subject_token": world.id("customer"),
        "subject_token_type": USER_ID,
        "actor_token": world.token("agent"),
        "actor_token_type": AT,
        "mode": "read_only",
        "scope": "accounts:read",
        **REASON,
    }
    assert world.post("/oauth/token", form).status_code == 200
    answer = world.post("/oauth/token", [*form.items(), (name, form.get(name, "x")), (name, form.get(name, "x"))])
    assert error(answer) == "invalid_request"


def test_parameters_in_the_query_string_do_not_count(world: World) -> None:
    answer = world.post("/oauth/token", {"grant_type": GRANT}, query_string={"subject_token": world.id("customer")})
    refused(world, answer, "invalid_request", "form.missing:subject_token")
    cut = world.way_a(mode=None)
    assert given(cut)["impersonation"]["mode"] == "read_only"


@pytest.mark.parametrize(
    ("grant", "wanted"), [(None, "invalid_request"), ("", "invalid_request"), ("password", "unsupported_grant_type")]
)
def test_no_other_grant_takes_the_place_of_exchange(world: World, grant: str | None, wanted: str) -> None:
    assert error(world.way_a(grant_type=grant)) == wanted


def test_unauthenticated_client_may_not_exchange(world: World) -> None:
    """RFC 6749 §5.2: 401, with a challenge where Basic was tried."""
    silent = world.way_a(client=None)
    assert (silent.status_code, error(silent)) == (401, "invalid_client")
    before = len(world.events("token:issued"))
    form = {"grant_type": GRANT, "subject_token": world.id("customer"), "subject_token_type": USER_ID}
    wrong = world.post("/oauth/token", form, client=None, headers=world.basic(secret="wrong"))
    assert (wrong.status_code, error(wrong)) == (401, "invalid_client")
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    assert not world.events("token:issued")[before:]


@pytest.mark.parametrize("client", ["other-backend", "resource-server"])
@pytest.mark.parametrize("way", "ABCD")
def test_client_not_registered_for_exchange_is_unauthorized(world: World, client: str, way: str) -> None:
    refused(world, of_way(world, way)(client=client), "unauthorized_client", "grant.not_the_clients")


@pytest.mark.parametrize("way", "ABCD")
def test_client_not_registered_for_a_way_is_unauthorized(world: World, way: str) -> None:
    call = of_way(world, way)
    assert call().status_code == 200
    change_client(world, "backend", ways=[other for other in "ABCD" if other != way])
    refused(world, call(), "unauthorized_client", "way.not_the_clients")


def test_disabled_client_exchanges_nothing(world: World) -> None:
    let_other_backend_exchange(world, accepts_tokens_of=["backend"])
    assert world.way_a(client="other-backend").status_code == 200
    change_client(world, "other-backend", enabled=False)
    answer = world.way_a(client="other-backend")
    assert (answer.status_code, error(answer)) == (401, "invalid_client")


def test_alias_of_a_type_works_as_the_type(make_sqlite_world: Callable[..., World]) -> None:
    alias = "urn:example:token-type:user"
    world = make_sqlite_world(**{"exchange.token_type_aliases": {alias: USER_ID, "at": AT}})
    answer = world.way_a(subject_token_type=alias, actor_token_type="at", requested_token_type="at")
    assert (given(answer)["sub"], answer.json["issued_token_type"]) == (world.id("customer"), AT)


def test_resource_is_taken_from_the_client_when_none_is_named(world: World) -> None:
    assert given(world.way_a(resource=None))["aud"] == API
