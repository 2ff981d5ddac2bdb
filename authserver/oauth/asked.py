"""A checked authorization request, and what of it a person can give."""

from dataclasses import dataclass

from authserver.oauth.authorization_request import AuthorizationRequest
from authserver.protocol.access import OIDC_SCOPES, entitled
from authserver.protocol.scopes import Scope
from authserver.storage import DbSession, people, resources
from authserver.storage.clients import RegisteredClient
from authserver.tokens.targets import Target


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, where the answer goes, and what it is for; `query` is the request as it came, without markers."""

    client: RegisteredClient
    redirect_uri: str
    request: AuthorizationRequest
    target: Target
    query: str


def available(session: DbSession, user_id: str, target: Target) -> tuple[Scope, ...]:
    """Return what is asked, cut by what the person has at this moment."""
    user = people.find(session, user_id)
    if user is None or not user.enabled:
        return ()
    has = OIDC_SCOPES | entitled(user.roles) | resources.scopes_of_roles(session, user.roles)
    return tuple(scope for scope in target.asked if scope.name in has)
