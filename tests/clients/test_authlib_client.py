"""Authlib's `OAuth2Session` against the running server."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, Key, RSAKey

from authserver import settings as settings_module
from authserver.app import create_app
from authserver.protocol.names import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_TOKEN_EXCHANGE,
    TYPE_ACCESS_TOKEN,
    TYPE_ID_TOKEN,
    TYPE_USER_ID,
)
from authserver.storage import clients
from authserver.storage.database import db, unit_of_work
from authserver.storage.tables import Client
from tests.clients.calling import TIMEOUT, introspect
from tests.conftest import Demo
from tests.world import API, REASON, claims

METHODS = ("client_secret_basic", "client_secret_post")
KEYS: dict[str, Key] = {"ES256": ECKey.generate_key("P-256"), "RS256": RSAKey.generate_key(2048)}


@pytest.fixture(params=METHODS)
def session(request: pytest.FixtureRequest, demo: Demo) -> Iterator[OAuth2Session]:
    with new_session(demo, request.param) as session:
        yield session


def new_session(demo: Demo, method: str = METHODS[0], client: str = "backend") -> OAuth2Session:
    known = demo.credentials["clients"][client]
    return OAuth2Session(
        known["client_id"],
        known["client_secret"],
        token_endpoint=f"{demo.issuer}/oauth/token",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )


def exchange(session: OAuth2Session, **parameters: Any) -> dict[str, Any]:
    return dict(session.fetch_token(grant_type=GRANT_TOKEN_EXCHANGE, resource=API, **{**REASON, **parameters}))


def test_client_credentials(demo: Demo, session: OAuth2Session) -> None:
    token = session.fetch_token(scope="accounts:read")
    assert (token["token_type"], token["scope"]) == ("Bearer", "accounts:read")
    assert introspect(demo, token["access_token"])["sub"] == "backend"
    assert not token.is_expired()


@pytest.mark.parametrize(("kind", "name"), [("access_token", TYPE_ACCESS_TOKEN), ("id_token", TYPE_ID_TOKEN)])
def test_exchange_by_user_id(demo: Demo, session: OAuth2Session, kind: str, name: str) -> None:
    """Way A, the agent shown by either of their tokens."""
    agent, customer = demo.credentials["users"]["agent"], demo.credentials["users"]["customer"]
    token = exchange(
        session,
        subject_token=customer["id"],
        subject_token_type=TYPE_USER_ID,
        actor_token=agent[kind],
        actor_token_type=name,
    )
    told = introspect(demo, token["access_token"])
    assert (told["sub"], told["act"]["sub"]) == (customer["id"], agent["id"])
    assert told["impersonation"]["id"] == token["impersonation_id"]


def test_exchange_of_the_agents_own_token(demo: Demo, session: OAuth2Session) -> None:
    """Way B, the life as asked."""
    agent, customer = demo.credentials["users"]["agent"], demo.credentials["users"]["customer"]
    token = exchange(
        session,
        subject_token=agent["access_token"],
        subject_token_type=TYPE_ACCESS_TOKEN,
        requested_subject=customer["id"],
        requested_expires_in="120",
    )
    assert token["expires_in"] <= 120
    said = claims(token["access_token"])
    assert (said["sub"], said["act"]["sub"]) == (customer["id"], agent["id"])


def test_refusals_are_authlibs_own_errors(demo: Demo, session: OAuth2Session) -> None:
    users = demo.credentials["users"]
    own = {"subject_token": users["agent"]["access_token"], "subject_token_type": TYPE_ACCESS_TOKEN}
    with pytest.raises(OAuthError, match="access_denied"):
        exchange(session, **own, requested_subject=users["lead"]["id"])
    with pytest.raises(OAuthError, match="invalid_request"):
        exchange(session, **{**own, "subject_token": "garbage"}, requested_subject=users["customer"]["id"])
    with pytest.raises(OAuthError, match="consent_required") as caught:
        exchange(session, **own, requested_subject=users["customer-ask"]["id"])
    assert caught.value.description
    with new_session(demo, client="other-backend") as other, pytest.raises(OAuthError, match="unauthorized_client"):
        exchange(other, **own, requested_subject=users["customer"]["id"])


def test_introspection_and_revocation(demo: Demo, session: OAuth2Session) -> None:
    token = session.fetch_token()["access_token"]

    def ask() -> dict[str, Any]:
        answer = session.introspect_token(f"{demo.issuer}/oauth/introspect", token=token)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    assert ask() == {"active": True, **claims(token), "token_type": "Bearer"}
    revoked = session.revoke_token(  # type: ignore[no-untyped-call]  # its stubs leave it out
        f"{demo.issuer}/oauth/revoke", token=token, token_type_hint="refresh_token"
    )
    assert (revoked.status_code, revoked.text) == (200, "")
    assert ask() == {"active": False}


@pytest.fixture(scope="module")
def keyed(demo: Demo) -> str:
    """Register a client with keys in the running demo's database; return its id."""
    client_id = "key-holder"
    files = [settings_module.config_folder() / "demo.toml", demo.folder / "settings.toml"]
    app = create_app(settings_module.load(files, {}))
    with app.app_context():
        with unit_of_work() as work:
            work.lock()
            row = Client(
                client_id=client_id,
                name=client_id,
                auth_method="private_key_jwt",
                jwks={"keys": [key.as_dict(private=False) for key in KEYS.values()]},
                grant_types=[GRANT_CLIENT_CREDENTIALS],
                ways=[],
                scopes=["accounts:read"],
                default_resources=[API],
                accepts_tokens_of=[],
                created_at=0,
            )
            clients.add(work.session, row)
        db.session.remove()
        db.engine.dispose()
    return client_id


@pytest.mark.parametrize("alg", KEYS)
def test_private_key_jwt(demo: Demo, keyed: str, alg: str) -> None:
    """As Authlib writes it by default, but for `aud`, which is the issuer here."""
    endpoint = f"{demo.issuer}/oauth/token"
    with OAuth2Session(keyed, KEYS[alg], token_endpoint_auth_method="private_key_jwt") as session:
        session.register_client_auth_method(PrivateKeyJWT(demo.issuer, alg=alg))
        session.fetch_token(endpoint, grant_type=GRANT_CLIENT_CREDENTIALS)
        token = session.fetch_token(endpoint, grant_type=GRANT_CLIENT_CREDENTIALS)  # by another `jti`
        assert introspect(demo, token["access_token"])["sub"] == keyed
        told = session.introspect_token(f"{demo.issuer}/oauth/introspect", token=token["access_token"])
        assert told.json()["active"]


def test_private_key_jwt_for_the_endpoint_is_refused(demo: Demo, keyed: str) -> None:
    endpoint = f"{demo.issuer}/oauth/token"
    with OAuth2Session(keyed, KEYS["ES256"], token_endpoint_auth_method="private_key_jwt") as session:
        session.register_client_auth_method(PrivateKeyJWT(endpoint, alg="ES256"))
        with pytest.raises(OAuthError, match="invalid_client"):
            session.fetch_token(endpoint, grant_type=GRANT_CLIENT_CREDENTIALS)


def test_no_secret_is_in_what_the_demo_printed(demo: Demo) -> None:
    """After exchanges, refusals and revocations: neither its story nor its log holds a credential."""
    backend = demo.credentials["clients"]["backend"]
    users = demo.credentials["users"]
    known = [client["client_secret"] for client in demo.credentials["clients"].values()]
    known += [user[kind] for user in users.values() for kind in ("access_token", "id_token") if user[kind]]
    with new_session(demo) as session:
        own = {"subject_token": users["agent"]["access_token"], "subject_token_type": TYPE_ACCESS_TOKEN}
        token = exchange(session, **own, requested_subject=users["customer"]["id"])
        known += [token["access_token"], token["impersonation"], session.fetch_token()["access_token"]]
        with pytest.raises(OAuthError):
            exchange(session, **own, requested_subject=backend["client_secret"])
    requests.get(f"{demo.issuer}/{known[0]}", params={"client_secret": known[0]}, timeout=TIMEOUT)
    printed = (demo.folder / "output.txt").read_text()
    assert "authserver answers at" in printed
    for value in known:
        assert value not in printed
        assert value.rpartition(".")[2] not in printed
    assert "Traceback" not in printed
