"""`/login` and `/logout`: a person signs in, step by step, and goes back to where they came from."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, Response, render_template, request

from authserver.accounts.pending import Finished, SecondFactorNeeded, factors_of
from authserver.accounts.refusals import LoginExpired, Throttled, WrongCredentials
from authserver.accounts.sessions import Place
from authserver.accounts.sign_in import Step
from authserver.federation.upstream import Offer
from authserver.pages.parts import PageParts
from authserver.protocol.redirects import redirect_uri_fits
from authserver.protocol.refusals import Refusal
from authserver.storage import clients
from authserver.storage.database import Work, unit_of_work
from authserver.web.pages import error_page, go_from_form, go_to, leads_to, page
from authserver.web.refusals import new_trace

LOGIN = "login"
"""The cookie of a sign-in under way."""

_RETURN = re.compile(
    r"/(account(/history|/permissions|/sign-in|/(requests|impersonations)/[A-Za-z0-9_-]{1,64})?"
    r"|interactions/[A-Za-z0-9_-]{1,64}|device(\?user_code=[B-Z]{4}-[B-Z]{4})?|oauth/authorize\?[!-~]*"
    r"|appetize/embed/[A-Za-z0-9_]{1,64})"
)
_ACCOUNT = "/account"
_TOTP = re.compile(r"\s*\d{3}\s*\d{3}\s*")
_MAX_RETURN = 9216
"""A little more than an authorization request may have."""


def add_sign_in(blueprint: Blueprint, parts: PageParts) -> None:  # noqa: C901 - a list of pages
    """Add the pages."""

    @blueprint.get("/login")
    def login() -> Response:
        with unit_of_work() as work:
            cookie = parts.browser.cookie(LOGIN) or parts.sign_in.pending.new_cookie()
            hint = request.args.get("login_hint", "")[:255]
            there = None if "other" in request.args else _came_from(parts, work)
            response = _login_page(parts, work, cookie, return_to(request.args), username=hint, came_from=there)
        parts.browser.set(response, cookie, kind=LOGIN, max_age=parts.settings.accounts.login_seconds)
        return response

    @blueprint.post("/login", endpoint="prove_password")
    def prove_password() -> Response:
        username = request.form.get("username", "")

        def step(work: Work, cookie: str, address: str) -> Step:
            password = request.form.get("password", "")
            parts.sign_in.pending.ensure(work, cookie, return_to(request.form))
            return parts.sign_in.with_password(work, cookie, username=username, password=password, address=address)

        def show(work: Work, refusal: Refusal) -> Response:
            cookie, onwards = parts.browser.cookie(LOGIN), return_to(request.form)
            return _login_page(parts, work, cookie, onwards, username=username[:255], refusal=refusal)

        return _take(parts, step, show)

    @blueprint.get("/login/factor")
    def factor() -> Response:
        with unit_of_work() as work:
            return _factor_page(parts, work)

    @blueprint.post("/login/factor", endpoint="prove_factor")
    def prove_factor() -> Response:
        def step(work: Work, cookie: str, address: str) -> Step:
            code = request.form.get("code", "")
            if _TOTP.fullmatch(code):
                return parts.sign_in.with_totp(work, cookie, code=code, address=address)
            return parts.sign_in.with_recovery_code(work, cookie, code=code, address=address)

        return _take(parts, step, lambda work, refusal: _factor_page(parts, work, refusal))

    @blueprint.get("/logout")
    def logout() -> Response:
        return page(render_template("sign_out.html", csrf=parts.browser.csrf(parts.browser.cookie())))

    @blueprint.post("/logout", endpoint="sign_out")
    def sign_out() -> Response:
        return _sign_out(parts)

    @blueprint.get("/logout/callback", endpoint="finish_sign_out")
    def finish_sign_out() -> Response:
        with unit_of_work() as work:
            return parts.leaving.come_back(work, request.args.get("state", ""))


def _take(
    parts: PageParts, step: Callable[[Work, str, str], Step], show: Callable[[Work, Refusal], Response]
) -> Response:
    """Take one step of a sign-in; what is refused is shown where the person is, with what they had typed."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            cookie = parts.browser.cookie(LOGIN)
            parts.browser.check_form(request.form.get("csrf"), cookie)
            done = step(work, cookie, trace.address)
            return go_on(parts, work, done, trace.address, by_form=True)
        except LoginExpired as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
        except WrongCredentials as refusal:
            return show(work, refusal)
        except Throttled as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return show(work, refusal)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def go_on(parts: PageParts, work: Work, done: Step, address: str, *, by_form: bool = False) -> Response:
    """Send a person on to the next factor, or signed in to where they came from; `by_form` is after a form of ours."""
    match done:
        case SecondFactorNeeded():
            return go_to("/login/factor")
        case Finished(user_id=user_id, authenticated=authenticated, return_to=return_to):
            place = Place(address, request.headers.get("User-Agent", ""))
            old = parts.browser.cookie()
            started = parts.sessions.sign_in(work, user_id, authenticated, place, old_cookie=old)
            leads = _application(work, return_to) if by_form else None
            response = go_from_form(return_to, leads)
            parts.browser.set(response, started.cookie)
            parts.browser.clear(response, kind=LOGIN)
            return response


def return_to(given: Mapping[str, Any]) -> str:
    """Return where a sign-in leads: a page of ours, never elsewhere."""
    text = given.get("return_to")
    if not isinstance(text, str):
        return _ACCOUNT
    return text if len(text) <= _MAX_RETURN and _RETURN.fullmatch(text) else _ACCOUNT


def _login_page(  # noqa: PLR0913 - all that the page shows
    parts: PageParts,
    work: Work,
    cookie: str,
    onwards: str,
    *,
    username: str,
    refusal: Refusal | None = None,
    came_from: Offer | None = None,
) -> Response:
    html = render_template(
        "login.html",
        csrf=parts.browser.csrf(cookie),
        return_to=onwards,
        username=username,
        again=parts.browser.signed_in(work) is not None,
        error=None if refusal is None else refusal.public,
        passkeys=came_from is None and parts.sign_in.passkeys.available,
        offers=parts.upstream.offers() if came_from is None else (came_from,),
        came_from=came_from is not None,
    )
    form_action = leads_to(_application(work, onwards))
    return _refused(page(html, form_action=form_action, scripts=True), refusal)


def _came_from(parts: PageParts, work: Work) -> Offer | None:
    """Return the IdP where who is signed in in this browser did that: they confirm who they are there too."""
    signed_in = parts.browser.signed_in(work)
    return None if signed_in is None else parts.upstream.offer_of(signed_in.issuer)


def _factor_page(parts: PageParts, work: Work, refusal: Refusal | None = None) -> Response:
    cookie = parts.browser.cookie(LOGIN)
    found = parts.sign_in.pending.find(work.session, cookie)
    owner = None if found is None else found.user_id
    html = render_template(
        "factor.html",
        csrf=parts.browser.csrf(cookie),
        error=None if refusal is None else refusal.public,
        recovering=request.form.get("kind") == "recovery",
        factors=None if owner is None else factors_of(work.session, owner),
        passkeys=parts.sign_in.passkeys.available,
    )
    onwards = _ACCOUNT if found is None else found.return_to
    form_action = leads_to(_application(work, onwards))
    return _refused(page(html, form_action=form_action, scripts=True), refusal)


def _application(work: Work, onwards: str) -> str | None:
    """Return where the application waits that a sign-in is for: a URI that it has registered, or nowhere."""
    query = parse_qs(urlsplit(onwards).query)
    client_ids, uris = query.get("client_id", []), query.get("redirect_uri", [])
    if len(client_ids) != 1 or len(uris) != 1 or "\0" in client_ids[0]:
        return None
    client = clients.find(work.session, client_ids[0])
    if client is None or not client.enabled or not redirect_uri_fits(uris[0], client.redirect_uris):
        return None
    return uris[0]


def _refused(response: Response, refusal: Refusal | None) -> Response:
    if refusal is not None:
        response.status_code = refusal.status
    if isinstance(refusal, Throttled):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _sign_out(parts: PageParts) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
        return parts.leaving.leave(work, signed_in, None)
