"""A trusted issuer's token as evidence: whose it is here, with a session behind it (design section 3, ways B and E)."""

from dataclasses import dataclass

from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import FederationError, NobodyHereError
from authserver.federation.sessions import ForeignSessions
from authserver.federation.trusted import TrustedIssuers
from authserver.impersonation.asks import ActingPerson
from authserver.protocol.access import IMPERSONATE, entitled
from authserver.protocol.refusals import AccessDenied, InvalidEvidence
from authserver.protocol.tokens import Authentication
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.web.refusals import Trace


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A local user who signed in at a trusted issuer."""

    user_id: str
    roles: frozenset[str]
    authentication: Authentication
    token: ForeignToken


class ForeignEvidence:
    """Turns a trusted issuer's token into evidence for one client, or refuses it."""

    def __init__(self, trusted: TrustedIssuers, sessions: ForeignSessions) -> None:
        """Judge tokens of `trusted` issuers."""
        self._trusted = trusted
        self._sessions = sessions

    def issued(self, unverified_token: str) -> bool:
        """Tell whether a token claims to be of a trusted issuer."""
        return self._trusted.issued(unverified_token)

    def acting_person(
        self, work: Work, client: RegisteredClient, unverified_token: str, token_type: str, trace: Trace
    ) -> ActingPerson:
        """Return who acts: the local user of a token without `act`, who has `impersonate` by role.

        Their issuer's scopes are words of its own, so the role's entitlement counts, as for an ID token.
        """
        person = self.signed_in(work, client, unverified_token, token_type, trace)
        trace.actor = person.user_id
        if IMPERSONATE not in entitled(person.roles):
            raise AccessDenied("actor.not_entitled")
        return ActingPerson(user_id=person.user_id, authentication=person.authentication)

    def signed_in(
        self, work: Work, client: RegisteredClient, unverified_token: str, token_type: str, trace: Trace
    ) -> SignedIn:
        """Return the local user of a token that this client may present, without `act`, and not for another's use."""
        work.commit()  # nothing is held while the issuer is asked
        try:
            token = self._trusted.verify(unverified_token, token_type, client.client_id)
            if token.carries_act:
                raise InvalidEvidence("evidence.carries_act")
            if not self._trusted.lets_act(token, client.client_id):
                raise AccessDenied("may_act.names_another")
            user, authentication = self._sessions.open(work, token, trace.address)
        except NobodyHereError as error:
            raise AccessDenied(error.reason) from error
        except FederationError as error:
            raise InvalidEvidence(error.reason) from error
        return SignedIn(user.id, frozenset(user.roles), authentication, token)
