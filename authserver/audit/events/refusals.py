"""What was refused: to callers, to strangers, and at sign-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class RequestRefused(Event):
    """An authenticated caller was refused: the public `error`, and the private `reason`."""

    name: ClassVar[str] = "request:refused"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    endpoint: str
    error: str
    reason: str
    client_id: str | None
    actor: str | None
    way: str | None
    target: str | None
    """The target as it was asked for: a user id of ours, or None for anything that is not one."""
    policies: tuple[str, ...]
    address: str


@dataclass(frozen=True, kw_only=True)
class StrangersRefused(Event):
    """Unauthenticated requests from one address in one minute that were refused."""

    name: ClassVar[str] = "strangers:refused"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    address: str
    minute: int
    """The minute, in whole minutes since the epoch."""
    count: int
    reasons: Mapping[str, int]
    """How often each private reason occurred."""
    client_ids: tuple[str, ...]
    """Up to five of the client ids that were tried, each cut to 64 printable ASCII characters."""


@dataclass(frozen=True, kw_only=True)
class SignInFailed(Event):
    """Somebody failed to sign in; `user_id` is None where there is no such account."""

    name: ClassVar[str] = "sign-in:failed"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    user_id: str | None
    reason: str
    address: str


REFUSALS = (RequestRefused.name, StrangersRefused.name, SignInFailed.name)
"""The events of what was refused: to callers, to strangers, and at sign-in."""
