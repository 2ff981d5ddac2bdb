"""Proofs of possession as a client makes them (RFC 9449 §4.2), and badly made ones."""

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

_MADE: dict[str, Callable[[], Key]] = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "PS256": lambda: RSAKey.generate_key(2048),
    "RS256": lambda: RSAKey.generate_key(2048),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
ALGS = tuple(_MADE)
_numbers = itertools.count()


@dataclass
class Holder:
    """Somebody with a key."""

    alg: str = "ES256"
    key: Key = field(default_factory=_MADE["ES256"])

    @classmethod
    def of(cls, alg: str) -> "Holder":
        return cls(alg, _MADE[alg]())

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False))

    def proof(
        self,
        url: str,
        now: float,
        *,
        method: str = "POST",
        token: str | None = None,
        header: dict[str, Any] | None = None,
        **said: Any,
    ) -> str:
        """Return a proof; what is None is left out, of the header as of the claims."""
        claims = {"jti": f"proof-{next(_numbers)}", "htm": method, "htu": url, "iat": int(now)}
        if token is not None:
            claims["ath"] = ath(token)
        shown = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.public, **(header or {})}
        return signed(_present(shown), _present({**claims, **said}), self.key, self.alg)


def signed(header: Any, claims: Any, key: Key, alg: str) -> str:
    """Sign whatever header and claims, as no library would."""
    said = f"{_encoded(header)}.{_encoded(claims)}"
    signature = JWSRegistry.algorithms[alg].sign(said.encode(), key)
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def ath(token: str) -> str:
    """Return a token's hash (§4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
