"""The handoff to the device, and the device itself."""

from dataclasses import dataclass
from typing import ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class HandoffCreated(Event):
    """An actor asked for a device."""

    name: ClassVar[str] = "handoff:created"

    handoff_id: str
    actor: str
    app: str
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HandoffConfigured(Event):
    """The one configuration of a handoff was given out; `by` is `actor`, `config_secret` or `page`."""

    name: ClassVar[str] = "handoff:configured"

    handoff_id: str
    by: str
    jti: str | None
    """The token in it; None where it holds a code, or nothing because the value comes by deep link."""


@dataclass(frozen=True, kw_only=True)
class HandoffOpened(Event):
    """The actor's browser opened the embed page of a handoff, which can be done once."""

    name: ClassVar[str] = "handoff:opened"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    handoff_id: str
    actor: str
    session_id: str
    address: str


@dataclass(frozen=True, kw_only=True)
class HandoffStarted(Event):
    """The device of a handoff reported its session; `device_session` is what the vendor's own history calls it."""

    name: ClassVar[str] = "handoff:started"

    handoff_id: str
    app: str
    device_session: str | None


@dataclass(frozen=True, kw_only=True)
class HandoffClosed(Event):
    """The device of a handoff is closed; `by` is its actor, or `system` when its page fell silent. Instants are `_ms`.

    What was not reported is None.
    """

    name: ClassVar[str] = "handoff:closed"

    handoff_id: str
    by: str
    device_session: str | None
    requested_ms: int | None
    started_ms: int | None
    first_frame_ms: int | None
    app_launched_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, kw_only=True)
class HandoffCodeCreated(Event):
    """A one-time code was made for a device."""

    name: ClassVar[str] = "handoff-code:created"

    handoff_id: str
    family_id: str
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class HandoffCodeRedeemed(Event):
    """A code was redeemed, from this address; its tokens belong to its family."""

    name: ClassVar[str] = "handoff-code:redeemed"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    handoff_id: str
    family_id: str
    address: str
    jkt: str | None = None
    """The thumbprint of the key that its tokens are bound to (RFC 9449 §6.1); None for bearer tokens."""


@dataclass(frozen=True, kw_only=True)
class HandoffCodeReplayed(Event):
    """A code was presented again: every token of its family is revoked."""

    name: ClassVar[str] = "handoff-code:replayed"

    handoff_id: str
    family_id: str


@dataclass(frozen=True, kw_only=True)
class DeviceSessionEnded(Event):
    """The device of an impersonation was closed; unless one is opened again, the impersonation ends at an instant."""

    name: ClassVar[str] = "device_session:ended"

    actor: str
    by: str
    """Who reported it."""
    grace_until: int


@dataclass(frozen=True, kw_only=True)
class DeviceSessionReopened(Event):
    """The actor opened a device again, in time and without a new consent."""

    name: ClassVar[str] = "device_session:reopened"

    actor: str
