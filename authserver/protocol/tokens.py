"""Verified tokens: what the verifier vouches for. Only `tokens/` and `federation/` make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authserver.protocol.actors import Actor, MayAct
from authserver.protocol.names import Kind


@dataclass(frozen=True, slots=True)
class Authentication:
    """How and when a person proved who they are: the session behind a token."""

    session_id: str
    auth_time: int
    acr: str
    address: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A genuine token of ours that is alive at this moment.

    `user_id` is None for a client's own token. `sub` is what the token says, which a resource's
    profile may have made another identifier than `user_id`.
    """

    kind: Kind
    jti: str
    sub: str
    client_id: str
    user_id: str | None
    audience: frozenset[str]
    scope: frozenset[str]
    issued_at: int
    expires_at: int
    act: Actor | None
    may_act: MayAct | None
    impersonation_id: str | None
    family_id: str | None
    """The authorization that it came of, with which it dies."""
    jkt: str | None
    """The thumbprint of the key that it is bound to (RFC 9449 §6); None for a bearer token."""
    authentication: Authentication | None
    """The session behind the token: for an impersonation's tokens, its actor's."""
    claims: Mapping[str, Any] = field(repr=False, hash=False)
