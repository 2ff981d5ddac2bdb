"""Sign-in at the company's IdP: there by a form of ours, back by a callback that is bound to this browser."""

from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, Response, request

from authserver.accounts.authentication import Authenticated
from authserver.accounts.sessions import Place
from authserver.audit.events import SignInFailed
from authserver.federation.refusals import FederationError, NobodyHereError
from authserver.pages.parts import PageParts
from authserver.pages.sign_in import LOGIN, return_to
from authserver.protocol.refusals import Refusal
from authserver.storage.database import Work, unit_of_work
from authserver.web.pages import error_page, go_to
from authserver.web.refusals import Trace, new_trace

UPSTREAM = "upstream"
"""The cookie of a sign-in under way at an IdP."""


class UpstreamFailed(Refusal):
    """The company's IdP did not sign the person in, or they are nobody here; the reason is in the trail."""

    error = "access_denied"
    words = "Signing in at your organisation did not work. Try again, or ask your administrator."


def add_upstream(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the two calls."""

    @blueprint.post("/login/at/<name>", endpoint="begin_upstream")
    def begin_upstream(name: str) -> Response:
        return _begin(parts, name)

    @blueprint.get("/login/at/<name>/callback", endpoint="finish_upstream")
    def finish_upstream(name: str) -> Response:
        return _finish(parts, name)


def _begin(parts: PageParts, name: str) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            cookie = parts.browser.cookie(LOGIN)
            parts.browser.check_form(request.form.get("csrf"), cookie)
            onwards = return_to(request.form)
            again = parts.browser.signed_in(work) is not None
            begun = parts.upstream.begin(
                work,
                name,
                redirect_uri=_callback(parts, name),
                return_to=onwards,
                acr_values=_acr_values(onwards),
                prompt="login" if again else None,
            )
        except FederationError as error:
            return _failed(parts, work, error, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
    response = go_to(begun.url)
    parts.browser.set(response, begun.browser_secret, kind=UPSTREAM, max_age=parts.settings.accounts.login_seconds)
    return response


def _finish(parts: PageParts, name: str) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            if any(len(request.args.getlist(key)) > 1 for key in request.args):
                raise UpstreamFailed("upstream.repeated")
            finished = parts.upstream.finish(
                work,
                name,
                redirect_uri=_callback(parts, name),
                browser_secret=parts.browser.cookie(UPSTREAM) or None,
                params=request.args.to_dict(),
            )
            token = finished.token
            user = parts.people.resolve(work, token)
            authenticated = Authenticated(token.acr, token.amr, token.auth_time)
            place = Place(trace.address, request.headers.get("User-Agent", ""))
            old = parts.browser.cookie()
            started = parts.sessions.sign_in(work, user.id, authenticated, place, old_cookie=old, issuer=token.issuer)
        except FederationError as error:
            return _failed(parts, work, error, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
    response = go_to(finished.return_to)
    parts.browser.set(response, started.cookie)
    parts.browser.clear(response, kind=LOGIN)
    parts.browser.clear(response, kind=UPSTREAM)
    return response


def _failed(parts: PageParts, work: Work, error: FederationError, trace: Trace) -> Response:
    """Say that it did not work, and leave why: one by one for a sign-in of this browser, counted for strangers."""
    refusal = UpstreamFailed(error.reason)
    if isinstance(error, NobodyHereError) or getattr(error, "return_to", None) is not None:
        work.rollback()
        parts.trail.record(work, SignInFailed(user_id=None, reason=error.reason, address=trace.address))
    else:
        parts.refusals.refuse(work, trace, refusal)
    response = error_page(refusal)
    parts.browser.clear(response, kind=UPSTREAM)
    return response


def _callback(parts: PageParts, name: str) -> str:
    return f"{parts.settings.issuer}/login/at/{name}/callback"


def _acr_values(onwards: str) -> tuple[str, ...]:
    """Return what the authorization request that a sign-in leads back to wants of it."""
    return tuple(" ".join(parse_qs(urlsplit(onwards).query).get("acr_values", [])).split())
