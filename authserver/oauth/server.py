"""Every grant and every endpoint of the protocol, in one place."""

from typing import TYPE_CHECKING, Any, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request
from flask import Blueprint, Request, Response

from authserver.oauth.authorize import authorize, decide_consent
from authserver.oauth.device_authorization import device_authorization
from authserver.oauth.form import Form
from authserver.oauth.grants.authorization_code import AuthorizationCodeGrant
from authserver.oauth.grants.client_credentials import ClientCredentialsGrant
from authserver.oauth.grants.device_code import DeviceCodeGrant
from authserver.oauth.grants.refresh_token import RefreshTokenGrant
from authserver.oauth.grants.token_exchange import TokenExchangeGrant
from authserver.oauth.introspection import introspect
from authserver.oauth.logout import confirm_logout, logout
from authserver.oauth.metadata import jwks, metadata
from authserver.oauth.parts import OAuthParts
from authserver.oauth.revocation import revoke
from authserver.oauth.token import token
from authserver.oauth.userinfo import userinfo

if TYPE_CHECKING:
    from authserver.storage.clients import RegisteredClient
    from authserver.storage.database import Work
    from authserver.web.refusals import Trace

GRANTS = (AuthorizationCodeGrant, RefreshTokenGrant, DeviceCodeGrant, ClientCredentialsGrant, TokenExchangeGrant)


class TokenRequest(OAuth2Request):
    """A request as Authlib knows it, made of our strict form; its URI is the configured one, not the Host's."""

    def __init__(self, request: Request, uri: str, form: Form, work: "Work", trace: "Trace") -> None:
        """Wrap a request whose form was read already."""
        super().__init__(request.method, uri, headers=dict(request.headers))
        self.payload = _Payload(form)
        self.parameters = form
        self.work = work
        self.trace = trace
        self.registered_client: RegisteredClient


class _Payload(OAuth2Payload):
    """The single-valued parameters, as Authlib asks for them."""

    def __init__(self, form: Form) -> None:
        self._form = form

    @property
    def data(self) -> dict[str, str]:
        return dict(self._form.single)

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {name: [value] for name, value in self._form.single.items()}


class Server(AuthorizationServer):
    """Authlib's server with our grants; refusals pass through it to the endpoint, which records them."""

    def __init__(self, parts: OAuthParts) -> None:
        """Register every grant."""
        super().__init__()
        self.parts = parts
        for grant in GRANTS:
            self.register_grant(grant)

    def create_oauth2_request(self, request: Any) -> Any:  # noqa: ANN401 - Authlib wraps Flask's request, we our own
        """Take the request that the endpoint has read."""
        return request

    def answer(self, request: TokenRequest) -> Response:
        """Let the grant of the request respond."""
        return cast("Response", self.create_token_response(request))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Send nothing: what happens goes to the trail."""


def create_blueprint(parts: OAuthParts) -> Blueprint:
    """Return every endpoint of the protocol."""
    blueprint = Blueprint("oauth", __name__)
    server = Server(parts)
    grant_types = [str(grant.GRANT_TYPE) for grant in GRANTS]
    post = ["POST"]
    blueprint.add_url_rule("/oauth/token", "token", lambda: token(server), methods=post)
    device = "/oauth/device_authorization"
    blueprint.add_url_rule(device, "device_authorization", lambda: device_authorization(parts), methods=post)
    both = ["GET", "POST"]
    blueprint.add_url_rule("/oauth/authorize", "authorize", lambda: authorize(parts), methods=both)
    blueprint.add_url_rule("/oauth/consent", "decide_consent", lambda: decide_consent(parts), methods=post)
    blueprint.add_url_rule("/oauth/userinfo", "userinfo", lambda: userinfo(parts), methods=both)
    blueprint.add_url_rule("/oauth/logout", "logout", lambda: logout(parts), methods=both)
    blueprint.add_url_rule("/oauth/logout/confirm", "confirm_logout", lambda: confirm_logout(parts), methods=post)
    blueprint.add_url_rule("/oauth/introspect", "introspect", lambda: introspect(parts), methods=post)
    blueprint.add_url_rule("/oauth/revoke", "revoke", lambda: revoke(parts), methods=post)
    blueprint.add_url_rule("/oauth/jwks", "jwks", lambda: jwks(parts))
    document = metadata(parts, grant_types)
    blueprint.add_url_rule("/.well-known/openid-configuration", "openid_configuration", document)
    blueprint.add_url_rule("/.well-known/oauth-authorization-server", "oauth_metadata", document)
    return blueprint
