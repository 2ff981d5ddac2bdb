"""The client credentials grant (RFC 6749 §4.4): a client's own token, for its own resources."""

from typing import Any

from authserver.oauth.grants.base import Grant
from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS
from authserver.protocol.refusals import InvalidScope
from authserver.protocol.scopes import join_scope
from authserver.tokens import targets
from authserver.tokens.issuer import Draft


class ClientCredentialsGrant(Grant):
    """Gives a client an access token whose `sub` is the client itself."""

    GRANT_TYPE = GRANT_CLIENT_CREDENTIALS

    def respond(self) -> dict[str, Any]:
        """Resolve what it is for, sign, write."""
        parts, work, client = self.parts, self.work, self.registered_client
        target = targets.resolve(work.session, client, self.named_resources, self.form.get("scope"))
        if not target.asked:
            raise InvalidScope("scope.nothing_left")
        draft = Draft(
            way=self.GRANT_TYPE,
            client_id=client.client_id,
            user_id=None,
            sub=client.client_id,
            audience=target.resources,
            scope=target.names,
            expires_at=parts.clock.now() + parts.settings.tokens.access_token_seconds,
        )
        minted = parts.issuer.sign(work.session, draft)
        work.lock()
        parts.issuer.register(work, minted)
        return {
            "access_token": minted.token,
            "token_type": "Bearer",
            "expires_in": minted.expires_in,
            "scope": join_scope(target.names),
        }
