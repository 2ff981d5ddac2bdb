"""The authorization code grant with PKCE (RFC 6749 §4.1.3, RFC 7636 §4.5, OIDC Core §3.1.3)."""

import base64
import hashlib
import hmac
import re
from typing import Any

from authserver.oauth.grants.base import Grant
from authserver.oauth.grants.person import Authorized, redeem, refuse_replay
from authserver.protocol.names import GRANT_AUTHORIZATION_CODE
from authserver.protocol.refusals import InvalidGrant, InvalidRequest
from authserver.storage import authorizations
from authserver.storage.tables import AuthorizationCode
from authserver.tokens import targets
from authserver.tokens.secret_hashes import SecretKind

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AuthorizationCodeGrant(Grant):
    """Gives a client the tokens of the person whose code it holds; a code serves once."""

    GRANT_TYPE = GRANT_AUTHORIZATION_CODE
    PUBLIC = True

    def respond(self) -> dict[str, Any]:
        """Check what the code is bound to, sign, use the code up, write."""
        code_hash = self.parts.hasher.hash(SecretKind.CODE, self.form.require("code"))
        row = authorizations.find_code(self.work.session, code_hash)
        if row is None or row.client_id != self.registered_client.client_id:
            raise InvalidGrant("code.unknown_or_not_the_clients")
        self.trace.actor = row.user_id
        self._check(row)
        authorized = Authorized(
            way=self.GRANT_TYPE,
            family_id=row.family_id,
            user_id=row.user_id,
            session_id=row.session_id,
            target=targets.restore(self.work.session, row.resources, row.scopes, self.parts.settings.issuer),
            nonce=row.nonce,
        )

        def use() -> bool:
            return authorizations.use_code(self.work.session, code_hash, now=self.parts.clock.now())

        return redeem(self, authorized, use, reason="code.used_meanwhile")

    def _check(self, row: AuthorizationCode) -> None:
        now = self.parts.clock.now()
        if row.used_at is not None:
            refuse_replay(self, row.family_id, "code.replayed")
        if now >= row.expires_at:
            raise InvalidGrant("code.expired")
        if self.form.require("redirect_uri") != row.redirect_uri:
            raise InvalidGrant("code.redirect_uri")
        verifier = self.form.require("code_verifier")
        if _VERIFIER.fullmatch(verifier) is None:
            raise InvalidRequest("code.verifier_malformed", "code_verifier is not well-formed.")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, row.code_challenge):
            raise InvalidGrant("code.verifier")
