"""ID tokens as the output of an exchange: strategy S3 (design section 3, RFC 8693 §2.2.1)."""

import pytest

from tests.oauth.exchanging import AT, ID, change_client, change_resource, given, of_way, refused
from tests.world import ISSUER, World, claims, header


@pytest.mark.parametrize("way", "ABC")
def test_id_token_says_exactly_what_is_specified(world: World, way: str) -> None:
    answer = of_way(world, way)(requested_token_type=ID)
    body, now = answer.json, world.clock.now()
    assert (body["issued_token_type"], body["token_type"], body["expires_in"]) == (ID, "N_A", 300)
    assert answer.headers["Cache-Control"] == "no-store"
    token = given(answer)
    assert token.pop("jti")
    assert token == {
        "iss": ISSUER,
        "sub": world.id("customer"),
        "aud": "backend",
        "iat": now,
        "exp": now + 300,
        "act": {"sub": world.id("agent"), "iss": ISSUER},
        "impersonation": {"id": body["impersonation_id"], "mode": "read_only", "ticket_id": "BANK-1042"},
    }
    assert (header(body["access_token"])["typ"], header(body["access_token"])["alg"]) == ("JWT", "RS256")


def test_id_token_claims_no_authentication_of_the_customer_and_no_session(world: World) -> None:
    token = given(world.way_a(requested_token_type=ID))
    assert not {"auth_time", "acr", "amr", "nonce", "sid", "at_hash", "scope", "client_id"} & set(token)


def test_only_a_client_registered_for_id_tokens_receives_one(world: World) -> None:
    change_client(world, "backend", receives_id_tokens=False)
    for answer in (world.way_a(requested_token_type=ID), world.way_b(requested_token_type=ID)):
        refused(world, answer, "unauthorized_client", "requested_token_type.not_the_clients")
    assert not world.events("impersonation:requested")
    assert world.way_a(requested_token_type=AT).status_code == 200


def test_id_token_is_signed_as_its_client_is_registered(world: World) -> None:
    change_client(world, "backend", id_token_alg="ES256")
    token = world.way_a(requested_token_type=ID).json["access_token"]
    assert header(token)["alg"] == "ES256"


@pytest.mark.parametrize(("asked", "lives"), [("60", 60), ("300", 300), ("301", 300), ("3600", 300)])
def test_id_token_lives_five_minutes_at_most(world: World, asked: str, lives: int) -> None:
    answer = world.way_a(requested_token_type=ID, requested_expires_in=asked)
    assert answer.json["expires_in"] == lives


def test_id_token_ends_no_later_than_the_impersonation(world: World) -> None:
    handle = world.way_a().json["impersonation"]
    world.clock.pass_(3500)
    assert world.way_c(handle, requested_token_type=ID).json["expires_in"] == 100


def test_id_token_names_our_id_whatever_a_resources_profile_says(world: World) -> None:
    change_resource(world, "https://api.example.com", subject_identifier="email", extra_claims=["name"])
    token = given(world.way_a(requested_token_type=ID))
    assert token["sub"] == world.id("customer")
    assert "name" not in token


def test_id_token_is_no_access_token_anywhere(world: World) -> None:
    """RFC 9068 §4; it is never evidence either, which the tests of evidence show."""
    token = str(world.way_a(requested_token_type=ID).json["access_token"])
    for client in ("backend", "resource-server"):
        assert world.introspect(token, client=client) == {"active": False}
    assert world.api("GET", "/api/v1/impersonations", token=token).status_code == 401
    impersonation = claims(token)["impersonation"]["id"]
    assert world.api("POST", f"/api/v1/impersonations/{impersonation}/end", token=token).status_code == 401


def test_issued_id_token_stands_in_the_trail(world: World) -> None:
    body = world.way_a(requested_token_type=ID).json
    event = world.events("token:issued")[-1]
    assert (event["kind"], event["way"], event["audience"]) == ("id", "A", ["backend"])
    assert (event["subject"], event["actor"]) == (world.id("customer"), world.id("agent"))
    assert event["jti"] == claims(body["access_token"])["jti"]


@pytest.mark.parametrize("target", ["customer-ask", "vip"])
def test_id_token_waits_for_consent_and_approval_like_any_other(world: World, target: str) -> None:
    answer = world.way_a(target=target, requested_token_type=ID)
    assert answer.json["error"] in {"consent_required", "approval_required"}
    assert answer.json["impersonation"]
