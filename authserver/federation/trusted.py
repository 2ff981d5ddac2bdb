"""The trusted issuers: whose tokens count beside ours, and who may present them (design section 3 "Evidence")."""

from collections.abc import Callable
from dataclasses import dataclass

from authserver.clock import Clock
from authserver.federation.cache import Cached, Spawn, Times, spawn
from authserver.federation.discovery import Metadata, fetch_metadata
from authserver.federation.foreign import ForeignToken
from authserver.federation.jwks import PublishedKeys
from authserver.federation.refusals import UnavailableError, UntrustworthyError
from authserver.federation.transport import Transport
from authserver.federation.verification import Unverified, Verification
from authserver.protocol.actors import Actor
from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT
from authserver.settings import SettingsError
from authserver.settings_federation import Federation, Presenter, TrustedIssuer

_KINDS = {TYPE_ACCESS_TOKEN: "access_token", TYPE_ID_TOKEN: "id_token", TYPE_JWT: "jwt"}


@dataclass(frozen=True, slots=True)
class KnownIssuer:
    """One trusted issuer with all that is known of it."""

    name: str
    settings: TrustedIssuer
    transport: Transport
    metadata: Cached[Metadata]
    keys: Cached[PublishedKeys]
    verification: Verification


class TrustedIssuers:
    """Every trusted issuer; what is fetched from them is shared by all threads."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        settings: Federation,
        our_issuer: str,
        *,
        max_token_bytes: int,
        clock: Clock,
        transport: Callable[[TrustedIssuer], Transport] = Transport,
        background: Spawn = spawn,
    ) -> None:
        """Trust the issuers in the settings, none of which is this server. Nothing is fetched before it is needed."""
        self._our_issuer = our_issuer
        self._max_token_bytes = max_token_bytes
        self._known = {
            name: _known(name, issuer, transport(issuer), clock, background)
            for name, issuer in settings.issuers.items()
        }
        self._by_issuer = {known.settings.issuer: known for known in self._known.values()}
        if our_issuer in self._by_issuer:
            msg = "federation.issuers: this server does not trust itself as another"
            raise SettingsError(msg)

    def all(self) -> tuple[KnownIssuer, ...]:
        """Return every trusted issuer, in the order of the settings."""
        return tuple(self._known.values())

    def find(self, name: str) -> KnownIssuer | None:
        """Return an issuer by its name in the settings."""
        return self._known.get(name)

    def of(self, issuer: object) -> KnownIssuer | None:
        """Return an issuer by what it calls itself, to the byte."""
        return self._by_issuer.get(issuer) if isinstance(issuer, str) else None

    def issued(self, unverified_token: str) -> bool:
        """Tell whether a token claims to be of a trusted issuer; which proves nothing yet."""
        if not self._known:
            return False
        try:
            claims = Unverified.read(unverified_token, self._max_token_bytes).claims
        except UntrustworthyError:
            return False
        return self.of(claims.get("iss")) is not None

    def read(self, unverified_token: str) -> Unverified:
        """Take a token apart within the limit of size. Raises UntrustworthyError."""
        return Unverified.read(unverified_token, self._max_token_bytes)

    def verify(self, unverified_token: str, declared: str, client_id: str) -> ForeignToken:
        """Return what a trusted issuer's token of the `declared` type (a URN) says, as presented by a client of ours.

        Raises UntrustworthyError, or UnavailableError when the issuer's keys cannot be had.
        """
        token = self.read(unverified_token)
        known = self.of(token.claims.get("iss"))
        if known is None:
            raise UntrustworthyError("foreign.issuer")
        presenter, kind = known.settings.presenter(client_id), _KINDS.get(declared)
        if presenter is None or kind not in presenter.types:
            raise UntrustworthyError("foreign.presenter")
        verified = known.verification.verify(token, frozenset({kind}))
        self._check_presentable(known.settings, presenter, verified)
        return verified

    def _check_presentable(self, issuer: TrustedIssuer, presenter: Presenter, token: ForeignToken) -> None:
        """Refuse a token that is neither meant for this server nor for the client, or was issued to another client."""
        if not token.audience & {*presenter.parties, *issuer.audiences, self._our_issuer}:
            raise UntrustworthyError("foreign.audience")
        if not token.issued_to <= presenter.parties:
            raise UntrustworthyError("foreign.issued_to_another")

    def lets_act(self, token: ForeignToken, client_id: str) -> bool:
        """Tell whether `may_act` allows a client, named in our words or in the issuer's (RFC 8693 §4.4)."""
        known = self._by_issuer.get(token.issuer)
        presenter = None if known is None else known.settings.presenter(client_id)
        if token.may_act is None:
            return True
        names = [Actor(client_id, self._our_issuer)]
        names += [Actor(party, token.issuer) for party in (presenter.parties if presenter else ())]
        return any(token.may_act.names(actor) for actor in names)


def _known(name: str, issuer: TrustedIssuer, transport: Transport, clock: Clock, background: Spawn) -> KnownIssuer:
    times = Times(issuer.cache_seconds, issuer.stale_seconds, issuer.refetch_seconds)
    metadata = Cached(lambda: fetch_metadata(issuer, transport), times, clock, background)

    def fetch_keys() -> PublishedKeys:
        uri = issuer.jwks_uri or metadata.get().jwks_uri
        if uri is None:
            raise UnavailableError("discovery.no_jwks_uri")
        return PublishedKeys.parse(transport.get(uri))

    keys = Cached(fetch_keys, times, clock, background)
    return KnownIssuer(name, issuer, transport, metadata, keys, Verification(name, issuer, keys, clock))
