"""A trusted issuer tells this server, not a browser, that somebody signed out there (Back-Channel Logout §2.5)."""

from flask import Response, request

from authserver.audit.events.sign_in import LogoutReceived
from authserver.federation.refusals import FederationError, UntrustworthyError
from authserver.pages.parts import PageParts
from authserver.protocol.refusals import InvalidRequest
from authserver.storage.database import Work, unit_of_work
from authserver.web.refusals import json_answer, new_trace, oauth_error


class LogoutRefused(InvalidRequest):
    """`invalid_request` (Back-Channel Logout §2.8); the reason is in the trail."""

    words = "The logout token is not acceptable."


def backchannel_logout(parts: PageParts) -> Response:
    """End the sessions that a logout token is about. What it proves itself by is its signature, and it works once."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return _end(parts, work)
        except FederationError as error:
            refusal = LogoutRefused(error.reason)
        parts.refusals.refuse(work, trace, refusal)
        return oauth_error(refusal)


def _end(parts: PageParts, work: Work) -> Response:
    tokens = request.form.getlist("logout_token")
    if len(tokens) != 1 or request.args:
        raise UntrustworthyError("logout.malformed")
    order = parts.logouts.verify(tokens[0])
    user_id = parts.logouts.use(work, order)
    by = f"issuer:{order.name}"
    if order.sid is None:  # by its subject alone: the person, wherever else and however they signed in
        ended = parts.sessions.end_all(work, user_id, by=by) if user_id else []
    else:
        ended = parts.sessions.end_upstream(work, order.issuer, sid=order.sid, user_id=user_id, by=by)
    parts.trail.record(work, LogoutReceived(issuer=order.issuer, told=order.told, sessions=tuple(ended)))
    return json_answer({})
