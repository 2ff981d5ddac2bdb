"""How the OpenAPI document tells of proofs of possession (DPoP, RFC 9449)."""

from typing import Any

SCHEME = {
    "type": "http",
    "scheme": "DPoP",
    "description": "An access token that is bound to a key, with a proof by that key in the header DPoP (RFC 9449).",
}
_REDEMPTION = "/appetize/redeem"
_HOLDERS = (
    "/appetize/renew",
    "/api/v1/impersonations/{id}/end",
    "/api/v1/impersonations/{id}/actions",
    "/api/v1/impersonations/{id}/device",
)
"""Where the token of an impersonation is taken, which may be bound to a key."""
_PROOF = {
    "name": "DPoP",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 8192},
    "description": "A proof by the key that a token is bound to, for this very request (RFC 9449 §4).",
}


def describe_proofs(document: dict[str, Any]) -> None:
    """Add the scheme, and the header wherever a proof is taken."""
    document["components"]["securitySchemes"]["dpop"] = SCHEME
    for path in (_REDEMPTION, *_HOLDERS):
        operation = document["paths"][path]["post"]
        operation["parameters"] = [*operation.get("parameters", ()), _PROOF]
        if path != _REDEMPTION:
            operation["security"] = [*operation["security"], {"dpop": []}]
