"""`/account`: a customer's overview, and for everybody how they sign in and what applications may do."""

from collections.abc import Callable

from flask import Blueprint, Response, render_template, request

from authserver.accounts.authentication import is_fresh
from authserver.accounts.pending import factors_of
from authserver.accounts.refusals import CredentialRefused
from authserver.audit.events.sign_in import ApplicationWithdrawn
from authserver.pages.customer import is_customer, overview, rendered
from authserver.pages.parts import PageParts
from authserver.pages.user_agents import in_words
from authserver.protocol.refusals import Forbidden, NotFound, Refusal
from authserver.storage import accounts, authorizations, people
from authserver.storage.database import Work, unit_of_work
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import new_trace

FRESH_SECONDS = 300
"""How old a sign-in may be that changes how one signs in."""

_ACCOUNT = "/account"
_SIGNING_IN = "/account/sign-in"

Action = Callable[[Work, SignedIn], Response]


def add_account(blueprint: Blueprint, parts: PageParts) -> None:  # noqa: C901 - a list of pages
    """Add the pages."""

    @blueprint.get("/account")
    def account() -> Response:
        with unit_of_work() as work:
            signed_in = parts.browser.signed_in(work)
            if signed_in is None:
                return go_to(f"/login?return_to={_ACCOUNT}")
            return _account_page(parts, work, signed_in)

    @blueprint.get("/account/sign-in")
    def signing_in() -> Response:
        with unit_of_work() as work:
            signed_in = parts.browser.signed_in(work)
            if signed_in is None:
                return go_to(f"/login?return_to={_SIGNING_IN}")
            return _account_page(parts, work, signed_in, overviews=False)

    @blueprint.post("/account/sessions/<session_id>/end")
    def end_session(session_id: str) -> Response:
        def end(work: Work, signed_in: SignedIn) -> Response:
            if not parts.sessions.end(work, session_id, user_id=signed_in.user_id, by=signed_in.user_id):
                raise NotFound("session.unknown")
            return go_to(_signing_in(work, signed_in.user_id, "signed-out"))

        return _act(parts, end, fresh=False)

    @blueprint.post("/account/sessions/end-others")
    def end_other_sessions() -> Response:
        def end(work: Work, signed_in: SignedIn) -> Response:
            parts.sessions.end_all(work, signed_in.user_id, by=signed_in.user_id, but=signed_in.session_id)
            return go_to(_signing_in(work, signed_in.user_id, "signed-out"))

        return _act(parts, end, fresh=False)

    @blueprint.post("/account/applications/<client_id>/withdraw")
    def withdraw_application(client_id: str) -> Response:
        def withdraw(work: Work, signed_in: SignedIn) -> Response:
            work.lock()
            if not authorizations.withdraw(work.session, signed_in.user_id, client_id):
                raise NotFound("application.unknown")
            authorizations.end_families(work.session, signed_in.user_id, client_id, now=parts.clock.now())
            event = ApplicationWithdrawn(
                user_id=signed_in.user_id, session_id=signed_in.session_id, client_id=client_id
            )
            parts.trail.record(work, event)
            return go_to("/account/permissions?done=withdrawn" if _customer(work, signed_in.user_id) else _ACCOUNT)

        return _act(parts, withdraw, fresh=False)

    @blueprint.post("/account/totp")
    def enrol_totp() -> Response:
        return _act(parts, lambda work, signed_in: _enrol(parts, work, signed_in), adds=True)

    @blueprint.post("/account/totp/confirm")
    def confirm_totp() -> Response:
        return _act(parts, lambda work, signed_in: _confirm(parts, work, signed_in), adds=True)

    @blueprint.post("/account/totp/remove")
    def remove_totp() -> Response:
        def remove(work: Work, signed_in: SignedIn) -> Response:
            parts.sign_in.totp.remove(work, signed_in.user_id, by=signed_in.user_id)
            return go_to(_signing_in(work, signed_in.user_id))

        return _act(parts, remove)

    @blueprint.post("/account/passkeys/remove")
    def remove_passkey() -> Response:
        def remove(work: Work, signed_in: SignedIn) -> Response:
            credential_id = request.form.get("credential_id", "")
            if not parts.sign_in.passkeys.remove(work, signed_in.user_id, credential_id, by=signed_in.user_id):
                raise NotFound("passkey.unknown")
            return go_to(_signing_in(work, signed_in.user_id))

        return _act(parts, remove)

    @blueprint.post("/account/recovery-codes")
    def new_recovery_codes() -> Response:
        def make(work: Work, signed_in: SignedIn) -> Response:
            codes = parts.sign_in.recovery.regenerate(work, signed_in.user_id, by=signed_in.user_id)
            return page(render_template("recovery_codes.html", codes=codes))

        return _act(parts, make, adds=True)


def _act(parts: PageParts, action: Action, *, fresh: bool = True, adds: bool = False) -> Response:
    """Do what a form of the account page asks; what changes how one signs in wants a fresh sign-in.

    `adds` is for what adds a method here, which is not for everybody.
    """
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            if adds:
                parts.sign_in.local_methods.demand(work.session, signed_in.user_id, signed_in.issuer)
            if fresh and not is_fresh(signed_in.auth_time, FRESH_SECONDS, parts.clock.now()):
                return go_to(f"/login?return_to={_signing_in(work, signed_in.user_id)}")
            return action(work, signed_in)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def _customer(work: Work, user_id: str) -> bool:
    user = people.find(work.session, user_id)
    return user is not None and is_customer(user)


def _signing_in(work: Work, user_id: str, done: str = "") -> str:
    """Return where somebody's sign-in methods are: a page of its own for a customer, and all there is for others."""
    if not _customer(work, user_id):
        return _ACCOUNT
    return f"{_SIGNING_IN}?done={done}" if done else _SIGNING_IN


def _account_page(parts: PageParts, work: Work, signed_in: SignedIn, *, overviews: bool = True) -> Response:
    """Show the overview to a customer, and how one signs in to everybody else."""
    user = people.find(work.session, signed_in.user_id)
    if user is None:
        return error_page(Forbidden("user.unknown"))
    if overviews and is_customer(user):
        return overview(parts, work, user)
    sessions = [
        {
            "id": session.id,
            "current": session.id == signed_in.session_id,
            "browser": in_words(session.user_agent),
            "address": session.address,
            "since": session.created_at,
        }
        for session in parts.sessions.listing(work.session, user.id)
    ]
    adds = parts.sign_in.local_methods.may_change(work.session, user.id, signed_in.issuer)
    return rendered(
        parts,
        work,
        user,
        "account_sign_in.html",
        current="sign-in",
        factors=factors_of(work.session, user.id),
        passkeys=accounts.passkeys_of(work.session, user.id),
        passkeys_available=adds and parts.sign_in.passkeys.available,
        adds_methods=adds,
        sessions=sessions,
        applications=() if is_customer(user) else authorizations.clients_of(work.session, user.id),
    )


def _enrol(parts: PageParts, work: Work, signed_in: SignedIn) -> Response:
    user = people.find(work.session, signed_in.user_id)
    username = "" if user is None else user.username
    enrolment = parts.sign_in.totp.enrol(work, signed_in.user_id, username)
    return _enrolment_page(parts, enrolment.uri, enrolment.secret)


def _confirm(parts: PageParts, work: Work, signed_in: SignedIn) -> Response:
    code = request.form.get("code", "")
    if parts.sign_in.totp.confirm(work, signed_in.user_id, code, by=signed_in.user_id):
        return go_to(_signing_in(work, signed_in.user_id))
    user = people.find(work.session, signed_in.user_id)
    enrolment = parts.sign_in.totp.pending(work, signed_in.user_id, "" if user is None else user.username)
    if enrolment is None:
        raise CredentialRefused("totp.not_enrolling")
    return _enrolment_page(parts, enrolment.uri, enrolment.secret, wrong=True)


def _enrolment_page(parts: PageParts, uri: str, secret: str, *, wrong: bool = False) -> Response:
    import segno  # noqa: PLC0415 - only an enrolment needs it

    html = render_template(
        "totp.html",
        csrf=parts.browser.csrf(parts.browser.cookie()),
        qr=segno.make(uri, error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff"),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        wrong=wrong,
    )
    return page(html, 400 if wrong else 200)
