"""What was changed: policy, people, clients, resources, keys and apps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class PolicyLoaded(Event):
    """A changed policy was taken up by a running server."""

    name: ClassVar[str] = "policy:loaded"

    policy_set: str
    before: str


@dataclass(frozen=True, kw_only=True)
class PolicyRefused(Event):
    """A changed policy was broken; the server keeps the set it had."""

    name: ClassVar[str] = "policy:refused"

    kept: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class UserChanged(Event):
    """A user was created, changed, disabled or enabled; `changes` has names of fields and flags, no personal value."""

    name: ClassVar[str] = "user:changed"

    user_id: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UsersImported(Event):
    """Many users were brought in at once; each that was created or changed has an event of its own before this one."""

    name: ClassVar[str] = "users:imported"

    by: str
    rows: int
    created: int
    changed: int
    unchanged: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class ClientChanged(Event):
    """A client was created, changed, disabled, enabled, or a secret of it made or revoked."""

    name: ClassVar[str] = "client:changed"

    client_id: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ResourceChanged(Event):
    """A resource server or its scopes were registered or changed."""

    name: ClassVar[str] = "resource:changed"

    uri: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class KeyChanged(Event):
    """A signing key was published, retired or revoked; `by` is who did it."""

    name: ClassVar[str] = "key:changed"
    personal: ClassVar[frozenset[str]] = frozenset({"remark"})

    kid: str
    use: str
    alg: str
    action: str
    by: str
    details: Mapping[str, Any] = field(default_factory=dict)
    remark: str | None = None
    """Why a rotation was forced."""


@dataclass(frozen=True, kw_only=True)
class AppChanged(Event):
    """An app that devices run was created, changed or disabled through the API; `settings` are those it has now."""

    name: ClassVar[str] = "app:changed"

    app: str
    action: str
    by: str
    enabled: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
