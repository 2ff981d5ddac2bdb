"""What counts as evidence, and from whom (design section 3 "Evidence")."""

from authserver.impersonation.asks import ActingPerson
from authserver.oauth.foreign_evidence import ForeignEvidence
from authserver.protocol.access import IMPERSONATE, entitled
from authserver.protocol.actors import Actor, MayAct
from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, Kind, is_device_family
from authserver.protocol.refusals import AccessDenied, InvalidEvidence
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import DbSession, people, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.tokens.verifier import UntrustworthyTokenError, Verifier
from authserver.web.refusals import Trace

_KINDS = {
    TYPE_ACCESS_TOKEN: frozenset({Kind.ACCESS}),
    TYPE_ID_TOKEN: frozenset({Kind.ID}),
}
_EITHER = frozenset({Kind.ACCESS, Kind.ID})


class EvidenceRules:
    """Turns an unverified token into evidence for one client, or refuses it."""

    def __init__(self, issuer: str, verifier: Verifier, foreign: ForeignEvidence) -> None:
        """Judge tokens of `issuer`, and leave those of trusted issuers to `foreign`."""
        self._issuer = issuer
        self._verifier = verifier
        self.foreign = foreign

    def acting_person(
        self, work: Work, client: RegisteredClient, unverified_token: str, token_type: str, trace: Trace
    ) -> tuple[ActingPerson, MayAct | None]:
        """Return who acts: a person with `impersonate`, by a token without `act` that this client may present.

        With it goes the token's `may_act`, where that has not been held against the client yet.
        """
        if self.foreign.issued(unverified_token):
            return self.foreign.acting_person(work, client, unverified_token, token_type, trace), None
        session = work.session
        token = self._verify(session, unverified_token, _KINDS.get(token_type, _EITHER))
        _must_be_presentable(token, client, frozenset({client.client_id}))
        if token.act is not None:
            raise InvalidEvidence("evidence.carries_act")
        if token.kind is Kind.ACCESS and self._issuer not in token.audience:
            raise InvalidEvidence("evidence.audience")
        trace.actor = token.user_id or token.client_id
        if token.user_id is None or token.authentication is None:
            raise AccessDenied("actor.not_a_person")
        user = people.find(session, token.user_id)
        if user is None or IMPERSONATE not in entitled(user.roles):
            raise AccessDenied("actor.not_entitled")
        if token.kind is Kind.ACCESS and IMPERSONATE not in token.scope:
            raise AccessDenied("actor.without_impersonate")
        if is_device_family(token.family_id):
            raise AccessDenied("actor.by_device")
        return ActingPerson(user_id=token.user_id, authentication=token.authentication), token.may_act

    def own_user(self, session: DbSession, client: RegisteredClient, unverified_token: str) -> VerifiedToken:
        """Return a user's own access token, which may carry `act` already (way D)."""
        token = self._verify(session, unverified_token, frozenset({Kind.ACCESS}))
        names = {client.client_id, *resources.owned(session, client.client_id)}
        _must_be_presentable(token, client, frozenset(names))
        if token.user_id is None:
            raise InvalidEvidence("subject.not_a_user")
        return token

    def acting_client(
        self,
        session: DbSession,
        client: RegisteredClient,
        unverified_token: str | None,
        token_type: str | None,
        trace: Trace,
    ) -> Actor:
        """Return the client that acts in way D: the one that asks, or the holder of `actor_token`; never a person."""
        if unverified_token is None:
            return Actor(client.client_id, self._issuer)
        token = self._verify(session, unverified_token, _KINDS.get(token_type or "", _EITHER))
        _must_be_presentable(token, client, frozenset({client.client_id}))
        if token.act is not None:
            raise InvalidEvidence("evidence.carries_act")
        trace.actor = token.user_id or token.client_id
        if token.user_id is not None:
            raise AccessDenied("actor.is_a_person")
        return Actor(token.client_id, self._issuer)

    def _verify(self, session: DbSession, unverified_token: str, kinds: frozenset[Kind]) -> VerifiedToken:
        try:
            return self._verifier.verify(session, unverified_token, kinds)
        except UntrustworthyTokenError as error:
            raise InvalidEvidence(error.reason) from error


def _must_be_presentable(token: VerifiedToken, client: RegisteredClient, names: frozenset[str]) -> None:
    """Refuse a token that was neither issued to the client, nor names it, nor is of a client allow-listed for it."""
    if token.kind is Kind.ID and not client.presents_id_tokens:
        raise InvalidEvidence("evidence.id_token_not_for_client")
    if (
        token.client_id != client.client_id
        and token.client_id not in client.accepts_tokens_of
        and not names & token.audience
    ):
        raise InvalidEvidence("evidence.of_another_client")
