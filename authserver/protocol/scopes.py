"""Scope algebra: what is asked, cut by everything that may cut it (RFC 6749 §3.3, design section 3)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """A registered scope: it belongs to one resource and reads or writes."""

    name: str
    resource: str
    access: Literal["read", "write"]
    non_delegable: bool = False


def parse_scope(text: str) -> tuple[str, ...]:
    """Split a `scope` parameter into distinct tokens in their order; raise ValueError on foreign characters."""
    names = tuple(dict.fromkeys(name for name in text.split(" ") if name))
    if any(_SCOPE_TOKEN.fullmatch(name) is None for name in names):
        msg = "not a scope"
        raise ValueError(msg)
    return names


def join_scope(names: Iterable[str]) -> str:
    """Write scope tokens as the `scope` parameter has them."""
    return " ".join(names)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Everything that bounds a delegated grant. `None` bounds nothing."""

    client: frozenset[str]
    target: frozenset[str]
    subject_token: frozenset[str] | None = None
    read_only: bool = False

    def admits(self, scope: Scope) -> bool:
        """Tell whether `scope` may be delegated: a `non_delegable` one never is."""
        return (
            not scope.non_delegable
            and scope.name in self.client
            and scope.name in self.target
            and (self.subject_token is None or scope.name in self.subject_token)
            and (not self.read_only or scope.access == "read")
        )


def cut(asked: Iterable[Scope], ceiling: Ceiling) -> tuple[str, ...]:
    """Return the names of the scopes that are granted, in the order asked."""
    return tuple(scope.name for scope in asked if ceiling.admits(scope))
