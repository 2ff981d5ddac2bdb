"""Passkeys in the browser: the JSON that `passkey.js` fetches and posts (WebAuthn §7)."""

from collections.abc import Callable

from flask import Blueprint, Response, json, request

from authserver.accounts.authentication import is_fresh
from authserver.accounts.refusals import WrongCredentials
from authserver.pages.account import FRESH_SECONDS
from authserver.pages.parts import PageParts
from authserver.pages.sign_in import LOGIN, go_on, return_to
from authserver.pages.user_agents import in_words
from authserver.protocol.refusals import InsufficientUserAuthentication, Refusal
from authserver.storage.database import Work, unit_of_work
from authserver.web.browser import SignedIn
from authserver.web.refusals import Trace, json_answer, new_trace, problem

_MAX_NAME = 64


def add_passkeys(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the calls."""

    @blueprint.post("/login/passkey/options")
    def passkey_options() -> Response:
        def options(work: Work, _trace: Trace) -> Response:
            cookie = parts.browser.cookie(LOGIN)
            parts.browser.check_form(request.headers.get("X-CSRF-Token"), cookie)
            if parts.sign_in.pending.find(work.session, cookie) is None:
                given = request.get_json(silent=True)
                parts.sign_in.pending.ensure(work, cookie, return_to(given if isinstance(given, dict) else {}))
            return Response(parts.sign_in.passkey_options(work, cookie).json, content_type="application/json")

        return _answer(parts, options)

    @blueprint.post("/login/passkey")
    def prove_passkey() -> Response:
        def prove(work: Work, trace: Trace) -> Response:
            cookie = parts.browser.cookie(LOGIN)
            parts.browser.check_form(request.headers.get("X-CSRF-Token"), cookie)
            text = request.get_data(as_text=True)
            done = parts.sign_in.with_passkey(work, cookie, response=text, address=trace.address)
            sent = go_on(parts, work, done, trace.address)
            sent.status_code = 200
            sent.data = json.dumps({"location": sent.headers.pop("Location")})
            sent.content_type = "application/json"
            return sent

        return _answer(parts, prove)

    @blueprint.post("/account/passkeys/options")
    def registration_options() -> Response:
        def options(work: Work, trace: Trace) -> Response:
            signed_in = _fresh(parts, work, trace)
            asked = parts.sign_in.passkeys.registration_options(work.session, signed_in.user_id)
            cookie = parts.sign_in.pending.begin(work, "/account")
            parts.sign_in.pending.set_challenge(work, cookie, asked.challenge)
            response = Response(asked.json, content_type="application/json")
            parts.browser.set(response, cookie, kind=LOGIN, max_age=parts.settings.accounts.login_seconds)
            return response

        return _answer(parts, options)

    @blueprint.post("/account/passkeys")
    def add_passkey() -> Response:
        def add(work: Work, trace: Trace) -> Response:
            signed_in = _fresh(parts, work, trace)
            cookie, pending = parts.browser.cookie(LOGIN), parts.sign_in.pending
            challenge = pending.take_challenge(work, cookie)
            parts.sign_in.passkeys.register(
                work,
                signed_in.user_id,
                challenge=challenge,
                response=request.get_data(as_text=True),
                name=request.args.get("name", "")[:_MAX_NAME] or in_words(request.headers.get("User-Agent", "")),
                by=signed_in.user_id,
            )
            pending.cancel(work, cookie)
            return json_answer({"location": "/account/sign-in"})

        return _answer(parts, add)


def _fresh(parts: PageParts, work: Work, trace: Trace) -> SignedIn:
    """Return who asks, signed in freshly enough to change how they sign in."""
    signed_in = parts.browser.require(work, request.headers.get("X-CSRF-Token"), trace)
    if not is_fresh(signed_in.auth_time, FRESH_SECONDS, parts.clock.now()):
        raise InsufficientUserAuthentication("account.not_fresh", extra={"max_age": FRESH_SECONDS})
    parts.sign_in.local_methods.demand(work.session, signed_in.user_id, signed_in.issuer)
    return signed_in


def _answer(parts: PageParts, handle: Callable[[Work, Trace], Response]) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return handle(work, trace)
        except WrongCredentials as refusal:  # its evidence is there already
            return problem(refusal)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return problem(refusal)
