"""People who sign in, by what, where else, and what they let applications do."""

from dataclasses import dataclass
from typing import ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    """A person signed in; `issuer` is where, None for an account of ours."""

    name: ClassVar[str] = "session:started"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    session_id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    issuer: str | None
    address: str


@dataclass(frozen=True, kw_only=True)
class SessionReauthenticated(Event):
    """A person who was signed in proved again who they are: from here on the session says so."""

    name: ClassVar[str] = "session:reauthenticated"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    session_id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    issuer: str | None
    address: str


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """A person's session came to its end."""

    name: ClassVar[str] = "session:ended"

    session_id: str
    user_id: str
    by: str


@dataclass(frozen=True, kw_only=True)
class CredentialChanged(Event):
    """A credential of a person was set, confirmed, replaced, used up or removed; `kind` says which sort."""

    name: ClassVar[str] = "credential:changed"

    user_id: str
    kind: str
    action: str
    by: str


@dataclass(frozen=True, kw_only=True)
class IdentityLinked(Event):
    """A trusted issuer's subject became somebody here: `how` is linked (by a verified address) or created."""

    name: ClassVar[str] = "identity:linked"
    personal: ClassVar[frozenset[str]] = frozenset({"sub"})

    user_id: str
    issuer: str
    sub: str
    how: str


@dataclass(frozen=True, kw_only=True)
class LogoutReceived(Event):
    """A trusted issuer said that somebody signed out there; `told` is what it named: `sid`, `sub` or both."""

    name: ClassVar[str] = "logout:received"

    issuer: str
    told: str
    sessions: tuple[str, ...]
    """The sessions that ended by it."""


@dataclass(frozen=True, kw_only=True)
class LogoutNotPassedOn(Event):
    """Somebody signed out here, and could not be sent on to sign out at the issuer where they had signed in."""

    name: ClassVar[str] = "logout:not_passed_on"

    session_id: str
    user_id: str
    issuer: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ApplicationAllowed(Event):
    """A person allowed a third-party client to have these scopes in their name."""

    name: ClassVar[str] = "application:allowed"

    user_id: str
    session_id: str
    client_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ApplicationWithdrawn(Event):
    """A person took back what they had allowed a client; what it had got by that is dead."""

    name: ClassVar[str] = "application:withdrawn"

    user_id: str
    session_id: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class DeviceRequested(Event):
    """A device asked for a person's tokens (RFC 8628); recorded when its person decides, whatever they decide."""

    name: ClassVar[str] = "device:requested"
    version: ClassVar[int] = 2
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    """What every token that comes of it belongs to."""
    client_id: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    address: str
    """Where the device asked from."""
    requested_at: int
    """When it asked, in seconds."""


@dataclass(frozen=True, kw_only=True)
class DeviceApproved(Event):
    """A person allowed a device to have these scopes in their name."""

    name: ClassVar[str] = "device:approved"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    client_id: str
    user_id: str
    session_id: str
    scopes: tuple[str, ...]
    address: str
    """Where the person's browser is."""


@dataclass(frozen=True, kw_only=True)
class DeviceDenied(Event):
    """A person refused what a device asked for."""

    name: ClassVar[str] = "device:denied"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    client_id: str
    user_id: str
    session_id: str
    address: str
