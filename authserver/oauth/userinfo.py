"""`/oauth/userinfo` (OIDC Core §5.3): claims about the person whose access token it is."""

from typing import Any

from flask import Response, request

from authserver.oauth.parts import OAuthParts
from authserver.protocol.access import OPENID
from authserver.protocol.refusals import Forbidden, InvalidToken, Refusal
from authserver.storage import people
from authserver.storage.database import unit_of_work
from authserver.storage.tables import User
from authserver.web.refusals import json_answer, new_trace, problem


def userinfo(parts: OAuthParts) -> Response:
    """Answer with the claims that the token's scopes name; `sub` is the ID token's."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            bearer = parts.bearer.authenticate(work, request.headers.get("Authorization"), trace)
            if bearer.token.act is not None or OPENID not in bearer.token.scope:
                raise Forbidden("userinfo.without_openid")
            user = people.find(work.session, bearer.user_id)
            if user is None:
                raise InvalidToken("user.unknown")
            return json_answer(_claims(user, bearer.token.scope))
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return problem(refusal)


def _claims(user: User, scope: frozenset[str]) -> dict[str, Any]:
    claims: dict[str, Any] = {"sub": user.id}
    if "profile" in scope:
        claims |= {"name": user.name, "preferred_username": user.username}
        known = {"locale": user.locale, "zoneinfo": user.time_zone}
        claims |= {name: value for name, value in known.items() if value}
    if "email" in scope:
        claims |= {"email": user.email, "email_verified": user.email_verified}
    return claims
