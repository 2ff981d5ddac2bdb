"""One resource server: verifies the tokens that are sent to it, and reports what was done with them."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import requests

from authserver.resource import sources
from authserver.resource.introspection import Introspection
from authserver.resource.offline import Offline
from authserver.resource.proofs import PresentedProof, Proofs, UseProof
from authserver.resource.published import Published
from authserver.resource.refusals import InvalidTokenError, UnavailableError
from authserver.resource.reports import Action, Outcome, Reports
from authserver.resource.tokens import VerifiedToken
from authserver.resource.transport import Limits, Transport

Mode = Literal["introspect", "offline"]
_MAX_TOKEN = 16_384
_AGAIN = frozenset({408, 429})
_NOT_LET_IN = frozenset({401, 403})
_LATE = frozenset({404, 409})
_log = logging.getLogger(__name__)


class ResourceServer:
    """Verifies and reports for one resource. Every thread may use it; nothing is asked before it is needed."""

    def __init__(  # noqa: PLR0913 - one parameter a setting
        self,
        issuer: str,
        resource: str,
        client_id: str,
        client_secret: str,
        *,
        mode: Mode = "introspect",
        cache_seconds: float = 0,
        session: Callable[[], requests.Session] = requests.Session,
        limits: Limits | None = None,
        now: Callable[[], float] = sources.now,
        public_url: str | None = None,
        use_proof: UseProof | None = None,
        on_drop: Callable[[str, int], None] | None = None,
    ) -> None:
        """Serve `resource`, which the client owns at `issuer`.

        `introspect` asks about every token; `offline` verifies plain tokens by the published keys, and asks about
        those with `act` all the same. `cache_seconds` keeps the yes to a plain token. `session` makes a session a
        thread, for a proxy or a CA of one's own. `public_url` is where clients see the
        application, for proofs of possession; by default that is `resource`. `use_proof` uses a proof up for every
        process, instead of this one alone. `on_drop` is told why how many reports were given up.
        """
        if mode not in {"introspect", "offline"}:
            raise ValueError("mode is introspect or offline")
        self.issuer = issuer
        self.resource = resource
        self.public_url = public_url or resource
        self.now = now
        self._proofs = Proofs(now, use_proof)
        self._client = (client_id, client_secret)
        self._transport = Transport(issuer, session, limits or Limits())
        published = Published(issuer, self._transport)
        self._offline = Offline(issuer, resource, published, now) if mode == "offline" else None
        self._introspection = Introspection(
            issuer, resource, self._client, published, self._transport, cache_seconds=cache_seconds, now=now
        )
        self.reports = Reports(self._send, on_drop=on_drop)

    def verify(self, unverified_token: str, proof: PresentedProof | None = None) -> VerifiedToken:
        """Return what a token says that may be used here. Raises InvalidTokenError or UnavailableError.

        One that is bound to a key wants a proof (InvalidProofError where that is no good), and no other one takes one.
        """
        if not unverified_token.isascii() or not 0 < len(unverified_token) <= _MAX_TOKEN:
            raise InvalidTokenError("token.malformed")
        token = VerifiedToken.parse(self._claims(unverified_token))
        if (token.jkt is None) != (proof is None):
            raise InvalidTokenError("token.bound" if proof is None else "token.not_bound")
        if token.jkt is not None and proof is not None:
            self._proofs.check(proof, unverified_token, token.jkt)
        return token

    def _claims(self, unverified_token: str) -> Mapping[str, Any]:
        if self._offline is not None:
            claims = self._offline.claims(unverified_token)
            if "act" not in claims and "impersonation" not in claims:
                return claims
        return self._introspection.claims(unverified_token)

    def report(self, token: VerifiedToken, kind: str, **details: str | int | bool | None) -> None:
        """Queue one performed action of an impersonation; without one there is nothing to report.

        Give names and numbers of what was touched, never what somebody typed or saw. Never blocks.
        """
        if token.impersonation is not None:
            action = Action.of(sources.identifier(), kind, self.now(), details)
            self.reports.add(token.impersonation.id, action)

    def _send(self, impersonation_id: str, batch: list[dict[str, Any]]) -> Outcome:
        """Report a batch; a report that got lost on its way is sent again, and counts once by its ids."""
        url = f"{self.issuer}/api/v1/impersonations/{quote(impersonation_id, safe='')}/actions"
        try:
            answer = self._transport.post(url, self._client, json={"actions": batch})
        except UnavailableError:
            return Outcome.AGAIN
        if answer.status == 200:  # noqa: PLR2004 - OK
            return Outcome.TAKEN
        if answer.status in _NOT_LET_IN:
            _log.error("reports wait: the issuer answers %d to client %s", answer.status, self._client[0])
            return Outcome.AGAIN
        if answer.status in _LATE:
            return Outcome.LATE
        return Outcome.AGAIN if answer.status in _AGAIN else Outcome.REFUSED
