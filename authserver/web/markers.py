"""Signed proofs that travel in URLs and forms: of what this server asked a person to do, and when."""

import hmac
from collections.abc import Iterable

from authserver.clock import Clock
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_MARKER_SECONDS = 900

UNMET, STALE = "unmet", "stale"
"""An upstream issuer did not sign the person in as strongly, or as freshly, as the request wants."""


class Markers:
    """Signed proofs, in the URL, of what this server asked a person to do for one request, and when."""

    def __init__(self, hasher: SecretHasher, clock: Clock) -> None:
        """Sign under the server's pepper."""
        self._hasher = hasher
        self._clock = clock

    def make(self, kind: str, query: str) -> str:
        """Return a marker of `kind` for the request with this query."""
        now = self._clock.now()
        return f"{kind}.{now}.{self._sign(kind, now, query)}"

    def asked_at(self, kind: str, query: str, markers: Iterable[str]) -> int | None:
        """Return when the person was asked, by the newest genuine marker; None when they were not, or too long ago."""
        now, found = self._clock.now(), []
        for marker in markers:
            name, _, rest = marker.partition(".")
            text, _, signature = rest.partition(".")
            if name != kind or not (text.isascii() and text.isdigit() and len(text) < 12):  # noqa: PLR2004 - an instant
                continue
            genuine = hmac.compare_digest(self._sign(kind, int(text), query).encode(), signature.encode())
            if genuine and now - _MARKER_SECONDS <= int(text) <= now:
                found.append(int(text))
        return max(found, default=None)

    def prove(self, kind: str, value: str) -> str:
        """Return the proof that a value in a form of ours is ours."""
        return self._sign(kind, 0, value)

    def genuine(self, kind: str, value: str, proof: str) -> bool:
        """Tell whether a value came with its proof."""
        return hmac.compare_digest(self._sign(kind, 0, value).encode(), proof.encode())

    def _sign(self, kind: str, at: int, query: str) -> str:
        return self._hasher.hash(SecretKind.INTERACTION, f"{kind}.{at}.{query}")
