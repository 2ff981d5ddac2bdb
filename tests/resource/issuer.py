"""An issuer that exists on paper: its metadata, its keys, its tokens, and what it answers about them."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import requests_mock
from joserfc import jws
from joserfc.jwk import ECKey, Key

from authserver.resource import ResourceServer

ISSUER = "https://login.example.com"
API = "https://api.example.com"
METADATA = f"{ISSUER}/.well-known/oauth-authorization-server"
INTROSPECT, KEYS = f"{ISSUER}/oauth/introspect", f"{ISSUER}/oauth/jwks"
ACTIONS = re.compile(f"^{ISSUER}/api/v1/impersonations/[a-z0-9_]+/actions$")
NOW = 1_800_000_000
ACT = {"sub": "usr_agent", "iss": ISSUER}
IMPERSONATION = {"id": "imp_1", "mode": "read_only", "ticket_id": "BANK-1042"}


@dataclass
class Paper:
    """What is served, and what was asked."""

    mock: requests_mock.Mocker
    keys: list[Key] = field(default_factory=lambda: [ECKey.generate_key("P-256", {"kid": "one"})])
    now: float = NOW
    servers: list[ResourceServer] = field(default_factory=list)

    def serve(self, **metadata: Any) -> "Paper":
        known = {"issuer": ISSUER, "introspection_endpoint": INTROSPECT, "jwks_uri": KEYS, **metadata}
        self.mock.get(METADATA, json=known)
        self.mock.post(ACTIONS, json={"accepted": 1, "known": 0})
        self.publish()
        return self

    def publish(self, **more: Any) -> None:
        shown = [{**key.as_dict(private=False), "use": "sig", "alg": "ES256", **more} for key in self.keys]
        self.mock.get(KEYS, json={"keys": [{"kty": "unheard of"}, *shown]})

    def server(self, **more: Any) -> ResourceServer:
        self.servers.append(ResourceServer(ISSUER, API, "the bank", "s:e+c", now=lambda: self.now, **more))
        return self.servers[-1]

    def sign(self, key: Key | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        key = key or self.keys[0]
        shown = {"typ": "at+jwt", "alg": "ES256", "kid": key.kid, **(header or {})}
        shown = {name: value for name, value in shown.items() if value is not None}
        return jws.serialize_compact(shown, json.dumps(claims(**changes)), key, algorithms=[shown["alg"]])

    def says(self, **changes: Any) -> None:
        """Answer every introspection with these claims; `active=False` with nothing else."""
        gone = changes.get("active") is False
        self.mock.post(INTROSPECT, json={"active": False} if gone else {"active": True, **claims(**changes)})

    def asked(self, url: str = INTROSPECT) -> int:
        return sum(request.url == url for request in self.mock.request_history)


def claims(**changes: Any) -> dict[str, Any]:
    """Return a plain token's claims; what is None is left out."""
    own = {
        "iss": ISSUER,
        "sub": "usr_customer",
        "aud": [ISSUER, API],
        "client_id": "backend",
        "scope": "accounts:read cards:write",
        "jti": "jti_1",
        "iat": NOW,
        "exp": NOW + 600,
    }
    return {name: value for name, value in {**own, **changes}.items() if value is not None}


def acting(mode: str = "read_only", **changes: Any) -> dict[str, Any]:
    """Return what an impersonation's token says besides."""
    return {"act": ACT, "impersonation": {**IMPERSONATION, "mode": mode}, **changes}
