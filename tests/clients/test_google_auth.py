"""google-auth, as it is, against the running server: its STS client, and its external account credentials."""

# mypy: disallow-untyped-calls=False
# google-auth is only half typed.
import json
from pathlib import Path
from typing import Any

import pytest
from google.auth import identity_pool
from google.auth.exceptions import OAuthError
from google.auth.transport.requests import Request
from google.oauth2 import sts
from google.oauth2.utils import ClientAuthentication, ClientAuthType

from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_IMPERSONATION
from tests.clients.calling import api, introspect
from tests.conftest import Demo
from tests.world import API, REASON, claims


@pytest.fixture(params=[ClientAuthType.basic, ClientAuthType.request_body])
def client(request: pytest.FixtureRequest, demo: Demo) -> sts.Client:
    backend = demo.credentials["clients"]["backend"]
    authentication = ClientAuthentication(request.param, backend["client_id"], backend["client_secret"])
    return sts.Client(f"{demo.issuer}/oauth/token", authentication)


def exchange(client: sts.Client, **parameters: Any) -> dict[str, Any]:
    return dict(client.exchange_token(Request(), GRANT_TOKEN_EXCHANGE, **parameters))


def start(demo: Demo) -> dict[str, Any]:
    """Start an impersonation through the API, as the agent: `sts.Client` cannot give a reason."""
    agent, customer = demo.credentials["users"]["agent"], demo.credentials["users"]["customer"]
    body = {"subject": customer["id"], "resource": [API], **REASON, "client_id": "backend"}
    return api(demo, "POST", "/api/v1/impersonations", agent["access_token"], body)


def test_handle_becomes_the_customers_token(demo: Demo, client: sts.Client) -> None:
    """Way C."""
    users, started = demo.credentials["users"], start(demo)
    answer = exchange(
        client,
        subject_token=started["handle"],
        subject_token_type=TYPE_IMPERSONATION,
        actor_token=users["agent"]["access_token"],
        actor_token_type=TYPE_ACCESS_TOKEN,
        resource=API,
        requested_token_type=TYPE_ACCESS_TOKEN,
    )
    assert answer["issued_token_type"] == TYPE_ACCESS_TOKEN
    told = introspect(demo, answer["access_token"])
    assert told["active"]
    assert (told["sub"], told["act"]["sub"]) == (users["customer"]["id"], users["agent"]["id"])
    assert told["impersonation"]["id"] == started["id"]
    api(demo, "POST", f"/api/v1/impersonations/{started['id']}/end", users["agent"]["access_token"])
    assert introspect(demo, answer["access_token"]) == {"active": False}


def test_users_own_token_is_exchanged_on_their_behalf(demo: Demo, client: sts.Client) -> None:
    """Way D."""
    customer = demo.credentials["users"]["customer"]
    answer = exchange(
        client,
        subject_token=customer["access_token"],
        subject_token_type=TYPE_ACCESS_TOKEN,
        audience=API,
        scopes=["accounts:read"],
    )
    assert answer["scope"] == "accounts:read"
    told = introspect(demo, answer["access_token"])
    assert (told["sub"], told["act"]["sub"], told["aud"]) == (customer["id"], "backend", API)


def test_refusals_reach_the_caller_in_the_clients_own_words(demo: Demo, client: sts.Client) -> None:
    with pytest.raises(OAuthError, match="invalid_request"):
        exchange(client, subject_token="garbage", subject_token_type=TYPE_ACCESS_TOKEN)
    with pytest.raises(OAuthError, match="access_denied"):
        exchange(
            client,
            subject_token=start(demo)["handle"],
            subject_token_type=TYPE_IMPERSONATION,
            actor_token=demo.credentials["users"]["agent2"]["access_token"],
            actor_token_type=TYPE_ACCESS_TOKEN,
        )
    stranger = sts.Client(f"{demo.issuer}/oauth/token", ClientAuthentication(ClientAuthType.basic, "backend", "guess"))
    with pytest.raises(OAuthError, match="invalid_client"):
        exchange(stranger, subject_token="garbage", subject_token_type=TYPE_ACCESS_TOKEN)


def test_client_revokes_its_token(demo: Demo, client: sts.Client) -> None:
    customer = demo.credentials["users"]["customer"]["access_token"]
    token = exchange(client, subject_token=customer, subject_token_type=TYPE_ACCESS_TOKEN)["access_token"]
    assert introspect(demo, token)["active"]
    client.revoke_token(Request(), token, "access_token", f"{demo.issuer}/oauth/revoke")
    assert introspect(demo, token) == {"active": False}


@pytest.mark.parametrize("kind", ["text", "json"])
def test_external_account_gets_a_token_on_behalf_of_a_user(demo: Demo, tmp_path: Path, kind: str) -> None:
    """Way D: credentials as a configuration file describes them, the user's token read from a file."""
    customer, backend = demo.credentials["users"]["customer"], demo.credentials["clients"]["backend"]
    file = tmp_path / "token"
    as_json = {"format": {"type": "json", "subject_token_field_name": "token"}}
    file.write_text(customer["access_token"] if kind == "text" else json.dumps({"token": customer["access_token"]}))
    credentials = identity_pool.Credentials.from_info(
        {
            "type": "external_account",
            "audience": API,
            "subject_token_type": TYPE_ACCESS_TOKEN,
            "token_url": f"{demo.issuer}/oauth/token",
            "client_id": backend["client_id"],
            "client_secret": backend["client_secret"],
            "credential_source": {"file": str(file), **(as_json if kind == "json" else {})},
        },
        scopes=["accounts:read"],
    )
    credentials.refresh(Request())
    assert credentials.valid
    told = introspect(demo, credentials.token)
    assert (told["sub"], told["act"]["sub"], told["scope"]) == (customer["id"], "backend", "accounts:read")
    assert claims(credentials.token)["aud"] == API
    file.write_text("garbage" if kind == "text" else '{"token": "garbage"}')
    with pytest.raises(OAuthError, match="invalid_request"):
        credentials.refresh(Request())
