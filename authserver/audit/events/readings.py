"""Who read the trail, and who looked customers up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class TrailRead(Event):
    """Somebody read or exported the trail, or what is made of it; `how` says which."""

    name: ClassVar[str] = "trail:read"
    personal: ClassVar[frozenset[str]] = frozenset({"looked_for"})

    reader: str
    how: str
    query: Mapping[str, Any] = field(default_factory=dict)
    looked_for: str | None = None
    """Words that were searched for: they may name a person."""


@dataclass(frozen=True, kw_only=True)
class TrailVerified(Event):
    """Somebody had the whole trail verified by a server: how much there was, and how much did not fit."""

    name: ClassVar[str] = "trail:verified"

    by: str
    intact: bool
    events: int
    to_seq: int
    problems: int


@dataclass(frozen=True, kw_only=True)
class CustomersSearched(Event):
    """An agent looked for customers, and was shown `found` of them."""

    name: ClassVar[str] = "customers:searched"
    personal: ClassVar[frozenset[str]] = frozenset({"query"})

    actor: str
    client_id: str
    query: str
    count: int
    found: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CustomerPreviewed(Event):
    """An agent was shown a customer, and what asking to act as them would come to, by mode; nothing was started."""

    name: ClassVar[str] = "customer:previewed"

    actor: str
    subject: str
    client_id: str
    outcomes: Mapping[str, str]
