"""The refresh token grant (RFC 6749 §6): each use replaces the token, a reuse kills the family (RFC 9700 §4.14)."""

from dataclasses import replace
from typing import Any

from authserver.oauth.grants.base import Grant
from authserver.oauth.grants.person import Authorized, hand_out, sign_tokens
from authserver.protocol.names import GRANT_REFRESH_TOKEN
from authserver.protocol.refusals import InvalidGrant
from authserver.storage import authorizations
from authserver.storage.tables import RefreshToken
from authserver.tokens import targets
from authserver.tokens.secret_hashes import SecretKind


class RefreshTokenGrant(Grant):
    """Gives a client fresh tokens of a person who is still signed in; everybody in it is checked again."""

    GRANT_TYPE = GRANT_REFRESH_TOKEN
    PUBLIC = True

    def respond(self) -> dict[str, Any]:
        """Find the token, narrow, sign, use it up, write; the refresh token itself keeps all of it."""
        token_hash = self.parts.hasher.hash(SecretKind.REFRESH, self.form.require("refresh_token"))
        row = authorizations.find_refresh_token(self.work.session, token_hash)
        if row is None or row.client_id != self.registered_client.client_id:
            raise InvalidGrant("refresh.unknown_or_not_the_clients")
        self.trace.actor = row.user_id
        self._check(row)
        whole = targets.restore(self.work.session, row.resources, row.scopes, self.parts.settings.issuer)
        kept = Authorized(
            way=self.GRANT_TYPE,
            family_id=row.family_id,
            user_id=row.user_id,
            session_id=row.session_id,
            target=whole,
        )
        narrowed = targets.narrow(whole, self.named_resources, self.form.get("scope"))
        minted = sign_tokens(self, replace(kept, target=narrowed))
        self.work.lock()
        if not authorizations.use_refresh_token(self.work.session, token_hash, now=self.parts.clock.now()):
            authorizations.end_family(self.work.session, kept.family_id, now=self.parts.clock.now())
            raise InvalidGrant("refresh.used_meanwhile")
        return hand_out(self, kept, minted)

    def _check(self, row: RefreshToken) -> None:
        now = self.parts.clock.now()
        if row.used_at is not None:
            family_id = row.family_id
            self.work.lock()
            authorizations.end_family(self.work.session, family_id, now=now)
            raise InvalidGrant("refresh.reused")
        if row.revoked_at is not None or now >= row.expires_at:
            raise InvalidGrant("refresh.expired_or_revoked")
