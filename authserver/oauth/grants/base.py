"""What every grant shares: Authlib's place in the token endpoint, and our own parts at hand."""

import json
from typing import TYPE_CHECKING, Any, cast

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from authserver.oauth.client_auth import PUBLIC
from authserver.protocol.refusals import UnauthorizedClient
from authserver.web.refusals import NO_STORE

if TYPE_CHECKING:
    from authserver.oauth.form import Form
    from authserver.oauth.parts import OAuthParts
    from authserver.oauth.server import TokenRequest
    from authserver.storage.clients import RegisteredClient
    from authserver.storage.database import Work
    from authserver.web.refusals import Trace


class Grant(BaseGrant, TokenEndpointMixin):
    """A grant of the token endpoint; a subclass says only how it responds."""

    PUBLIC = False
    """Whether a public client, which cannot authenticate, may use it (RFC 6749 §2.1)."""

    request: "TokenRequest"

    @property
    def parts(self) -> "OAuthParts":
        """What the server is made of."""
        return cast("OAuthParts", self.server.parts)

    @property
    def work(self) -> "Work":
        """The request's unit of work."""
        return self.request.work

    @property
    def form(self) -> "Form":
        """The request's parameters."""
        return self.request.parameters

    @property
    def named_resources(self) -> tuple[str, ...]:
        """The values of `resource` and of its alias `audience`."""
        return (*self.form.all("resource"), *self.form.all("audience"))

    @property
    def trace(self) -> "Trace":
        """What is known of the request, for its evidence."""
        return self.request.trace

    @property
    def registered_client(self) -> "RegisteredClient":
        """The authenticated client."""
        return self.request.registered_client

    def validate_token_request(self) -> None:
        """Refuse a client that may not use this grant (RFC 6749 §5.2 `unauthorized_client`)."""
        if self.registered_client.auth_method == PUBLIC and not self.PUBLIC:
            raise UnauthorizedClient("grant.not_for_public_clients")
        if self.GRANT_TYPE not in self.registered_client.grant_types:
            raise UnauthorizedClient("grant.not_the_clients")

    def create_token_response(self) -> tuple[int, str, list[tuple[str, str]]]:
        """Respond as Authlib wants it."""
        return 200, json.dumps(self.respond()), [("Content-Type", "application/json"), *NO_STORE.items()]

    def respond(self) -> dict[str, Any]:
        """Return the body of a successful response, or raise a Refusal."""
        raise NotImplementedError
