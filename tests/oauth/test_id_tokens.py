"""ID tokens of a sign-in (OIDC Core §2, §3.1.3.6, §3.1.3.7), verified as a client does: by the published keys."""

import base64
import hashlib
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet

from authserver.protocol.names import TYPE_ID_TOKEN
from tests.signing_in import BrowserOf, change_client, new_app, refresh
from tests.world import ISSUER, World, claims, error, header

ALGS = ["RS256", "ES256", "PS256", "EdDSA"]
REQUIRED = {"iss", "sub", "aud", "exp", "iat"}
# A published algorithm name (RFC 8037) that the library now only warns about.
allows_eddsa = pytest.mark.filterwarnings(f"ignore:EdDSA is deprecated:{SecurityWarning.__module__}.SecurityWarning")


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def verified(world: World, token: str, alg: str) -> dict[str, Any]:
    """Verify a token by the keys that everybody gets."""
    keys = KeySet.import_key_set(world.http.get("/oauth/jwks", base_url=ISSUER).get_json())
    return dict(jwt.decode(token, keys, algorithms=[alg]).claims)


def sign_with(world: World, alg: str) -> None:
    """Let `backend` get its ID tokens signed so, with a key of that kind."""
    change_client(world, id_token_alg=alg)
    with world.work() as work:
        world.wired.keyring.rotate(work, alg, 0)
    told = world.http.get("/.well-known/openid-configuration", base_url=ISSUER).get_json()
    assert alg in told["id_token_signing_alg_values_supported"]


def test_an_id_token_says_who_signed_in_where_when_and_how(world: World, browser: BrowserOf) -> None:
    """OIDC Core §2."""
    now = world.clock.now()
    world.clock.pass_(7)
    shown = claims(browser.tokens()["id_token"])
    session = world.events("session:started")[-1]["session_id"]
    assert set(shown) == {*REQUIRED, "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash"}
    assert (shown["iss"], shown["sub"], shown["aud"]) == (ISSUER, world.id("customer"), "backend")
    assert (shown["azp"], shown["nonce"], shown["sid"]) == ("backend", "a nonce", session)
    assert (shown["auth_time"], shown["iat"]) == (now, now + 7)
    assert shown["exp"] > shown["iat"]
    assert (shown["acr"], shown["amr"]) == ("urn:authserver:acr:password", ["pwd"])
    assert len(shown["sub"]) <= 255
    assert shown["sub"].isascii()


def test_no_more_is_told_than_asked(browser: BrowserOf) -> None:
    """OIDC Core §5.4: with an access token the claims of the scopes come from userinfo."""
    shown = claims(browser.tokens(scope="openid profile email")["id_token"])
    assert not {"name", "email", "preferred_username"} & set(shown)
    assert "nonce" not in claims(browser.tokens(nonce=None)["id_token"])


@allows_eddsa
@pytest.mark.parametrize("alg", ALGS)
def test_each_client_gets_its_algorithm(world: World, browser: BrowserOf, alg: str) -> None:
    """OIDC Registration §2, `id_token_signed_response_alg`."""
    if alg != "RS256":
        sign_with(world, alg)
    tokens = browser.tokens()
    assert (header(tokens["id_token"])["alg"], header(tokens["id_token"])["typ"]) == (alg, "JWT")
    shown = verified(world, tokens["id_token"], alg)
    assert shown["sub"] == world.id("customer")
    again = refresh(world, tokens["refresh_token"]).json
    assert header(again["id_token"])["alg"] == alg


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256"])
def test_the_hash_of_the_access_token_is_half_a_sha256(world: World, browser: BrowserOf, alg: str) -> None:
    """OIDC Core §3.1.3.6: with the hash function of the algorithm."""
    sign_with(world, alg)
    tokens = browser.tokens()
    half = hashlib.sha256(tokens["access_token"].encode("ascii")).digest()[:16]
    at_hash = verified(world, tokens["id_token"], alg)["at_hash"]
    assert at_hash == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


@allows_eddsa
def test_where_no_hash_function_is_named_there_is_no_hash(world: World, browser: BrowserOf) -> None:
    """OIDC Core §3.1.3.6 makes at_hash optional here, and EdDSA's name tells no hash function."""
    sign_with(world, "EdDSA")
    assert "at_hash" not in verified(world, browser.tokens()["id_token"], "EdDSA")


def test_two_factors_show_in_the_id_token(world: World) -> None:
    app, browser = new_app(world), BrowserOf(world)
    second = browser.sign_in()
    browser.submit(browser.follow(second), "/login/factor", code=app.at(world.clock.now()))
    shown = claims(browser.tokens()["id_token"])
    assert (shown["acr"], shown["amr"]) == ("urn:authserver:acr:mfa", ["pwd", "otp", "mfa"])


def test_two_sign_ins_have_two_session_ids_and_one_browser_keeps_its_own(world: World, browser: BrowserOf) -> None:
    other = BrowserOf(world)
    other.sign_in("customer")
    first = claims(browser.tokens()["id_token"])["sid"]
    assert claims(other.tokens()["id_token"])["sid"] != first
    browser.sign_in("customer")
    assert claims(browser.tokens()["id_token"])["sid"] == first


def test_an_id_token_is_no_access_token(world: World, browser: BrowserOf) -> None:
    """RFC 9068 §4."""
    identity = browser.tokens()["id_token"]
    assert world.introspect(identity, "backend") == {"active": False}
    assert world.api("GET", "/api/v1/impersonations", token=identity).status_code == 401


def test_the_access_token_has_what_is_required(world: World, browser: BrowserOf) -> None:
    """RFC 9068 §2.1, §2.2."""
    token = browser.tokens()["access_token"]
    assert header(token)["typ"] == "at+jwt"
    shown = verified(world, token, "ES256")
    assert {*REQUIRED, "jti", "client_id", "scope", "auth_time", "acr", "amr"} <= set(shown)
    assert not {"act", "nonce", "at_hash", "azp"} & set(shown)
    assert browser.world.introspect(token)["sub"] == world.id("customer")


def test_an_id_token_never_outlives_its_sign_in(world: World, browser: BrowserOf) -> None:
    ends = world.clock.now() + world.wired.settings.accounts.session_seconds
    while world.clock.now() + 3500 < ends:
        world.clock.pass_(3500)
        browser.get("/account")
    late = browser.tokens()
    assert claims(late["id_token"])["exp"] == ends
    world.clock.pass_(ends - world.clock.now())
    assert error(refresh(world, late["refresh_token"])) == "invalid_grant"
    assert error(world.way_b(subject_token=late["id_token"], subject_token_type=TYPE_ID_TOKEN)) == "invalid_request"
