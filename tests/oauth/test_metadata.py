"""The metadata documents and the keys: true to what the server does (RFC 8414, OIDC Discovery, RFC 7517)."""

from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from authserver.oauth.server import GRANTS
from authserver.protocol.names import (
    GRANT_AUTHORIZATION_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_DEVICE_CODE,
    GRANT_REFRESH_TOKEN,
    GRANT_TOKEN_EXCHANGE,
)
from tests.conftest import MakeWorld
from tests.devices import asked, decide, poll
from tests.signing_in import BrowserOf, redeem
from tests.world import ISSUER, World, claims, error, header

DOCUMENTS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def get(world: World, path: str, **more: Any) -> Any:
    answer = world.http.get(path, base_url=ISSUER, **more)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    return answer.get_json()


def metadata(world: World) -> dict[str, Any]:
    return dict(get(world, DOCUMENTS[0]))


def path_of(url: str) -> str:
    assert url.startswith(f"{ISSUER}/")
    return url.removeprefix(ISSUER)


def test_both_documents_are_equal(world: World) -> None:
    first, second = (get(world, path) for path in DOCUMENTS)
    assert first == second


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9000", "https://login.example.com", "http://[::1]:9000"])
def test_issuer_is_equal_to_the_byte(make_sqlite_world: MakeWorld, issuer: str) -> None:
    """RFC 8414 §3.3: the configured one, wherever it stands."""
    world = make_sqlite_world(server={"issuer": issuer})
    for path in DOCUMENTS:
        document = world.http.get(path, base_url=issuer).get_json()
        assert document["issuer"] == issuer
        assert all(value.startswith(f"{issuer}/oauth/") for name, value in document.items() if _is_url(name))
    form = {"grant_type": GRANT_CLIENT_CREDENTIALS}
    answer = world.http.post("/oauth/token", data=form, headers=world.basic(), base_url=issuer).get_json()
    assert claims(answer["access_token"])["iss"] == issuer


def test_issuer_is_not_taken_from_the_request(world: World) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    document = get(world, DOCUMENTS[0], headers=headers)
    assert document == metadata(world)
    assert "evil" not in str(document)


def test_every_advertised_endpoint_answers(world: World) -> None:
    document = metadata(world)
    assert get(world, path_of(document["jwks_uri"]))["keys"]
    form = {"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}
    endpoints = {name for name in document if name.endswith("_endpoint")}
    of_clients = {"token_endpoint", "introspection_endpoint", "revocation_endpoint"}
    of_clients.add("device_authorization_endpoint")
    assert endpoints - of_clients == {"authorization_endpoint", "userinfo_endpoint", "end_session_endpoint"}
    for name in of_clients:
        assert world.post(path_of(document[name]), form).status_code == 200
        assert error(world.post(path_of(document[name]), form, client=None)) == "invalid_client"


def test_every_advertised_grant_works(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in("customer")
    signed_in = redeem(world, browser.code()).json
    again = {"grant_type": GRANT_REFRESH_TOKEN, "refresh_token": signed_in["refresh_token"]}
    given = asked(world)
    decide(browser, given)
    works = {
        GRANT_CLIENT_CREDENTIALS: world.client_token(),
        GRANT_TOKEN_EXCHANGE: world.way_a().json["access_token"],
        GRANT_DEVICE_CODE: poll(world, given).json["access_token"],
        GRANT_AUTHORIZATION_CODE: signed_in["access_token"],
        GRANT_REFRESH_TOKEN: world.post("/oauth/token", again).json["access_token"],
    }
    assert metadata(world)["grant_types_supported"] == [grant.GRANT_TYPE for grant in GRANTS]
    assert set(metadata(world)["grant_types_supported"]) == works.keys()
    assert all(world.introspect(token)["active"] for token in works.values())
    assert error(world.post("/oauth/token", {"grant_type": "password"})) == "unsupported_grant_type"


def test_metadata_hold_what_is_required(world: World) -> None:
    """RFC 8414 §2, OIDC Discovery §3: required members, and no promise of what is not there."""
    document = metadata(world)
    assert document["response_types_supported"] == ["code"]
    assert document["subject_types_supported"] == ["public"]
    for endpoint in ("token", "introspection", "revocation"):
        assert set(document[f"{endpoint}_endpoint_auth_methods_supported"]) - {"none"} == {
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        }
        assert "none" not in document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert not [alg for alg in document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] if alg[0] == "H"]
    assert {"accounts:read", "payments:read", "impersonate"} <= set(document["scopes_supported"])


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_advertised_id_token_algorithms_are_those_that_a_key_signs(make_sqlite_world: MakeWorld, alg: str) -> None:
    world = make_sqlite_world(keys={"access_token_alg": alg})
    with world.work() as work:
        work.lock()
        world.wired.keyring.ensure(work)
    advertised = metadata(world)["id_token_signing_alg_values_supported"]
    assert set(advertised) == {"RS256", "ES256", alg}
    assert {key["alg"] for key in get(world, "/oauth/jwks")["keys"]} == set(advertised)
    assert "RS256" in advertised  # OIDC Discovery §3 requires it


def test_keys_are_public_and_verify_what_was_signed(world: World) -> None:
    """RFC 7517 §4."""
    answer = world.http.get("/oauth/jwks", base_url=ISSUER)
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    keys = answer.get_json()["keys"]
    for key in keys:
        assert not PRIVATE & key.keys()
        assert {"kty", "use", "alg", "kid"} <= key.keys()
        assert key["use"] == "sig"
    assert len({key["kid"] for key in keys}) == len(keys)
    for token in (world.token("agent"), world.id_token("agent"), world.client_token()):
        alg = header(token)["alg"]
        assert jws.deserialize_compact(token, KeySet.import_key_set({"keys": keys}), algorithms=[alg])


def test_audit_key_is_no_token_key(world: World) -> None:
    """What signs the trail's heads is not published among the keys that tokens are verified with."""
    world.clock.pass_(120)
    world.wired.jobs.tick()
    assert {key["alg"] for key in get(world, "/oauth/jwks")["keys"]} == {"ES256", "RS256"}


def _is_url(name: str) -> bool:
    return name.endswith(("_endpoint", "_uri"))
