"""Tokens: issued and revoked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class TokenIssued(Event):
    """A token left: `way` is the grant, or A to F for an exchange."""

    name: ClassVar[str] = "token:issued"

    jti: str
    kind: str
    way: str
    client_id: str
    subject: str
    actor: str | None
    audience: tuple[str, ...]
    scopes: tuple[str, ...]
    kid: str
    expires_at: int
    details: Mapping[str, Any] = field(default_factory=dict)
    jkt: str | None = None
    """The thumbprint of the key that it is bound to (RFC 9449 §6.1)."""


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """A client revoked a token of its own (RFC 7009)."""

    name: ClassVar[str] = "token:revoked"

    jti: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class SessionTokenIssued(Event):
    """A client's page, at `origin`, got a short-lived token of who is signed in in the browser."""

    name: ClassVar[str] = "session-token:issued"

    session_id: str
    user_id: str
    client_id: str
    origin: str
    jti: str
