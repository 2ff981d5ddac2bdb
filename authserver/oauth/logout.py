"""`/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0): the person leaves, and only ever to a registered URI."""

from urllib.parse import urlencode

from flask import Response, render_template, request

from authserver.oauth.parts import OAuthParts
from authserver.oauth.posted import as_get
from authserver.protocol.names import Kind
from authserver.protocol.refusals import Refusal
from authserver.storage import clients
from authserver.storage.database import Work, unit_of_work
from authserver.tokens.verifier import UntrustworthyTokenError
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, leads_to, page
from authserver.web.refusals import new_trace


def logout(parts: OAuthParts) -> Response:
    """End the session at once when an ID token of it is shown (§2); otherwise ask the person."""
    trace, given = new_trace(), request.args
    with unit_of_work() as work:
        if request.method == "POST":
            try:
                return as_get("/oauth/logout")
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)
        signed_in = parts.browser.signed_in(work)
        trace.actor = None if signed_in is None else signed_in.user_id
        client_id, fits = _hint(parts, work, given.get("id_token_hint"), signed_in)
        if client_id is not None and given.get("client_id") not in {None, client_id}:
            client_id, fits = None, False
        target = _target(work, client_id, given.get("post_logout_redirect_uri"), given.get("state"))
        if signed_in is None:
            return parts.leaving.left(target)
        if not fits:
            return _ask(parts, target)
        return parts.leaving.leave(work, signed_in, target)


def confirm_logout(parts: OAuthParts) -> Response:
    """End the session after the person said so on our own page."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            target = request.form.get("target", "")
            genuine = parts.markers.genuine("logout", target, request.form.get("proof", ""))
            return parts.leaving.leave(work, signed_in, target if target and genuine else None)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def _hint(parts: OAuthParts, work: Work, hint: str | None, signed_in: SignedIn | None) -> tuple[str | None, bool]:
    """Return the client that a hint was issued to, and whether it is of this very session; `act` makes it no hint."""
    if not hint:
        return None, False
    try:
        token = parts.verifier.verify_hint(work.session, hint)
    except UntrustworthyTokenError:
        return None, False
    if token.kind is not Kind.ID or token.act is not None:
        return None, False
    session_id = None if token.authentication is None else token.authentication.session_id
    return token.client_id, signed_in is not None and signed_in.session_id == session_id


def _target(work: Work, client_id: str | None, uri: str | None, state: str | None) -> str | None:
    """Return where the person goes afterwards: a URI that this client has registered, exactly, or nowhere."""
    client = None if client_id is None else clients.find(work.session, client_id)
    if client is None or not client.enabled or uri is None or uri not in client.post_logout_redirect_uris:
        return None
    if not state:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"


def _ask(parts: OAuthParts, target: str | None) -> Response:
    proof = "" if target is None else parts.markers.prove("logout", target)
    csrf = parts.browser.csrf(parts.browser.cookie())
    html = render_template("logout.html", csrf=csrf, target=target or "", proof=proof)
    return page(html, form_action=leads_to(target))
