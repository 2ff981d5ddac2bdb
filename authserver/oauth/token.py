"""`/oauth/token` (RFC 6749 §3.2): read the form once, authenticate the client, let the grant respond, commit once."""

from typing import TYPE_CHECKING

from flask import Response, request

from authserver.oauth.form import Form
from authserver.protocol.refusals import Refusal, UnsupportedGrantType
from authserver.storage.database import Work, unit_of_work
from authserver.web.refusals import Trace, new_trace, oauth_error

if TYPE_CHECKING:
    from authserver.oauth.server import Server


def token(server: "Server") -> Response:
    """Answer a token request. A refusal is an answer too: its evidence is durable before it leaves."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return _respond(server, work, trace)
        except Refusal as refusal:
            server.parts.refusals.refuse(work, trace, refusal)
            return oauth_error(refusal)


def _respond(server: "Server", work: Work, trace: Trace) -> Response:
    from authserver.oauth.server import GRANTS, TokenRequest  # noqa: PLC0415 - server.py lists this endpoint

    form = Form.read(request)
    client = server.parts.client_authentication.identify(work, request, form, trace)
    if form.require("grant_type") not in {grant.GRANT_TYPE for grant in GRANTS}:
        raise UnsupportedGrantType("grant.unknown")
    token_request = TokenRequest(request, server.parts.settings.issuer + "/oauth/token", form, work, trace)
    token_request.registered_client = client
    return server.answer(token_request)
