"""A trusted issuer's public keys, and which of them a token was signed with (RFC 7517, RFC 8725 §3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authserver.federation.refusals import UnavailableError

PublicKey = RSAKey | ECKey | OKPKey

_MAX_KEYS = 64
_MIN_RSA_BITS = 2048
_FAMILIES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""Which kind of key, on which curve, each algorithm wants (RFC 7518 §3.1, RFC 8037 §3.1)."""
_PRIVATE_OR_SYMMETRIC = frozenset({"k", "d", "p", "q", "oth"})


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public key that an issuer signs with; `alg` is None where it does not say."""

    kid: str | None
    alg: str | None
    kind: tuple[str, str | None]
    key: PublicKey = field(repr=False, compare=False)

    def fits(self, alg: str) -> bool:
        """Tell whether tokens of this algorithm may be signed with it."""
        return self.kind == _FAMILIES.get(alg) and self.alg in {None, alg}


@dataclass(frozen=True, slots=True, eq=False)
class PublishedKeys:
    """An issuer's keys as it published them at one time."""

    keys: tuple[PublishedKey, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "PublishedKeys":
        """Read a JWK Set. Keys that are not for signing, secret or not understood are left out (RFC 7517 §5)."""
        listed = document.get("keys")
        if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
            raise UnavailableError("jwks.malformed")
        return cls(tuple(key for key in map(_published, listed) if key is not None))

    def select(self, kid: str | None, alg: str) -> PublishedKey | None:
        """Return the one key that a token names, or, where it names none, the only one that fits; else None."""
        fitting = [key for key in self.keys if key.fits(alg) and (kid is None or key.kid == kid)]
        return fitting[0] if len(fitting) == 1 else None


def _published(item: object) -> PublishedKey | None:
    if not isinstance(item, dict) or item.keys() & _PRIVATE_OR_SYMMETRIC or item.get("use", "sig") != "sig":
        return None
    operations = item.get("key_ops", ["verify"])
    kid, alg = item.get("kid"), item.get("alg")
    if not isinstance(operations, list) or "verify" not in operations or not _optional(kid) or not _optional(alg):
        return None
    try:
        key = jwk.import_key({name: item[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in item})
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    if isinstance(key, RSAKey):
        strong = key.public_key.key_size >= _MIN_RSA_BITS
        return PublishedKey(kid, alg, ("RSA", None), key) if strong else None
    if isinstance(key, ECKey | OKPKey):
        return PublishedKey(kid, alg, (str(item.get("kty")), str(item.get("crv"))), key)
    return None


def _optional(value: object) -> bool:
    return value is None or isinstance(value, str)
