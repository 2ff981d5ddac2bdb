"""Clients' own public keys (RFC 7523 §3)."""

import contextlib
from collections.abc import Mapping
from typing import Any, cast

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

ASSERTION_ALGS = ("ES256", "RS256", "PS256", "EdDSA")
"""What a client may sign its assertions with."""
_ASYMMETRIC = frozenset({"EC", "RSA", "OKP"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ELSEWHERE = frozenset({"x5u", "jku"})
_MAX_KEYS = 16
_MIN_RSA_BITS = 2048
_UNREADABLE = (JoseError, LookupError, TypeError, ValueError, RecursionError)


class UntrustworthyAssertionError(Exception):
    """An assertion that none of the client's keys signed."""


def signed_claims(unverified_assertion: str, jwks: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an assertion says that one of a client's keys signed, its claims not judged yet.

    A `kid` names the key; without one, which RFC 7515 §4.1.4 allows, any of the client's may have signed.
    """
    try:
        kid = jws.extract_compact(unverified_assertion.encode()).headers().get("kid")
        keys = [key for key in read_key_set(jwks).keys if kid in (None, key.kid)]
    except _UNREADABLE as error:
        raise UntrustworthyAssertionError from error
    for key in keys:
        with contextlib.suppress(*_UNREADABLE):
            return jwt.decode(unverified_assertion, key, algorithms=list(ASSERTION_ALGS)).claims
    raise UntrustworthyAssertionError


def read_key_set(jwks: Mapping[str, Any]) -> KeySet:
    """Read a client's JWK Set; raises ValueError or a JoseError for what is none."""
    return KeySet.import_key_set(cast("KeySetSerialization", jwks))


def check_public(jwks: object) -> dict[str, Any]:
    """Return a JWK Set of public keys that a client can be registered with (RFC 7517 §5); raises ValueError."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(jwks, dict) or not isinstance(keys, list) or not keys:
        raise ValueError("is no JWK Set with a key in it")
    if set(jwks) != {"keys"} or len(keys) > _MAX_KEYS:
        raise ValueError(f"holds something else than up to {_MAX_KEYS} keys")
    for key in keys:
        if not isinstance(key, dict) or str(key.get("kty")) not in _ASYMMETRIC:
            raise ValueError("holds something else than EC, RSA and OKP keys")
        if _ELSEWHERE & set(key):
            raise ValueError("names an address for its keys; this server fetches none, so give the keys themselves")
        if _PRIVATE & set(key):
            raise ValueError("holds a private key; give the public part alone, the private one stays with the client")
        if key["kty"] == "RSA" and len(str(key.get("n"))) * 6 < _MIN_RSA_BITS:
            raise ValueError(f"holds an RSA key of less than {_MIN_RSA_BITS} bits")
    try:
        read_key_set(jwks)
    except (JoseError, LookupError, TypeError, ValueError, RecursionError):
        raise ValueError("holds a key that cannot be read") from None
    return dict(jwks)
