"""Client authentication by a signed assertion (RFC 7523 §3): `private_key_jwt`."""

import base64
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from authserver.protocol.names import CLIENT_ASSERTION_JWT, GRANT_CLIENT_CREDENTIALS
from authserver.storage import clients
from tests.conftest import MakeWorld
from tests.world import ISSUER, Answer, World, claims, error

CLIENT = "other-backend"
EC, OTHER_EC = ECKey.generate_key("P-256", {"kid": "one"}), ECKey.generate_key("P-256", {"kid": "two"})
RSA, ED = RSAKey.generate_key(2048, {"kid": "rsa"}), OKPKey.generate_key("Ed25519", {"kid": "ed"})
LEEWAY = 30


@pytest.fixture
def keyed(world: World) -> World:
    """The world, in which `other-backend` authenticates by its keys."""
    register_keys(world, EC, RSA, ED)
    return world


def register_keys(world: World, *keys: Key, client_id: str = CLIENT) -> None:
    jwks = {"keys": [key.as_dict(private=False) for key in keys]}
    with world.work() as work:
        work.lock()
        assert clients.change(work.session, client_id, auth_method="private_key_jwt", jwks=jwks)


def assertion(world: World, key: Key = EC, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Sign an assertion that is good but for `changes`; what is None is left out."""
    now = world.clock.now()
    own = {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
    said = {name: value for name, value in {**own, **changes}.items() if value is not None}
    shown = {"alg": "ES256", **({"kid": key.kid} if key.kid else {}), **(header or {})}
    return jws.serialize_compact(shown, json.dumps(said), key, algorithms=[shown["alg"]])


def ask(world: World, client_assertion: str, **form: Any) -> Answer:
    own = {
        "grant_type": GRANT_CLIENT_CREDENTIALS,
        "client_assertion": client_assertion,
        "client_assertion_type": CLIENT_ASSERTION_JWT,
    }
    return world.post("/oauth/token", {**own, **form}, client=None)


def refused(answer: Answer, name: str = "invalid_client") -> None:
    assert error(answer) == name, answer.text
    assert answer.status_code == (401 if name == "invalid_client" else 400)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("alg", "key"), [("ES256", EC), ("RS256", RSA), ("PS256", RSA), ("EdDSA", ED)])
def test_client_authenticates_by_its_key(keyed: World, alg: str, key: Key) -> None:
    """Each algorithm that the metadata advertise."""
    answer = ask(keyed, assertion(keyed, key, {"alg": alg}))
    assert answer.status_code == 200, answer.text
    assert claims(answer.json["access_token"])["client_id"] == CLIENT
    advertised = keyed.http.get("/.well-known/openid-configuration", base_url=ISSUER).get_json()
    assert alg in advertised["token_endpoint_auth_signing_alg_values_supported"]


def test_key_authenticates_at_introspection_and_revocation(keyed: World) -> None:
    for path in ("/oauth/introspect", "/oauth/revoke"):
        form = {"client_assertion": assertion(keyed), "client_assertion_type": CLIENT_ASSERTION_JWT, "token": "unknown"}
        assert keyed.post(path, form, client=None).status_code == 200
        refused(keyed.post(path, form, client=None))


def test_key_needs_no_name(world: World) -> None:
    """RFC 7515 §4.1.4: `kid` is optional, also while a client has several keys because it is replacing one."""
    nameless = [ECKey.generate_key("P-256", auto_kid=False) for _ in range(3)]
    register_keys(world, *nameless[:2], RSA)
    for key in nameless[:2]:
        assert ask(world, assertion(world, key)).status_code == 200
    refused(ask(world, assertion(world, nameless[2])))
    refused(ask(world, assertion(world, nameless[0], {"kid": "rsa"})))


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        f"{ISSUER}/",
        f"{ISSUER}/oauth/token",
        "https://elsewhere.example",
        [],
        [ISSUER, "https://elsewhere.example"],
        [ISSUER, ISSUER],
        [[ISSUER]],
        {ISSUER: 1},
    ],
)
def test_audience_is_the_issuer_and_nothing_else(keyed: World, audience: Any) -> None:
    """An assertion that somebody else accepts as well could be replayed here by them."""
    assert ask(keyed, assertion(keyed, aud=[ISSUER])).status_code == 200
    refused(ask(keyed, assertion(keyed, aud=audience)))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "backend"},
        {"iss": None},
        {"sub": None},
        {"sub": "backend"},
        {"iss": "nobody", "sub": "nobody"},
        {"iss": "backend", "sub": "backend"},  # a client that has no key
        {"iss": 7, "sub": 7},
        {"iss": [CLIENT], "sub": [CLIENT]},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e400},
        {"exp": -1},
        {"iat": "now"},
        {"nbf": "now"},
    ],
)
def test_claims_are_required_and_of_their_form(keyed: World, changes: dict[str, Any]) -> None:
    refused(ask(keyed, assertion(keyed, **changes)))
    assert ask(keyed, assertion(keyed)).status_code == 200


@pytest.mark.parametrize(
    ("offsets", "status"),
    [
        ({"exp": -LEEWAY + 1}, 200),
        ({"exp": -LEEWAY}, 401),
        ({"exp": 3600}, 200),
        ({"iat": LEEWAY, "exp": 3600 + LEEWAY}, 200),  # an hour, by a clock that is ahead
        ({"exp": 3600 + LEEWAY + 1}, 401),
        ({"exp": 366 * 86400}, 401),
        ({"iat": LEEWAY}, 200),
        ({"iat": LEEWAY + 1}, 401),
        ({"nbf": LEEWAY}, 200),
        ({"nbf": LEEWAY + 1}, 401),
    ],
)
def test_times_bound_an_assertion(keyed: World, offsets: dict[str, int], status: int) -> None:
    now = keyed.clock.now()
    times: dict[str, Any] = {name: now + offset for name, offset in offsets.items()}
    answer = ask(keyed, assertion(keyed, **times))
    assert answer.status_code == status, answer.text


def test_assertion_is_used_once(make_world: MakeWorld) -> None:
    """RFC 7523 §3 (7): a replay is refused for as long as the assertion would be good, whatever stands around it."""
    world = make_world()
    register_keys(world, EC)
    good = assertion(world, jti="once", exp=world.clock.now() + 60)
    assert ask(world, good).status_code == 200
    refused(ask(world, good))
    refused(ask(world, assertion(world, jti="once")))
    assert ask(world, assertion(world, jti="twice")).status_code == 200
    world.clock.pass_(60 + LEEWAY - 1)
    world.wired.jobs.tick()
    refused(ask(world, good))


def test_assertion_is_used_up_though_the_request_is_refused(keyed: World) -> None:
    good = assertion(keyed)
    refused(ask(keyed, good, grant_type="password"), "unsupported_grant_type")
    refused(ask(keyed, good))


def test_one_clients_jti_is_not_anothers(keyed: World) -> None:
    register_keys(keyed, OTHER_EC, client_id="resource-server")
    assert ask(keyed, assertion(keyed, jti="same")).status_code == 200
    theirs = assertion(keyed, OTHER_EC, iss="resource-server", sub="resource-server", jti="same", token="unknown")
    form = {"client_assertion": theirs, "client_assertion_type": CLIENT_ASSERTION_JWT, "token": "unknown"}
    assert keyed.post("/oauth/introspect", form, client=None).status_code == 200


def _unsigned(world: World) -> str:
    _, payload, _ = assertion(world).split(".")
    return f"{_part({'alg': 'none'})}.{payload}."


def _keyed_by_public_key(world: World) -> str:
    """Sign by HMAC under the registered public key (algorithm confusion)."""
    _, payload, _ = assertion(world).split(".")
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{payload}"
    public = EC.as_pem(private=False)
    return f"{signed}.{_encoded(hmac.digest(public, signed.encode(), 'sha256'))}"


def _other_key(world: World) -> str:
    return assertion(world, OTHER_EC)


def _other_key_under_a_known_name(world: World) -> str:
    return assertion(world, OTHER_EC, {"kid": "one"})


def _own_key_inside(world: World) -> str:
    return assertion(world, OTHER_EC, {"jwk": OTHER_EC.as_dict(private=False)})


def _critical(world: World) -> str:
    header, payload, signature = assertion(world).split(".")
    read = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return f"{_part({**read, 'crit': ['x'], 'x': 1})}.{payload}.{signature}"


def _changed(world: World) -> str:
    header, payload, signature = assertion(world).split(".")
    said = claims(f"{header}.{payload}.{signature}")
    return f"{header}.{_part({**said, 'jti': 'another'})}.{signature}"


def _deep(_: World) -> str:
    return f"{_part({'alg': 'ES256'})}.{_encoded(b'[' * 20_000)}.AAAA"


def _part(value: Any) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "forge",
    [
        _unsigned,
        _keyed_by_public_key,
        _other_key,
        _other_key_under_a_known_name,
        _own_key_inside,
        _critical,
        _changed,
        _deep,
        lambda _: "garbage",
        lambda _: "..",
        lambda _: "e30.e30.e30",
        lambda _: f"{_part([])}.{_part([])}.AAAA",
        lambda _: f"{_part({'alg': 7})}.{_part({'sub': CLIENT})}.AAAA",
        lambda _: f"{_part({'alg': 'ES256'})}.{_encoded(bytes([255]))}.AAAA",
        lambda _: "é.é.é",
        lambda world: assertion(world)[:-4],
    ],
)
def test_forged_assertion_is_refused(keyed: World, forge: Callable[[World], str]) -> None:
    refused(ask(keyed, forge(keyed)))
    assert ask(keyed, assertion(keyed)).status_code == 200


@pytest.mark.parametrize("client_id", ["a\0b", "\ud800", "x" * 5000])
def test_hostile_client_id_in_an_assertion_is_an_unknown_client(make_world: MakeWorld, client_id: str) -> None:
    """It is read before anything is verified, and comes out of JSON, not out of a form."""
    world = make_world()
    refused(ask(world, assertion(world, iss=client_id, sub=client_id)))


def test_assertion_type_must_be_the_standards(keyed: World) -> None:
    for kind in (None, "", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"):
        refused(ask(keyed, assertion(keyed), client_assertion_type=kind), "invalid_request")


def test_client_id_beside_an_assertion_must_be_the_same(keyed: World) -> None:
    assert ask(keyed, assertion(keyed), client_id=CLIENT).status_code == 200
    refused(ask(keyed, assertion(keyed), client_id="backend"), "invalid_request")


def test_disabled_clients_assertion_is_refused(keyed: World) -> None:
    with keyed.work() as work:
        work.lock()
        clients.set_enabled(work.session, CLIENT, enabled=False)
    refused(ask(keyed, assertion(keyed)))
