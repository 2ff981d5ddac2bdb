"""Access tokens at our own protected endpoints (RFC 6750 §2.1, RFC 9449 §7.1): never in a query string or a form."""

from dataclasses import dataclass

from authserver.protocol.access import Caller, Credential, Relation, entitled, may_call
from authserver.protocol.names import Kind
from authserver.protocol.refusals import BoundToken, Forbidden, InvalidToken
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.tokens.verifier import UntrustworthyTokenError, Verifier
from authserver.web.possession import Possession
from authserver.web.refusals import Trace

_ACCESS = frozenset({Kind.ACCESS})


@dataclass(frozen=True, slots=True)
class Bearer:
    """A caller with a verified access token; `roles` as the database has them now."""

    token: VerifiedToken
    roles: frozenset[str]

    @property
    def caller(self) -> Caller:
        """The caller as the table of access knows them: a scope counts while the role is still entitled to it."""
        if self.token.act is not None:
            return Caller(Credential.IMPERSONATION)
        if self.token.user_id is None:
            return Caller(Credential.CLIENT, self.token.scope)
        return Caller(Credential.PERSON, self.token.scope & entitled(self.roles), self.roles)

    @property
    def user_id(self) -> str:
        """The person's id; InvalidToken when the token is a client's own."""
        if self.token.user_id is None:
            raise InvalidToken("token.not_a_person")
        return self.token.user_id

    @property
    def sees_all(self) -> bool:
        """Tell whether the caller may know of every impersonation anyway."""
        return may_call("api.read_impersonation", self.caller)

    def relations(self, record: Record) -> frozenset[Relation]:
        """Return what the caller is to an impersonation."""
        found = set()
        if self.token.act is not None:
            if self.token.impersonation_id == record.id:
                found.add(Relation.ITSELF)
        elif self.token.user_id == record.actor_id:
            found.add(Relation.ACTOR)
        elif self.token.user_id == record.subject_id:
            found.add(Relation.SUBJECT)
        return frozenset(found)

    def demand(self, endpoint: str, relations: frozenset[Relation] = frozenset()) -> None:
        """Raise Forbidden unless the table of access lets the caller call `endpoint`."""
        if not may_call(endpoint, self.caller, relations):
            raise Forbidden("access.table")


class BearerAuthentication:
    """Reads the Authorization header of requests to the issuer's own resources."""

    def __init__(self, issuer: str, verifier: Verifier, possession: Possession) -> None:
        """Accept tokens whose audience is `issuer`, and tokens with `act`, which the table of access judges."""
        self._issuer = issuer
        self._verifier = verifier
        self._possession = possession

    def authenticate(self, work: Work, header: str | None, trace: Trace) -> Bearer:
        """Return the caller, or raise InvalidToken, and InvalidTokenProof for a bound token without its proof."""
        scheme, _, unverified_token = (header or "").partition(" ")
        scheme, unverified_token = scheme.lower(), unverified_token.strip()
        if scheme not in {"bearer", "dpop"}:
            raise InvalidToken("token.missing")
        try:
            token = self._verifier.verify(work.session, unverified_token, _ACCESS, bound=True)
        except UntrustworthyTokenError as error:
            raise InvalidToken(error.reason) from error
        trace.client_id = token.client_id
        trace.actor = token.act.sub if token.act is not None else token.user_id
        trace.impersonation_id = token.impersonation_id
        if token.act is None and self._issuer not in token.audience:
            raise InvalidToken("token.audience")
        self._check_holder(work, token, unverified_token, scheme)
        user = None if token.user_id is None else people.find(work.session, token.user_id)
        return Bearer(token, frozenset() if user is None or token.act is not None else frozenset(user.roles))

    def _check_holder(self, work: Work, token: VerifiedToken, unverified_token: str, scheme: str) -> None:
        """Let a bound token in with a proof by its key, any other as a bearer's, and neither as the other."""
        if (token.jkt is not None) != (scheme == "dpop"):
            raise BoundToken("dpop.as_bearer" if scheme == "bearer" else "dpop.unbound")
        if token.jkt is not None:
            self._possession.of_holder(work, unverified_token, token.jkt)
