"""`/oauth/revoke` (RFC 7009): a client revokes its own tokens; for anything else the answer is the same 200."""

from flask import Response, request

from authserver.audit.events.tokens import TokenRevoked
from authserver.oauth.form import Form
from authserver.oauth.parts import OAuthParts
from authserver.protocol.names import Kind
from authserver.protocol.refusals import Refusal
from authserver.storage import authorizations, tokens
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work, unit_of_work
from authserver.tokens.secret_hashes import SecretKind
from authserver.tokens.verifier import UntrustworthyTokenError
from authserver.web.refusals import NO_STORE, new_trace, oauth_error

_ANY = frozenset({Kind.ACCESS, Kind.ID})


def revoke(parts: OAuthParts) -> Response:
    """Answer a revocation request; the hint is not needed, for every token says what it is (§2.1)."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            form = Form.read(request)
            client = parts.client_authentication.identify(work, request, form, trace)
            token = form.require("token")
            _revoke_refresh_token(parts, work, client, token)
            _revoke(parts, work, client, token)
            return Response("", 200, NO_STORE)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return oauth_error(refusal)


def _revoke(parts: OAuthParts, work: Work, client: RegisteredClient, unverified_token: str) -> None:
    try:
        token = parts.verifier.verify(work.session, unverified_token, _ANY, bound=True)
    except UntrustworthyTokenError:
        return
    if token.client_id != client.client_id:
        return
    work.lock()
    if tokens.revoke(work.session, token.jti, now=parts.clock.now()):
        event = TokenRevoked(impersonation_id=token.impersonation_id, jti=token.jti, client_id=client.client_id)
        parts.trail.record(work, event)


def _revoke_refresh_token(parts: OAuthParts, work: Work, client: RegisteredClient, value: str) -> None:
    """Revoke a refresh token of the client's own with everything that came of it (§2.1)."""
    row = authorizations.find_refresh_token(work.session, parts.hasher.hash(SecretKind.REFRESH, value))
    if row is None or row.client_id != client.client_id:
        return
    family_id = row.family_id
    work.lock()
    authorizations.end_family(work.session, family_id, now=parts.clock.now())
    parts.trail.record(work, TokenRevoked(jti=family_id, client_id=client.client_id))
