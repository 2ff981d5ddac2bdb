"""Client authentication by a shared secret (RFC 6749 §2.3), at every endpoint that asks for it."""

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest

from authserver.protocol.names import CLIENT_ASSERTION_JWT, GRANT_CLIENT_CREDENTIALS
from authserver.storage import clients
from authserver.storage.tables import Client
from authserver.tokens.secret_hashes import SecretKind
from tests.world import API, Answer, World, error

ASK = {"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}
"""Good at each of the endpoints, which ignore what they do not know (RFC 6749 §3.2)."""

BROKEN = (
    b"",
    b"Basic",
    b"Basic ",
    b"Basic !!!!",
    b"Basic YmFja2VuZA",  # without its padding
    b"Basic " + base64.b64encode(b"backend"),  # without a colon
    b"Basic " + base64.b64encode(b":secret"),
    b"Basic " + base64.b64encode(b"backend:"),
    b"Basic " + base64.b64encode(b"\xff\xfe:\xff"),
    b"Basic " + base64.b64encode(b"%ff%fe:%ff"),
    b"Basic " + base64.b64encode(b"back\0end:x"),
    b"Basic " + base64.b64encode(b"backend%00:x"),
    b"Bearer abc",
    b"Digest username=backend",
    b"caf\xe9",
)


def everywhere(world: World, form: dict[str, str] | None = None, **more: Any) -> list[Answer]:
    """Call each endpoint that authenticates clients."""
    endpoints = ("/oauth/token", "/oauth/introspect", "/oauth/revoke")
    return [world.post(endpoint, {**ASK, **(form or {})}, **more) for endpoint in endpoints]


def welcome(answers: list[Answer]) -> None:
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def refused(answers: list[Answer], name: str = "invalid_client", *, challenge: bool = False) -> None:
    for answer in answers:
        assert error(answer) == name
        assert answer.status_code == (401 if name == "invalid_client" else 400)
        assert answer.headers.get("WWW-Authenticate") == ('Basic realm="authserver"' if challenge else None)


def secret_of(world: World, client_id: str = "backend") -> str:
    return str(world.credentials["clients"][client_id]["client_secret"])


def basic(pair: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def register(world: World, client_id: str, secret: str, auth_method: str = "client_secret") -> None:
    now = world.clock.now()
    row = Client(
        client_id=client_id,
        name=client_id,
        auth_method=auth_method,
        grant_types=[GRANT_CLIENT_CREDENTIALS],
        ways=[],
        scopes=["accounts:read"],
        default_resources=[API],
        accepts_tokens_of=[],
        created_at=now,
    )
    with world.work() as work:
        work.lock()
        clients.add(work.session, row)
        secret_hash = world.wired.hasher.hash(SecretKind.CLIENT_SECRET, secret)
        clients.add_secret(work.session, client_id, secret_hash, now=now)


def test_client_authenticates_by_basic(world: World) -> None:
    welcome(everywhere(world))


def test_client_authenticates_by_secret_in_the_body(world: World) -> None:
    welcome(everywhere(world, {"client_id": "backend", "client_secret": secret_of(world)}, client=None))


def test_nobody_calls_without_a_good_secret(world: World) -> None:
    for form in (
        {},
        {"client_id": "backend"},
        {"client_secret": secret_of(world)},
        {"client_id": "backend", "client_secret": ""},
        {"client_id": "backend", "client_secret": "guess"},
        {"client_id": "nobody", "client_secret": "guess"},
    ):
        refused(everywhere(world, form, client=None))


def test_refused_basic_brings_its_challenge(world: World) -> None:
    """RFC 6749 §5.2: who tried the Authorization header gets WWW-Authenticate."""
    for client, secret in (("backend", "guess"), ("nobody", "guess"), ("other-backend", "")):
        refused(everywhere(world, client=None, headers=world.basic(client, secret)), challenge=True)


def test_broken_authorization_header_is_an_authentication_that_failed(world: World) -> None:
    for header in BROKEN:
        headers = {"Authorization": header.decode("latin-1")}
        refused(everywhere(world, client=None, headers=headers), challenge=True)


def test_one_clients_secret_is_not_anothers(world: World) -> None:
    headers = world.basic("backend", secret_of(world, "other-backend"))
    refused(everywhere(world, client=None, headers=headers), challenge=True)
    welcome(everywhere(world, client="other-backend"))


def test_basic_is_form_encoded(world: World) -> None:
    """RFC 6749 §2.3.1: id and secret are form-encoded before the colon joins them."""
    client_id, secret = "a b:c%ü", "p+q:r&s%"
    register(world, client_id, secret)
    encoded = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    welcome(everywhere(world, client=None, headers=basic(encoded)))
    raw = f"{client_id}:{secret}".encode()
    refused(everywhere(world, client=None, headers=basic(raw)), challenge=True)


def test_scheme_is_read_in_any_case(world: World) -> None:
    header = world.basic()["Authorization"].replace("Basic", "bASIC")
    welcome(everywhere(world, client=None, headers={"Authorization": header}))


def test_replaced_secret_works_until_it_runs_out(world: World) -> None:
    old, new = world.basic(), world.basic("backend", "another-secret")
    with world.work() as work:
        work.lock()
        now = world.clock.now()
        new_hash = world.wired.hasher.hash(SecretKind.CLIENT_SECRET, "another-secret")
        clients.add_secret(work.session, "backend", new_hash, now=now)
        clients.expire_secrets(work.session, "backend", at=now + 60, but=new_hash)
    world.clock.pass_(59)
    welcome(everywhere(world, client=None, headers=old))
    welcome(everywhere(world, client=None, headers=new))
    world.clock.pass_(1)
    refused(everywhere(world, client=None, headers=old), challenge=True)
    welcome(everywhere(world, client=None, headers=new))


def test_disabled_client_is_refused_at_once(world: World) -> None:
    welcome(everywhere(world))
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "backend", enabled=False)
    refused(everywhere(world), challenge=True)
    welcome(everywhere(world, client="other-backend"))


@pytest.mark.parametrize(
    ("client", "members"),
    [
        ("backend", ("client_secret",)),
        ("backend", ("client_id", "client_secret")),
        ("backend", ("client_assertion", "client_assertion_type")),
        (None, ("client_id", "client_secret", "client_assertion", "client_assertion_type")),
    ],
)
def test_two_methods_at_once_are_refused(world: World, client: str | None, members: tuple[str, ...]) -> None:
    """RFC 6749 §2.3: a client uses one method a request, though each by itself would do."""
    form = {
        "client_id": "backend",
        "client_secret": secret_of(world),
        "client_assertion": "e30.e30.e30",
        "client_assertion_type": CLIENT_ASSERTION_JWT,
    }
    refused(everywhere(world, {name: form[name] for name in members}, client=client), "invalid_request")


def test_client_id_beside_basic_must_be_the_same(world: World) -> None:
    welcome(everywhere(world, {"client_id": "backend"}))
    refused(everywhere(world, {"client_id": "other-backend"}), "invalid_request")


def test_client_of_another_method_has_no_secret(world: World) -> None:
    register(world, "key-holder", "a-secret", auth_method="private_key_jwt")
    refused(everywhere(world, client=None, headers=world.basic("key-holder", "a-secret")), challenge=True)
    refused(everywhere(world, {"client_id": "key-holder", "client_secret": "a-secret"}, client=None))


def test_unknown_client_and_wrong_secret_look_the_same(world: World) -> None:
    unknown = world.post("/oauth/token", ASK, client=None, headers=world.basic("nobody", "guess"))
    wrong = world.post("/oauth/token", ASK, client=None, headers=world.basic("backend", "guess"))
    assert unknown.text == wrong.text
    for answer in (unknown, wrong):
        answer.headers.remove("X-Request-Id")
    assert list(unknown.headers) == list(wrong.headers)
