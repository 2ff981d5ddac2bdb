"""`/device` (RFC 8628 §3.3): a person types the code that a device shows, reads who asks for what, and decides.

A link may bring the code along; it is only filled in. Nothing is looked up by GET, and nothing decided before the
person has seen what it is about.
"""

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from authserver.accounts.devices import Decider, Shown, Waiting, read_user_code
from authserver.accounts.refusals import NothingToAllow, Throttled, UnknownUserCode
from authserver.accounts.throttle import Guess
from authserver.pages.parts import PageParts
from authserver.pages.user_agents import in_words
from authserver.protocol.refusals import InvalidRequest, Refusal
from authserver.storage import people, resources
from authserver.storage.database import Work, unit_of_work
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import Trace, new_trace

_ALLOWED, _DENIED = "allowed", "denied"
_OUTCOMES = {"allow": _ALLOWED, "deny": _DENIED}


def add_device(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the pages."""

    @blueprint.get("/device")
    def device() -> Response:
        code = read_user_code(request.args.get("user_code", ""))
        with unit_of_work() as work:
            signed_in = parts.browser.signed_in(work)
            return _sign_in_first(code) if signed_in is None else _code_page(parts, work, signed_in, code)

    @blueprint.post("/device")
    def enter_device_code() -> Response:
        trace, code = new_trace(), read_user_code(request.form.get("user_code", ""))
        with unit_of_work() as work:
            signed_in = parts.browser.signed_in(work)
            if signed_in is None:
                return _sign_in_first(code)
            trace.actor = signed_in.user_id
            try:
                parts.browser.check_form(request.form.get("csrf"), parts.browser.cookie())
                return _confirm_page(parts, work, trace, signed_in, _find(parts, work, trace, signed_in, code))
            except (UnknownUserCode, NothingToAllow, Throttled) as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return _code_page(parts, work, signed_in, code, refusal)
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)

    @blueprint.post("/device/decision")
    def decide_device() -> Response:
        return _decide(parts)

    @blueprint.get(f"/device/<any({_ALLOWED}, {_DENIED}):outcome>")
    def device_done(outcome: str) -> Response:
        """Say what was decided, and nothing of by whom: nobody has to sign in to read it."""
        return page(render_template("device_done.html", allowed=outcome == _ALLOWED))


def _sign_in_first(code: str) -> Response:
    back = "/device" + (f"?{urlencode({'user_code': code})}" if code else "")
    return go_to(f"/login?{urlencode({'return_to': back})}")


def _find(parts: PageParts, work: Work, trace: Trace, signed_in: SignedIn, code: str) -> Waiting:
    """Count the try, then look. A right one is uncounted and forgives no other: whoever guesses may have one too."""
    parts.sign_in.throttle.claim(work, Guess.USER_CODE, signed_in.user_id, trace.address)
    if not code:
        raise UnknownUserCode("user_code.malformed")
    waiting = parts.devices.find(work.session, code, signed_in.user_id)
    parts.sign_in.throttle.withdraw(work, Guess.USER_CODE, signed_in.user_id, trace.address)
    return waiting


def _code_page(
    parts: PageParts, work: Work, signed_in: SignedIn, code: str, refusal: Refusal | None = None
) -> Response:
    html = render_template(
        "device.html",
        csrf=parts.browser.csrf(parts.browser.cookie()),
        username=_username(work, signed_in),
        code=code,
        error=None if refusal is None else refusal.public,
    )
    response = page(html, 200 if refusal is None else refusal.status)
    if isinstance(refusal, Throttled):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _confirm_page(parts: PageParts, work: Work, trace: Trace, signed_in: SignedIn, waiting: Waiting) -> Response:
    html = render_template(
        "device_confirm.html",
        csrf=parts.browser.csrf(parts.browser.cookie()),
        username=_username(work, signed_in),
        code=waiting.user_code,
        shown=parts.devices.shown(waiting, signed_in.session_id),
        client=waiting.client,
        scopes=[(scope.name, scope.resource) for scope in waiting.scopes],
        described=resources.descriptions(work.session),
        places=resources.names(work.session),
        issuer=parts.settings.issuer,
        address=waiting.address,
        elsewhere=waiting.address != trace.address,
        program=in_words(waiting.user_agent),
        minutes=(parts.clock.now() - waiting.created_at) // 60,
    )
    return page(html)


def _username(work: Work, signed_in: SignedIn) -> str:
    user = people.find(work.session, signed_in.user_id)
    return "" if user is None else user.username


def _decide(parts: PageParts) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            outcome = _OUTCOMES.get(request.form.get("decision", ""))
            if outcome is None:
                raise InvalidRequest("device.decision")
            by = Decider(user_id=signed_in.user_id, session_id=signed_in.session_id, address=trace.address)
            _write(parts, work, by, allow=outcome == _ALLOWED)
            return go_to(f"/device/{outcome}")
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def _write(parts: PageParts, work: Work, by: Decider, *, allow: bool) -> None:
    """Write a decision; one that fails is counted like a wrong code."""
    shown = Shown(
        user_code=read_user_code(request.form.get("user_code", "")),
        family_id=request.form.get("family_id", ""),
        scopes=request.form.get("scopes", ""),
        proof=request.form.get("proof", ""),
    )
    try:
        parts.devices.decide(work, by, shown, allow=allow)
    except UnknownUserCode:
        work.rollback()  # nothing is written yet, and nobody else has to wait for what was held
        parts.sign_in.throttle.claim(work, Guess.USER_CODE, by.user_id, by.address)
        raise
