"""Token exchange (RFC 8693): parse, verify the evidence, decide, sign, write, respond.

Ways A, B, C and F act as another person, by an impersonation (`exchange_impersonation`). Way D acts on behalf of the
user whose token it is (`exchange_on_behalf`). Way E signs in the user of a trusted issuer's token (`exchange_sign_in`).
"""

from typing import Any

from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.grants import exchange_impersonation, exchange_on_behalf, exchange_sign_in
from authserver.oauth.grants.base import Grant
from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, TYPE_ID_TOKEN, Way
from authserver.protocol.refusals import UnauthorizedClient


class TokenExchangeGrant(Grant):
    """Exchanges evidence about a subject, and about who acts, for a token that names both."""

    GRANT_TYPE = GRANT_TOKEN_EXCHANGE

    def respond(self) -> dict[str, Any]:
        """Parse, then go one of the ways."""
        settings = self.parts.settings
        exchange = ExchangeRequest.parse(
            self.form, settings.exchange.token_type_aliases, settings.impersonation.max_reason_chars
        )
        self.trace.way = exchange.way
        client = self.registered_client
        if exchange.way not in client.ways:
            raise UnauthorizedClient("way.not_the_clients")
        if exchange.requested_token_type == TYPE_ID_TOKEN and not client.receives_id_tokens:
            raise UnauthorizedClient("requested_token_type.not_the_clients")
        match exchange.way:
            case Way.USER_ID | Way.OWN_TOKEN | Way.SUPPORT_CODE:
                return exchange_impersonation.start(self, exchange)
            case Way.IMPERSONATION:
                return exchange_impersonation.renew(self, exchange)
            case Way.ON_BEHALF_OF:
                return exchange_on_behalf.respond(self, exchange)
            case Way.TRUSTED_ISSUER:
                return exchange_sign_in.respond(self, exchange)
