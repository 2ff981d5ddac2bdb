"""`/appetize/embed/<id>`: the issuer sends the agent's browser on with a ticket; at the embed origin it is the page.

Two origins share this one path. The vendor's script runs at the embed origin, so nothing of the issuer answers there.
"""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, render_template, request

from authserver.appetize.found import Found
from authserver.pages import embed_calls
from authserver.pages.embed_calls import LIFETIME, at_embed_origin, cookie_name, page_of
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, Gone, NotFound, Refusal
from authserver.storage.database import unit_of_work
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import new_trace

PREFIX = "/appetize/embed"
_NOT_OPEN = "This page was not opened in this browser, or its time is over. Start a new device from where you came."


def create_blueprint(parts: PageParts) -> Blueprint:
    """Return the embed page's blueprint."""
    blueprint = Blueprint("embed", __name__, url_prefix=PREFIX)
    embed_calls.add_calls(blueprint, parts)

    @blueprint.get("/<handoff_id>")
    def show(handoff_id: str) -> Response:
        return _page(parts, handoff_id) if at_embed_origin() else _send_on(parts, handoff_id)

    @blueprint.post("/<handoff_id>", endpoint="open")
    def open_page(handoff_id: str) -> Response:
        """Take a ticket, once, for the page's cookie. `Limits` let the form through, by its Host and its Origin."""
        trace = new_trace()
        with unit_of_work() as work:
            try:
                if not at_embed_origin():
                    raise NotFound("embed.host")
                ticket = request.form.get("ticket", "")
                cookie = parts.appetize.pages.open(work, handoff_id, ticket, address=trace.address)
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)
        response = go_to(f"{PREFIX}/{handoff_id}")
        secure = parts.settings.appetize.embed_origin.startswith("https:")
        response.set_cookie(
            cookie_name(parts, handoff_id),
            cookie,
            max_age=parts.settings.impersonation.total_seconds + LIFETIME,
            path="/" if secure else f"{PREFIX}/{handoff_id}",
            secure=secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    return blueprint


def _send_on(parts: PageParts, handoff_id: str) -> Response:
    """Give the actor's browser a form with a ticket, which leads to the embed origin; anybody else gets none."""
    trace, origin = new_trace(), parts.settings.appetize.embed_origin
    with unit_of_work() as work:
        try:
            if not origin:
                raise NotFound("embed.not_configured")
            signed_in = parts.browser.signed_in(work)
            if signed_in is None:
                return go_to(f"/login?{urlencode({'return_to': f'{PREFIX}/{handoff_id}'})}")
            trace.actor = signed_in.user_id
            if not may_call(trace.endpoint, Caller(Credential.BROWSER), {Relation.ACTOR}):
                raise Forbidden("access.table")
            ticket = parts.appetize.pages.ticket(
                work, handoff_id, user_id=signed_in.user_id, session_id=signed_in.session_id
            )
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
    html = render_template("embed_ticket.html", action=f"{origin}{PREFIX}/{handoff_id}", ticket=ticket)
    response = page(html, form_action=origin, scripts=True)
    response.headers["Referrer-Policy"] = "strict-origin"  # under same-origin the form would come with Origin: null
    return response


def _page(parts: PageParts, handoff_id: str) -> Response:
    """Show the page to the browser that opened it."""
    trace, cookie = new_trace(), request.cookies.get(cookie_name(parts, handoff_id), "")
    if not cookie and request.headers.get("Sec-Fetch-Site") == "cross-site":
        # What the issuer's form led to counts as coming from there, and a Strict cookie does not come along with that:
        # the page asks for itself again, once, from its own origin.
        return page(render_template("embed_again.html", location=f"{PREFIX}/{handoff_id}"))
    with unit_of_work() as work:
        try:
            found = page_of(parts, work, trace, handoff_id)
            shown = embed_calls.state_of(parts, work, found)
            nonce = parts.entropy.token()
            html = render_template("embed.html", shown=shown, nonce=nonce, back=_back(parts, found))
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(Gone(refusal.reason, _NOT_OPEN))
    return _with_the_vendors(page(html), found, nonce)


def _back(parts: PageParts, found: Found) -> str:
    """Return where the impersonation stands in the console; empty where there is none."""
    settings = parts.settings
    return f"{settings.issuer}/console/impersonations/{found.record.id}" if settings.console.enabled else ""


def _with_the_vendors(response: Response, found: Found, nonce: str) -> Response:
    """Let the vendor's script and frame in, and nothing else; our own scripts come by the nonce.

    Of an app that may be used no more not even those: its page ends what runs, and starts nothing.
    """
    script, base = "", "'none'"
    if found.offered is not None:
        sdk, base = urlsplit(found.offered.sdk_url), found.offered.base_url
        script = f" {sdk.scheme}://{sdk.netloc}"
    connect = f"'self' {base}" if script else "'self'"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"script-src 'nonce-{nonce}'{script}; worker-src 'self'; connect-src {connect}; frame-src {base}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response
