"""Where the console keeps its sessions: in the database, sealed, and found by the hash of a secret."""

import json
from dataclasses import dataclass
from typing import Any

from authserver.clock import Clock
from authserver.storage import console
from authserver.storage.database import unit_of_work
from authserver.storage.tables import ConsoleSession
from authserver.tokens.sealing import Sealer, UnsealError
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_KINDS = {"session": SecretKind.CONSOLE_SESSION, "sign_in": SecretKind.CONSOLE_SIGN_IN}
_PURPOSE = "console-session"
_MOST = {"sign_in": 5_000}
"""How many are kept of what strangers begin: whoever begins ever more crowds out sign-ins, and fills no disk."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept under a secret, and the version that a change has to name."""

    content: dict[str, Any]
    version: int


class ConsoleSessions:
    """Each verb is a unit of work of its own: the console holds nothing of the database while it asks the API."""

    def __init__(self, hasher: SecretHasher, sealer: Sealer, clock: Clock) -> None:
        """Seal and hash under the server's pepper."""
        self._hasher = hasher
        self._sealer = sealer
        self._clock = clock

    def create(self, kind: str, secret: str, content: dict[str, Any], *, seconds: int) -> None:
        """Keep content under a secret for so long, and forget what is too old."""
        id_hash, now = self._hash(kind, secret), self._clock.now()
        row = ConsoleSession(
            id_hash=id_hash,
            kind=kind,
            sealed=self._seal(id_hash, content),
            version=1,
            created_at=now,
            expires_at=now + seconds,
        )
        with unit_of_work() as work:
            work.lock()
            console.forget(work.session, before=now)
            console.add(work.session, row)
            if kind in _MOST:
                console.crowd_out(work.session, kind, keep=_MOST[kind])

    def read(self, kind: str, secret: str) -> Held | None:
        """Return what is kept under a secret; None when there is nothing, or nothing any more."""
        id_hash = self._hash(kind, secret)
        with unit_of_work() as work:
            row = console.find(work.session, kind, id_hash, now=self._clock.now())
        content = None if row is None else self._unseal(id_hash, row.sealed)
        return None if row is None or content is None else Held(content, row.version)

    def replace(self, kind: str, secret: str, content: dict[str, Any], *, version: int) -> bool:
        """Put new content in the place of what was read as `version`; False when somebody else was before."""
        id_hash = self._hash(kind, secret)
        sealed = self._seal(id_hash, content)
        with unit_of_work() as work:
            work.lock()
            return console.replace(work.session, kind, id_hash, sealed, version=version)

    def take(self, kind: str, secret: str) -> dict[str, Any] | None:
        """Take content away: it is given out once."""
        id_hash = self._hash(kind, secret)
        with unit_of_work() as work:
            work.lock()
            sealed = console.take(work.session, kind, id_hash, now=self._clock.now())
        return None if sealed is None else self._unseal(id_hash, sealed)

    def _hash(self, kind: str, secret: str) -> str:
        return self._hasher.hash(_KINDS[kind], secret)

    def _seal(self, id_hash: str, content: dict[str, Any]) -> str:
        return self._sealer.seal(_PURPOSE, id_hash, json.dumps(content).encode())

    def _unseal(self, id_hash: str, sealed: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._sealer.unseal(_PURPOSE, id_hash, sealed))
        except UnsealError:
            return None
        return found
