"""What the console rests on; it is given all of it, for it imports nothing of the server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flask import Blueprint

from authserver.console.api_client import ApiClient


class Held(Protocol):
    """What is kept under a secret, and the version that a change has to name."""

    @property
    def content(self) -> dict[str, Any]:
        """What is kept, as JSON."""

    @property
    def version(self) -> int:
        """Counts the changes."""


class Store(Protocol):
    """Keeps what must not reach a browser: `kind` is `session` or `sign_in`, the secret is what the browser has."""

    def create(self, kind: str, secret: str, content: dict[str, Any], *, seconds: int) -> None:
        """Keep content under a secret for so long."""

    def read(self, kind: str, secret: str) -> Held | None:
        """Return what is kept."""

    def replace(self, kind: str, secret: str, content: dict[str, Any], *, version: int) -> bool:
        """Put new content in the place of what was read as `version`; False when somebody else was before."""

    def take(self, kind: str, secret: str) -> dict[str, Any] | None:
        """Take content away: it is given out once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """The issuer, the client that the console is there, and where it keeps its sessions."""

    issuer: str
    client_id: str
    client_secret: Callable[[], str]
    """Gives the secret as it is now."""
    api: ApiClient
    store: Store
    session_seconds: int
    link_origins: frozenset[str]
    max_streams: int
    now: Callable[[], int]
    """Gives seconds since the epoch."""
    token: Callable[[], str]
    """Gives 256 random bits as text."""
    refused: Callable[[str, str], None]
    """Is told the reason of each refusal of the console's own, and the person's id, empty for a stranger."""
    serve: Callable[[Blueprint, Path], Callable[[str], str]]
    """Has a blueprint serve a folder of assets at `/static/<name>`, and returns what gives their addresses."""

    @property
    def secure(self) -> bool:
        """Tell whether cookies are for encrypted connections alone."""
        return self.issuer.startswith("https://")
