"""What happens to an impersonation, from the request to its end, and what is done while it lasts."""

from dataclasses import dataclass
from typing import ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class ImpersonationRequested(Event):
    """Somebody asked to act as a customer, and the request was taken up in `state`."""

    name: ClassVar[str] = "impersonation:requested"
    personal: ClassVar[frozenset[str]] = frozenset({"reason", "client_address", "session_address"})

    way: str
    actor: str
    subject: str
    client_id: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    mode: str
    reason: str
    reason_code: str
    ticket_id: str
    lifetime: int
    digest: str
    state: str
    policies: tuple[str, ...]
    policy_set: str
    consent_id: str | None
    client_address: str
    session_address: str
    override: str | None = None
    consent_way: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImpersonationActivated(Event):
    """It became active: from here on tokens may be minted until `expires_at`."""

    name: ClassVar[str] = "impersonation:activated"

    actor: str
    subject: str
    digest: str
    expires_at: int
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ImpersonationEnded(Event):
    """It came to its end: `state` is ended, denied, expired or revoked; `ended_by` who did it, `system` for a clock."""

    name: ClassVar[str] = "impersonation:ended"

    actor: str
    subject: str
    state: str
    end_reason: str
    ended_by: str


@dataclass(frozen=True, kw_only=True)
class ImpersonationExtended(Event):
    """Its life was extended: `lifetime` is the new total, `expires_at` the new end, `digest` what was decided on."""

    name: ClassVar[str] = "impersonation:extended"

    actor: str
    subject: str
    lifetime: int
    expires_at: int
    digest: str
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExtensionAsked(Event):
    """A longer life was asked for that waits for somebody: `state` names what for, as it does at a start."""

    name: ClassVar[str] = "extension:asked"

    actor: str
    subject: str
    lifetime: int
    digest: str
    state: str


@dataclass(frozen=True, kw_only=True)
class ActionsReported(Event):
    """Performed actions were reported; `digest` is SHA-256 (hex) over their canonical JSON, in the order of the ids."""

    name: ClassVar[str] = "actions:reported"

    reported_by: str
    count: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class ImpersonationsEnded(Event):
    """Somebody ended every open impersonation at once; each end has an event of its own besides."""

    name: ClassVar[str] = "impersonations:ended"
    personal: ClassVar[frozenset[str]] = frozenset({"reason"})

    by: str
    reason: str
    count: int
