"""Metadata and keys (RFC 8414, OIDC Discovery §3, RFC 7517): true to what the server does."""

from collections.abc import Callable, Sequence

from flask import Response, json

from authserver.oauth.client_auth import METHODS
from authserver.oauth.parts import OAuthParts
from authserver.storage import resources
from authserver.storage.database import unit_of_work
from authserver.tokens.client_keys import ASSERTION_ALGS
from authserver.web.refusals import json_answer


def metadata(parts: OAuthParts, grant_types: Sequence[str]) -> Callable[[], Response]:
    """Return the view of both metadata documents."""
    issuer = parts.settings.issuer

    def document() -> Response:
        with unit_of_work() as work:
            scopes = sorted(resources.scopes_of(work.session))
            algs = sorted({str(key["alg"]) for key in parts.keyring.jwks(work.session)["keys"]})
        return json_answer(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth/token",
                "jwks_uri": f"{issuer}/oauth/jwks",
                "introspection_endpoint": f"{issuer}/oauth/introspect",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "grant_types_supported": list(grant_types),
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "scopes_supported": scopes,
                "id_token_signing_alg_values_supported": algs,
                **{
                    f"{endpoint}_endpoint_{key}": list(values)
                    for endpoint in ("token", "introspection", "revocation")
                    for key, values in (
                        ("auth_methods_supported", METHODS),
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
