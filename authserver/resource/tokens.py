"""What a verified token says (RFC 9068 §2.2, RFC 8693 §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from authserver.resource.refusals import InvalidTokenError

_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `sub` at `iss`, and in `act` the one who acted before."""

    sub: str
    iss: str
    act: "Actor | None" = None

    @classmethod
    def parse(cls, claim: object, depth: int = 0) -> Self:
        """Read an `act` claim. Raises InvalidTokenError."""
        if not isinstance(claim, Mapping) or depth >= _MAX_DEPTH:
            raise InvalidTokenError("token.act")
        before = cls.parse(claim["act"], depth + 1) if "act" in claim else None
        return cls(_text(claim, "sub"), _text(claim, "iss"), before)


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The impersonation that a token belongs to; `override` is how policy was bypassed, if it was."""

    id: str
    mode: str
    ticket_id: str
    override: str | None = None

    @classmethod
    def parse(cls, claim: object) -> Self:
        """Read an `impersonation` claim. Raises InvalidTokenError."""
        if not isinstance(claim, Mapping):
            raise InvalidTokenError("token.impersonation")
        override = _text(claim, "override") if claim.get("override") is not None else None
        ticket_id = claim.get("ticket_id", "")
        if not isinstance(ticket_id, str):
            raise InvalidTokenError("token.impersonation")
        return cls(_text(claim, "id"), _text(claim, "mode"), ticket_id, override)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """A token that is genuine and meant for this resource server. `sub` is whose data may be seen, `act` who sees."""

    sub: str
    client_id: str
    scopes: frozenset[str]
    audience: frozenset[str]
    act: Actor | None
    impersonation: Impersonation | None
    jkt: str | None
    """The thumbprint of the key that it is bound to (RFC 9449 §6.1); None for a bearer token."""
    expires_at: int
    claims: Mapping[str, Any] = field(repr=False, hash=False, compare=False)
    """Everything that it says, for claims of the resource's own profile."""

    @classmethod
    def parse(cls, claims: Mapping[str, Any]) -> Self:
        """Read claims that are verified. Raises InvalidTokenError for what is not of the standard's shape."""
        expires_at, audience, scope = claims.get("exp"), claims.get("aud"), claims.get("scope", "")
        if type(expires_at) is not int or not isinstance(scope, str):
            raise InvalidTokenError("token.claims")
        audience = [audience] if isinstance(audience, str) else audience
        if not isinstance(audience, list) or not all(isinstance(entry, str) for entry in audience):
            raise InvalidTokenError("token.claims")
        impersonation = claims.get("impersonation")
        if impersonation is not None and "act" not in claims:
            raise InvalidTokenError("token.impersonation")
        return cls(
            sub=_text(claims, "sub"),
            client_id=_text(claims, "client_id"),
            scopes=frozenset(scope.split()),
            audience=frozenset(audience),
            act=Actor.parse(claims["act"]) if "act" in claims else None,
            impersonation=None if impersonation is None else Impersonation.parse(impersonation),
            jkt=_bound_to(claims["cnf"]) if "cnf" in claims else None,
            expires_at=expires_at,
            claims=MappingProxyType(dict(claims)),
        )

    @property
    def impersonated(self) -> bool:
        """Tell whether somebody else acts as `sub`."""
        return self.impersonation is not None

    @property
    def read_only(self) -> bool:
        """Tell whether nothing may be changed; a mode that is not known is the stricter one."""
        return self.impersonation is not None and self.impersonation.mode != "full"

    @property
    def actor(self) -> str | None:
        """The current actor's id: of the chain the outermost alone counts (RFC 8693 §4.1)."""
        return None if self.act is None else self.act.sub


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidTokenError("token.claims")
    return value


def _bound_to(claim: object) -> str:
    """Read a `cnf` claim; a confirmation that is not known here cannot be asked for, so it refuses (RFC 7800 §3.1)."""
    if not isinstance(claim, Mapping) or set(claim) != {"jkt"}:
        raise InvalidTokenError("token.confirmation")
    return _text(claim, "jkt")
