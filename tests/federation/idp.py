"""An issuer that does on command what no IdP does: its keys, documents and tokens are made here."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests_mock
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.world import START

IDP = "https://idp.example.com/realm"
JWKS = f"{IDP}/jwks"
DISCOVERY = f"{IDP}/.well-known/openid-configuration"
TOKEN = f"{IDP}/token"
AUTHORIZE = f"{IDP}/authorize"
USERINFO = f"{IDP}/userinfo"

_JSON = {"Content-Type": "application/json"}
_RSA = [RSAKey.generate_key(2048, private=True) for _ in range(2)]


@dataclass
class Idp:
    """An issuer whose clock, keys and answers a test sets."""

    issuer: str = IDP
    now: Callable[[], int] = lambda: START
    keys: dict[str | None, Any] = field(default_factory=lambda: {"k1": _RSA[0]})
    metadata: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": JWKS,
            "authorization_endpoint": AUTHORIZE,
            "token_endpoint": TOKEN,
            "userinfo_endpoint": USERINFO,
            **self.metadata,
        }

    def jwks(self) -> dict[str, Any]:
        return {
            "keys": [
                {**key.as_dict(private=False), **({"kid": kid} if kid else {}), "use": "sig"}
                for kid, key in self.keys.items()
            ]
        }

    def serve(self, mock: requests_mock.Mocker) -> None:
        mock.get(DISCOVERY, json=lambda *_: self.document(), headers=_JSON)
        mock.get(JWKS, json=lambda *_: self.jwks(), headers=_JSON)

    def rotate(self, kid: str | None = "k2") -> None:
        self.keys = {kid: _RSA[1]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return an ID token's claims; a change to None leaves a claim out."""
        now = self.now()
        claims = {
            "iss": self.issuer,
            "sub": "sub-1",
            "aud": "backend",
            "iat": now,
            "exp": now + 600,
            "auth_time": now - 5,
            "acr": "mfa",
            "amr": ["pwd", "otp"],
            "jti": "jti-1",
            "email": "agent@example.com",
            "email_verified": True,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """Sign claims with the first key; header members set to None are left out."""
        kid, own = next(iter(self.keys.items()))
        members = {"alg": "RS256", "typ": "JWT", "kid": kid, **header}
        return jws.serialize_compact(
            {name: value for name, value in members.items() if value is not None},
            json.dumps(claims).encode(),
            key or own,
            algorithms=[str(members["alg"])],
        )

    def token(self, **changes: Any) -> str:
        return self.sign(self.claims(**changes))


def settings(**changes: Any) -> dict[str, Any]:
    """Return an issuer of staff whose ID tokens `backend` may present; a change to None leaves a setting out."""
    values = {
        "issuer": IDP,
        "population": "staff",
        "provision": "link_verified_email",
        "acr": {"mfa": "urn:authserver:acr:mfa"},
        "presenters": [{"client": "backend"}],
        "client_id": "authserver",
        "client_secret": "s3cret+/%",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def hmac_key() -> OctKey:
    return OctKey.generate_key(256)


def ec_key() -> ECKey:
    return ECKey.generate_key("P-256", private=True)
