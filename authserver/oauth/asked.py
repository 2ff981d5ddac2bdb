"""A checked authorization request."""

from dataclasses import dataclass

from authserver.oauth.authorization_request import AuthorizationRequest
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
