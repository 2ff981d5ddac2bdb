"""Clients' own public keys (RFC 7523 §3)."""

from collections.abc import Mapping
from typing import Any, cast

from joserfc.jwk import KeySet, KeySetSerialization


def read_key_set(jwks: Mapping[str, Any]) -> KeySet:
    """Read a client's JWK Set; raises ValueError or a JoseError for what is none."""
    return KeySet.import_key_set(cast("KeySetSerialization", jwks))
