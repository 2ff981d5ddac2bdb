"""A trusted issuer's token once it is verified. Only `verification.py` makes one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authserver.protocol.actors import MayAct
from authserver.protocol.names import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignToken:
    """A genuine token of a trusted issuer that is valid at this moment; `acr` is in our words, by the mapping."""

    name: str
    """The issuer's name in the settings."""
    issuer: str
    population: Population
    sub: str
    audience: frozenset[str]
    issued_to: frozenset[str]
    """The client that it was issued to, in the issuer's words, where it says so (`azp`, `client_id`)."""
    issued_at: int
    expires_at: int
    auth_time: int
    """When the person proved who they are; 0 when that is not known, which no policy on age accepts."""
    acr: str
    amr: tuple[str, ...]
    jti: str | None
    carries_act: bool
    may_act: MayAct | None
    fingerprint: str
    """SHA-256 of the token."""
    claims: Mapping[str, Any] = field(repr=False, hash=False)

    @property
    def sid(self) -> str | None:
        """What the issuer calls its session (OIDC Front-Channel Logout §3), where it says so in a word we can keep."""
        sid = self.claims.get("sid")
        return sid if isinstance(sid, str) and 0 < len(sid) <= 255 and "\0" not in sid else None  # noqa: PLR2004 - our column

    @property
    def login(self) -> str:
        """What tells one sign-in at the issuer from another: tokens of the same one share a session here."""
        sid = self.claims.get("sid")
        known = sid if isinstance(sid, str) and sid else None
        rest = [] if known or self.auth_time else [self.jti, self.fingerprint]
        return json.dumps([self.issuer, self.sub, known, self.auth_time, self.acr, *rest])

    def claim(self, path: str) -> object:
        """Return a claim by its name, or by a path such as `realm_access.roles`."""
        if path in self.claims:
            return self.claims[path]
        value: object = self.claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def text(self, path: str) -> str:
        """Return a claim that is a short text, without surrounding space; empty when it is none."""
        value = self.claim(path)
        if not isinstance(value, str) or len(value) > 255 or not value.isprintable():  # noqa: PLR2004 - our columns
            return ""
        return value.strip()
