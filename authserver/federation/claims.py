"""Reading a trusted issuer's claims: each of its type, or the token proves nothing (RFC 7519 §4, RFC 8725 §3)."""

from collections.abc import Mapping
from typing import Any

from authserver.federation.refusals import UntrustworthyError

_MAX_SUB = 255
_MISSING: Any = object()


def instant(claims: Mapping[str, Any], name: str, default: int = _MISSING) -> int:
    """Return a NumericDate in whole seconds (RFC 7519 §2)."""
    value = claims.get(name, default)
    if type(value) not in {int, float} or not 0 <= value < 1 << 40:
        raise UntrustworthyError(f"foreign.claim:{name}")
    return int(value)


def text(claims: Mapping[str, Any], name: str, default: str) -> str:
    """Return a claim that is a text."""
    value = claims.get(name, default)
    if not isinstance(value, str):
        raise UntrustworthyError(f"foreign.claim:{name}")
    return value


def strings(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return a claim that is one text or several."""
    value = claims.get(name)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(item, str) and item for item in listed):
        raise UntrustworthyError(f"foreign.claim:{name}")
    return frozenset(listed)


def identifier(claims: Mapping[str, Any], name: str) -> str:
    """Return whom a token is about, or another identifier of such a form."""
    value = text(claims, name, "")
    if not 0 < len(value) <= _MAX_SUB or not value.isprintable():
        raise UntrustworthyError(f"foreign.claim:{name}")
    return value
