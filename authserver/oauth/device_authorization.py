"""`/oauth/device_authorization` (RFC 8628 §3.1, §3.2): a device gets a code of its own and one for its person."""

from flask import Response, request

from authserver.accounts.sessions import Place
from authserver.oauth.form import Form
from authserver.oauth.parts import OAuthParts
from authserver.protocol.names import GRANT_DEVICE_CODE
from authserver.protocol.refusals import InvalidScope, Refusal, UnauthorizedClient
from authserver.storage.database import Work, unit_of_work
from authserver.tokens import targets
from authserver.web.refusals import Trace, json_answer, new_trace, oauth_error


def device_authorization(parts: OAuthParts) -> Response:
    """Answer a device authorization request; a public client may ask, as at the token endpoint."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return _respond(parts, work, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return oauth_error(refusal)


def _respond(parts: OAuthParts, work: Work, trace: Trace) -> Response:
    form = Form.read(request)
    client = parts.client_authentication.identify(work, request, form, trace)
    if GRANT_DEVICE_CODE not in client.grant_types:
        raise UnauthorizedClient("grant.not_the_clients")
    issuer = parts.settings.issuer
    whole = targets.resolve_sign_in(work.session, client, form.all("resource"), form.get("scope"), issuer)
    target = targets.for_device(whole)
    if form.get("scope") is not None and target != whole:
        raise InvalidScope("scope.never_by_device")
    if not target.asked:
        raise InvalidScope("scope.nothing_left")
    place = Place(trace.address, request.headers.get("User-Agent", ""))
    requested = parts.devices.request(work, client.client_id, target, place)
    page = f"{issuer}/device"
    return json_answer(
        {
            "device_code": requested.device_code,
            "user_code": requested.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={requested.user_code}",
            "expires_in": requested.expires_in,
            "interval": requested.interval,
        }
    )
