"""`/oauth/introspect` (RFC 7662): a resource server hears of tokens for it, a client of its own, others nothing."""

from typing import Any

from flask import Response, request

from authserver.oauth.form import Form
from authserver.oauth.parts import OAuthParts
from authserver.protocol.names import Kind
from authserver.protocol.refusals import Refusal
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import DbSession, impersonations, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import unit_of_work
from authserver.tokens.verifier import UntrustworthyTokenError
from authserver.web.refusals import json_answer, new_trace, oauth_error

INACTIVE = {"active": False}


def introspect(parts: OAuthParts) -> Response:
    """Answer an introspection request; what is foreign, ended or unknown is exactly `{"active": false}` (§2.2)."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            form = Form.read(request)
            client = parts.client_authentication.authenticate(work, request, form, trace)
            return json_answer(_describe(parts, work.session, client, form.require("token")))
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return oauth_error(refusal)


def _describe(parts: OAuthParts, session: DbSession, client: RegisteredClient, unverified_token: str) -> dict[str, Any]:
    try:
        token = parts.verifier.verify(session, unverified_token, frozenset({Kind.ACCESS}), bound=True)
    except UntrustworthyTokenError:
        return INACTIVE
    owned = resources.owned(session, client.client_id)
    if token.client_id != client.client_id and not token.audience & owned.keys():
        return INACTIVE
    answer: dict[str, Any] = {"active": True, **token.claims, "token_type": "Bearer" if token.jkt is None else "DPoP"}
    if token.impersonation_id is not None:
        reason_visible = any(owned[uri] for uri in token.audience & owned.keys())
        answer["impersonation"] = _impersonation(session, token, reason_visible=reason_visible)
    return answer


def _impersonation(session: DbSession, token: VerifiedToken, *, reason_visible: bool) -> dict[str, Any]:
    """Return the `impersonation` claim with how the actor authenticated, and the reason where it may be seen."""
    shown: dict[str, Any] = dict(token.claims.get("impersonation", {}))
    if token.authentication is not None:
        shown |= {"actor_auth_time": token.authentication.auth_time, "actor_acr": token.authentication.acr}
    record = impersonations.find(session, token.impersonation_id or "")
    if reason_visible and record is not None:
        shown["reason"] = record.reason
    return shown
