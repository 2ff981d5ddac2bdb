"""What every audit event has."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event has: a name `subject:verb`, a version, and the impersonation it belongs to."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    personal: ClassVar[frozenset[str]] = frozenset()

    impersonation_id: str | None = None
