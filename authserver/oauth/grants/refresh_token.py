"""The refresh token grant (RFC 6749 §6): each use replaces the token, a reuse kills the family (RFC 9700 §4.14)."""

from typing import Any

from authserver.oauth.grants.base import Grant
from authserver.oauth.grants.person import Authorized, hand_out, sign_tokens
from authserver.protocol.names import GRANT_REFRESH_TOKEN
from authserver.protocol.refusals import InvalidGrant, InvalidScope, InvalidTarget
from authserver.protocol.scopes import parse_scope
from authserver.storage import authorizations
from authserver.storage.tables import RefreshToken
from authserver.tokens import targets
from authserver.tokens.issuer import Minted
from authserver.tokens.secret_hashes import SecretKind
from authserver.tokens.targets import Target


class RefreshTokenGrant(Grant):
    """Gives a client fresh tokens of a person who is still signed in; everybody in it is checked again."""

    GRANT_TYPE = GRANT_REFRESH_TOKEN
    PUBLIC = True

    def respond(self) -> dict[str, Any]:
        """Find the token, narrow, sign, use it up, write."""
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
        minted = self._sign(kept, self._narrowed(whole))
        self.work.lock()
        if not authorizations.use_refresh_token(self.work.session, token_hash, now=self.parts.clock.now()):
            authorizations.end_family(self.work.session, kept.family_id, now=self.parts.clock.now())
            raise InvalidGrant("refresh.used_meanwhile")
        return hand_out(self, kept, minted)

    def _sign(self, kept: Authorized, narrowed: Target) -> list[Minted]:
        asked = Authorized(
            way=kept.way,
            family_id=kept.family_id,
            user_id=kept.user_id,
            session_id=kept.session_id,
            target=narrowed,
        )
        return sign_tokens(self, asked)

    def _check(self, row: RefreshToken) -> None:
        now = self.parts.clock.now()
        if row.used_at is not None:
            family_id = row.family_id
            self.work.lock()
            authorizations.end_family(self.work.session, family_id, now=now)
            raise InvalidGrant("refresh.reused")
        if row.revoked_at is not None or now >= row.expires_at:
            raise InvalidGrant("refresh.expired_or_revoked")

    def _narrowed(self, whole: Target) -> Target:
        """Return what is asked of what was granted; the refresh token itself keeps all of it (RFC 6749 §6)."""
        named, scope = self.named_resources, self.form.get("scope")
        if set(named) - set(whole.resources):
            raise InvalidTarget("resource.not_granted")
        uris = tuple(dict.fromkeys(named)) or whole.resources
        asked = tuple(entry for entry in whole.asked if entry.resource in uris)
        if scope is None:
            return Target(uris, asked)
        try:
            names = parse_scope(scope)
        except ValueError as error:
            raise InvalidScope("scope.malformed") from error
        granted = {entry.name: entry for entry in asked}
        if not names or any(name not in granted for name in names):
            raise InvalidScope("scope.not_granted")
        return Target(uris, tuple(granted[name] for name in names))
