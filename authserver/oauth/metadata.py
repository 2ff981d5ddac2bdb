"""Metadata and keys (RFC 8414, OIDC Discovery §3, RFC 7517): true to what the server does."""

from collections.abc import Callable, Sequence

from flask import Response, json

from authserver.accounts.authentication import ACR_VALUES
from authserver.oauth.client_auth import METHODS, PUBLIC
from authserver.oauth.parts import OAuthParts
from authserver.storage import resources
from authserver.storage.database import unit_of_work
from authserver.tokens.client_keys import ASSERTION_ALGS
from authserver.tokens.dpop import DPOP_ALGS
from authserver.web.refusals import json_answer

_AUTH_METHODS = {"token": (*METHODS, PUBLIC), "introspection": METHODS, "revocation": (*METHODS, PUBLIC)}
_ID_TOKEN_ALGS = ("RS256", "ES256", "PS256", "EdDSA")
_PROFILE = ("sub", "name", "preferred_username", "locale", "zoneinfo", "email", "email_verified")
_CLAIMS = (*_PROFILE, "auth_time", "acr", "amr", "sid")


def metadata(parts: OAuthParts, grant_types: Sequence[str]) -> Callable[[], Response]:
    """Return the view of both metadata documents."""
    issuer = parts.settings.issuer

    def document() -> Response:
        with unit_of_work() as work:
            scopes = sorted(resources.scopes_of(work.session))
            published = {key["alg"] for key in parts.keyring.jwks(work.session)["keys"]}
        return json_answer(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/oauth/authorize",
                "userinfo_endpoint": f"{issuer}/oauth/userinfo",
                "end_session_endpoint": f"{issuer}/oauth/logout",
                "token_endpoint": f"{issuer}/oauth/token",
                "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
                "jwks_uri": f"{issuer}/oauth/jwks",
                "introspection_endpoint": f"{issuer}/oauth/introspect",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "grant_types_supported": list(grant_types),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "code_challenge_methods_supported": ["S256"],
                "prompt_values_supported": ["none", "login", "consent", "select_account"],
                "authorization_response_iss_parameter_supported": True,
                "request_parameter_supported": False,
                "request_uri_parameter_supported": False,
                "claims_supported": list(_CLAIMS),
                "acr_values_supported": list(ACR_VALUES),
                "dpop_signing_alg_values_supported": list(DPOP_ALGS),
                "subject_types_supported": ["public"],
                "scopes_supported": scopes,
                "id_token_signing_alg_values_supported": [alg for alg in _ID_TOKEN_ALGS if alg in published],
                **{
                    f"{endpoint}_endpoint_{key}": list(values)
                    for endpoint, methods in _AUTH_METHODS.items()
                    for key, values in (
                        ("auth_methods_supported", methods),
                        ("auth_signing_alg_values_supported", ASSERTION_ALGS),
                    )
                },
            }
        )

    return document


def jwks(parts: OAuthParts) -> Response:
    """Return the public keys; a client may keep them for a while, for a key is published before it signs."""
    with unit_of_work() as work:
        keys = parts.keyring.jwks(work.session)
    response = Response(json.dumps(keys), content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={min(300, parts.settings.keys.publish_seconds)}"
    return response
