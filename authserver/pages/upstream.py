"""Sign-in at the company's IdP: there by a form of ours, back by a callback that is bound to this browser."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Blueprint, Response, request

from authserver.accounts.authentication import Authenticated
from authserver.accounts.sessions import Place
from authserver.accounts.throttle import Guess
from authserver.audit.events.refusals import SignInFailed
from authserver.federation.refusals import FederationError, NobodyHereError
from authserver.federation.step_up import StepUpError
from authserver.pages.parts import PageParts
from authserver.pages.sign_in import LOGIN, return_to
from authserver.protocol.refusals import Refusal
from authserver.storage.database import Work, unit_of_work
from authserver.web.markers import STALE, UNMET
from authserver.web.pages import error_page, go_to, hand_over
from authserver.web.refusals import Trace, new_trace

UPSTREAM = "upstream"
"""The cookie of a sign-in under way at an IdP."""

_MAX_AGE = re.compile(r"[0-9]{1,9}")


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
            parts.sign_in.throttle.claim(work, Guess.UPSTREAM, None, trace.address)
            onwards = return_to(request.form)
            wish, again = _Wish.of(onwards), parts.browser.signed_in(work) is not None
            begun = parts.upstream.begin(
                work,
                name,
                redirect_uri=_callback(parts, name),
                return_to=onwards,
                max_age=wish.max_age,
                acr_values=wish.acr_values,
                prompt=wish.prompt(again=again),
                old_secret=parts.browser.cookie(UPSTREAM),
            )
        except FederationError as error:
            return _failed(parts, work, error, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
    response = hand_over(begun.url)
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
            if parts.logouts.over(work.session, token):
                raise NobodyHereError("session.ended_upstream")
            user = parts.people.resolve(work, token)
            authenticated = Authenticated(token.acr, token.amr, finished.auth_time)
            place = Place(trace.address, request.headers.get("User-Agent", ""))
            old = parts.browser.cookie()
            kept = parts.leaving.remembered(user.id, token, finished.id_token)
            started = parts.sessions.sign_in(work, user.id, authenticated, place, old_cookie=old, upstream=kept)
            parts.sign_in.throttle.succeeded(work, Guess.UPSTREAM, None, trace.address)
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
    response = error_page(refusal) if not isinstance(error, StepUpError) else _back_to_client(parts, error)
    parts.browser.clear(response, kind=UPSTREAM)
    return response


def _back_to_client(parts: PageParts, error: StepUpError) -> Response:
    """Go back to the request that wanted more than there was, with the proof that it cannot be had."""
    onwards = error.return_to or ""
    asked = onwards.partition("?")[2].partition("&interaction=")[0]
    marker = parts.markers.make(UNMET if error.reason.startswith("upstream.acr") else STALE, asked)
    return go_to(f"{onwards}&{urlencode({'interaction': marker})}")


def _callback(parts: PageParts, name: str) -> str:
    return f"{parts.settings.issuer}/login/at/{name}/callback"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the authorization request that a sign-in leads back to wants of it (OIDC Core §3.1.2.1)."""

    acr_values: tuple[str, ...]
    max_age: int | None
    """0 for a sign-in that has to be done now."""

    @classmethod
    def of(cls, onwards: str) -> Self:
        """Read what the request says; whether it is well-formed is judged where it leads."""
        query = parse_qs(urlsplit(onwards).query)
        single = {name: query.get(name, [""])[0] for name in ("acr_values", "max_age", "prompt")}
        max_age = int(single["max_age"]) if _MAX_AGE.fullmatch(single["max_age"]) else None
        now = not {"login", "select_account"}.isdisjoint(single["prompt"].split())
        return cls(tuple(single["acr_values"].split()), 0 if now else max_age)

    def prompt(self, *, again: bool) -> str | None:
        """Return the `prompt` to send: who is signed in, and of whom nothing else is wanted, may be another now."""
        return "login" if self.max_age == 0 or (again and not self.acr_values and self.max_age is None) else None
