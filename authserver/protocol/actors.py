"""The `act` and `may_act` claims (RFC 8693 §4.1 and §4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


class MalformedClaimError(ValueError):
    """An `act` or `may_act` claim that is not of the standard's shape."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One party in an act chain: `sub` at `iss`, and the actor before it."""

    sub: str
    iss: str
    before: "Actor | None" = None

    @classmethod
    def parse(cls, claim: object) -> Self:
        """Read an `act` claim; anything but an object with string `sub` and `iss` is malformed."""
        if not isinstance(claim, Mapping):
            raise MalformedClaimError
        sub, iss, before = claim.get("sub"), claim.get("iss"), claim.get("act")
        if not isinstance(sub, str) or not isinstance(iss, str) or set(claim) - {"sub", "iss", "act"}:
            raise MalformedClaimError
        return cls(sub, iss, None if before is None else cls.parse(before))

    def claim(self) -> dict[str, Any]:
        """Return the `act` claim: never `exp`, `aud` or a bare string (§4.1)."""
        claim: dict[str, Any] = {"sub": self.sub, "iss": self.iss}
        return claim if self.before is None else {**claim, "act": self.before.claim()}

    def depth(self) -> int:
        """Count the parties in the chain."""
        return 1 if self.before is None else 1 + self.before.depth()


@dataclass(frozen=True, slots=True)
class MayAct:
    """Who may become the actor (RFC 8693 §4.4)."""

    sub: str
    iss: str

    @classmethod
    def parse(cls, claim: object) -> Self:
        """Read a `may_act` claim; a malformed one raises, and so refuses."""
        if not isinstance(claim, Mapping):
            raise MalformedClaimError
        sub, iss = claim.get("sub"), claim.get("iss")
        if not isinstance(sub, str) or not isinstance(iss, str):
            raise MalformedClaimError
        return cls(sub, iss)

    def names(self, actor: Actor) -> bool:
        """Tell whether `actor` is the one named, by `iss` and `sub`."""
        return (self.iss, self.sub) == (actor.iss, actor.sub)
