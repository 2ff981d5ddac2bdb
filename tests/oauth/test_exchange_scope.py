"""Scope, resource and audience, and the resources' token profiles (RFC 8693 §2.1, RFC 8707, design section 3)."""

from typing import Any

import pytest

from authserver.protocol.scopes import Scope
from authserver.storage import resources
from authserver.storage.tables import Resource
from tests.oauth.exchanging import change_client, change_resource, change_user, given, of_way, refused
from tests.world import API, ISSUER, PAYMENTS, REASON, Answer, World

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
USER_ID = "urn:authserver:params:oauth:token-type:user-id"


def full(world: World, **form: Any) -> Answer:
    """Exchange as a lead in full mode."""
    return world.way_a(actor="lead", mode="full", **form)


def scopes(answer: Answer) -> set[str]:
    token = given(answer)
    assert token["scope"] == answer.json["scope"]
    return set(token["scope"].split())


def named(world: World, *pairs: tuple[str, str]) -> Answer:
    """Exchange by way A with `resource` and `audience` as often as they are given."""
    form = {
        "grant_type": GRANT,
        "subject_token": world.id("customer"),
        "subject_token_type": USER_ID,
        "actor_token": world.token("agent"),
        "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
        **REASON,
    }
    form = {name: value for name, value in form.items() if name not in dict(pairs)}
    return world.post("/oauth/token", [*form.items(), *pairs])


@pytest.mark.parametrize(
    ("asked", "read_only", "in_full_mode"),
    [
        (None, {"accounts:read"}, {"accounts:read", "cards:write"}),
        ("accounts:read", {"accounts:read"}, {"accounts:read"}),
        ("accounts:read cards:write", {"accounts:read"}, {"accounts:read", "cards:write"}),
        ("accounts:read contacts:write", {"accounts:read"}, {"accounts:read"}),
        ("accounts:read accounts:read", {"accounts:read"}, {"accounts:read"}),
    ],
)
def test_scope_is_what_is_asked_cut_by_mode_and_never_what_cannot_be_delegated(
    world: World, asked: str | None, read_only: set[str], in_full_mode: set[str]
) -> None:
    assert scopes(world.way_a(scope=asked)) == read_only
    assert scopes(world.way_b(actor="lead", scope=asked)) == read_only
    assert scopes(full(world, scope=asked)) == in_full_mode


def test_read_only_is_the_default_and_full_mode_is_for_leads(world: World) -> None:
    assert given(world.way_a(actor="lead"))["impersonation"]["mode"] == "read_only"
    assert given(full(world))["impersonation"]["mode"] == "full"
    refused(world, world.way_a(mode="full"), "access_denied", "policy.denied")


def test_nothing_left_is_invalid_scope(world: World) -> None:
    for answer in (
        world.way_a(scope="cards:write"),
        world.way_a(scope="contacts:write"),
        full(world, scope="contacts:write"),
        full(world, scope="payments:execute", resource=PAYMENTS),
        world.way_d(scope="contacts:write"),
    ):
        refused(world, answer, "invalid_scope", "scope.nothing_left")
    assert scopes(full(world, scope="cards:write")) == {"cards:write"}


@pytest.mark.parametrize("way", "ABD")
def test_scope_that_is_unknown_malformed_or_of_another_resource_is_invalid_scope(world: World, way: str) -> None:
    """RFC 6749 §3.3 and §5.2; a scope belongs to one resource."""
    call = of_way(world, way)
    for asked in (
        "accounts:read unknown",
        "unknown",
        "payments:read",
        "impersonate",
        "consent:grant",
        "openid",
        "offline_access",
        "ACCOUNTS:READ",
        " ",
    ):
        refused(world, call(scope=asked), "invalid_scope", "scope.unknown_or_not_the_clients")
    for asked in ('accounts:read "', "accounts:read\tcards:write", "accounts:réad"):
        refused(world, call(scope=asked), "invalid_scope", "scope.malformed")


def test_scope_that_the_client_may_not_have_is_invalid_scope(world: World) -> None:
    assert scopes(full(world, scope="accounts:read cards:write")) == {"accounts:read", "cards:write"}
    change_client(world, "backend", scopes=["accounts:read"])
    answer = full(world, scope="accounts:read cards:write")
    refused(world, answer, "invalid_scope", "scope.unknown_or_not_the_clients")
    assert scopes(full(world)) == {"accounts:read"}


def test_targets_roles_are_intersected_and_not_granted_whole(world: World) -> None:
    assert scopes(world.way_a()) == {"accounts:read"}
    change_user(world, "customer", roles=[])
    refused(world, world.way_a(scope="accounts:read"), "invalid_scope", "scope.nothing_left")


@pytest.mark.parametrize("way", "ABD")
def test_resource_that_is_no_absolute_uri_is_invalid_target(world: World, way: str) -> None:
    """RFC 8707 §2."""
    call = of_way(world, way)
    for uri in (
        "api.example.com",
        "/accounts",
        "//api.example.com",
        "https:",
        "https://",
        "https:/api.example.com",
        f"{API}#accounts",
        f"{API}#",
        "https://[api",
        "not a uri",
        f"{API} ",
        "https://api.example.com/é",
    ):
        for name in ("resource", "audience"):
            answer = call(**{"resource": None, name: uri})
            refused(world, answer, "invalid_target", "resource.not_absolute")


@pytest.mark.parametrize("way", "ABD")
def test_unknown_resource_is_invalid_target_and_never_echoed(world: World, way: str) -> None:
    """RFC 8693 §2.2.2; CVE-2022-1245: an audience needs explicit permission."""
    call = of_way(world, way)
    for uri in ("https://evil.example", f"{API}/", API.upper(), f"{API}:443", "urn:evil", f"{API}?a=b"):
        answer = call(resource=uri)
        refused(world, answer, "invalid_target", "resource.unknown")
        assert uri not in answer.text


def test_one_bad_resource_among_several_refuses_the_whole_request(world: World) -> None:
    good = named(world, ("resource", API), ("resource", PAYMENTS))
    assert given(good)["aud"] == [API, PAYMENTS]
    for name in ("resource", "audience"):
        answer = named(world, ("resource", API), (name, "https://evil.example"))
        refused(world, answer, "invalid_target", "resource.unknown")
        answer = named(world, ("resource", API), (name, "relative"))
        refused(world, answer, "invalid_target", "resource.not_absolute")


def test_several_resources_all_stand_in_aud_with_the_scopes_of_each(world: World) -> None:
    """RFC 8707 §2, RFC 8693 §2.1."""
    answer = named(world, ("resource", API), ("resource", PAYMENTS))
    assert scopes(answer) == {"accounts:read", "payments:read"}
    again = named(world, ("audience", PAYMENTS), ("resource", API), ("resource", PAYMENTS), ("resource", API))
    assert sorted(given(again)["aud"]) == [API, PAYMENTS]


def test_audience_is_another_name_for_resource(world: World) -> None:
    assert given(named(world, ("audience", PAYMENTS)))["aud"] == PAYMENTS
    assert given(world.way_d(resource=None, audience=PAYMENTS))["aud"] == PAYMENTS


def test_empty_resource_counts_as_none(world: World) -> None:
    """RFC 6749 §3.2: a parameter without a value is an omitted one."""
    assert given(named(world, ("resource", ""), ("audience", "")))["aud"] == API


def test_without_a_resource_the_clients_default_counts(world: World) -> None:
    change_client(world, "backend", default_resources=[PAYMENTS])
    for answer in (world.way_a(resource=None), world.way_b(resource=None), world.way_d(resource=None)):
        assert given(answer)["aud"] == PAYMENTS
    change_client(world, "backend", default_resources=[])
    refused(world, world.way_a(resource=None), "invalid_target", "resource.no_default")


def test_resource_that_the_client_has_no_scope_of_is_invalid_target(world: World) -> None:
    assert given(world.way_a(resource=PAYMENTS))["aud"] == PAYMENTS
    change_client(world, "backend", scopes=["accounts:read"])
    for answer in (world.way_a(resource=PAYMENTS), world.way_d(resource=PAYMENTS)):
        refused(world, answer, "invalid_target", "resource.not_the_clients")
    both = named(world, ("resource", API), ("resource", PAYMENTS))
    refused(world, both, "invalid_target", "resource.not_the_clients")


def test_issuer_itself_is_no_resource_to_exchange_for(world: World) -> None:
    for answer in (world.way_a(resource=ISSUER), world.way_d(resource=ISSUER)):
        refused(world, answer, "invalid_target", "resource.not_the_clients")


def test_resource_of_another_scheme_can_be_registered(world: World) -> None:
    uri = "urn:example:ledger"
    with world.work() as work:
        work.lock()
        resources.put(work.session, Resource(uri=uri, name="Ledger", subject_identifier="id", extra_claims=[]))
        resources.put_scope(work.session, Scope("ledger:read", uri, "read"), roles=["customer"])
    change_client(world, "backend", scopes=["ledger:read"])
    assert given(world.way_a(resource=uri))["aud"] == uri


@pytest.mark.parametrize(("identifier", "value"), [("email", "customer@example.com"), ("username", None)])
def test_resources_profile_says_which_identifier_becomes_sub(world: World, identifier: str, value: str | None) -> None:
    change_resource(world, API, subject_identifier=identifier, extra_claims=["country", "name"])
    agent = {"sub": world.id("agent"), "iss": ISSUER}
    for answer in (world.way_a(), world.way_b(), world.way_c(world.way_a().json["impersonation"])):
        token = given(answer)
        assert token["sub"] == (value or world.credentials["users"]["customer"]["username"])
        assert (token["country"], token["name"]) == ("SE", "Casey Customer")
        assert token["act"] == agent
        assert world.introspect(answer.json["access_token"])["sub"] == token["sub"]
    assert given(world.way_d())["sub"] == "customer@example.com"
    other = given(world.way_a(resource=PAYMENTS))
    assert other["sub"] == world.id("customer")
    assert "country" not in other


def test_token_with_an_email_as_sub_still_belongs_to_its_user(world: World) -> None:
    """Way D reads the user from the token's row, never from `sub`."""
    change_resource(world, API, subject_identifier="email")
    token = world.way_a().json["access_token"]
    change_user(world, "customer-ask", email="customer@example.com")
    change_resource(world, API, subject_identifier="id")
    assert given(world.way_d(token))["sub"] == world.id("customer")


def test_resources_of_differing_profiles_cannot_share_a_token(world: World) -> None:
    change_resource(world, PAYMENTS, subject_identifier="email")
    answer = named(world, ("resource", API), ("resource", PAYMENTS))
    refused(world, answer, "invalid_target", "resource.profiles_differ")
    waiting = [("resource", API), ("resource", PAYMENTS), ("subject_token", world.id("customer-ask"))]
    refused(world, named(world, *waiting), "invalid_target", "resource.profiles_differ")
    assert not world.events("impersonation:requested"), "nobody is asked for what can give no token"
    change_resource(world, API, subject_identifier="email")
    assert given(named(world, ("resource", API), ("resource", PAYMENTS)))["sub"] == "customer@example.com"


def test_extra_claims_of_several_resources_are_joined(world: World) -> None:
    change_resource(world, API, extra_claims=["country"])
    change_resource(world, PAYMENTS, extra_claims=["tier"])
    token = given(named(world, ("resource", API), ("resource", PAYMENTS)))
    assert (token["country"], token["tier"]) == ("SE", "standard")
