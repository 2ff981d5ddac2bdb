"""`/session/support-codes`: a customer makes, lists and takes back codes for an agent (S1).

On the customer's own page by forms with their proof, and by the customer's own app with their own token: without `act`,
for the issuer, with `consent:grant`. The code is shown once, in the answer to its making.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request

from authserver.impersonation.support_codes import Listed, Made, Maker, Wanted
from authserver.impersonation.words import PRESENT_SUPPORT_CODE
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, InvalidToken, Refusal
from authserver.storage import people, resources
from authserver.storage.database import Work, unit_of_work
from authserver.storage.tables import User
from authserver.web.fields import Fields
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import Trace, json_answer, new_trace, problem

PATH = "/session/support-codes"
_OWN = (Relation.ANYONE, Relation.SUBJECT)
"""What is looked up is looked up among one's own codes alone, so that whoever asks is its subject."""
_MINUTES = (5, 10, 15, 30, 60)

Handler = Callable[[Work, Trace], Response]


def add_support_codes(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the calls."""

    @blueprint.post(PATH)
    def make_support_code() -> Response:
        by_form = "Authorization" not in request.headers

        def make(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, request.form.get("csrf") if by_form else None)
            made = parts.support_codes.make(work, maker, _wanted())
            return page(render_template("support_code.html", made=made)) if by_form else json_answer(_made(made), 201)

        return _answer(parts, make, error_page if by_form else problem)

    @blueprint.get(PATH)
    def list_support_codes() -> Response:
        def show(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, None, safe=True)
            items = [_shown(listed) for listed in parts.support_codes.listing(work.session, maker.user_id)]
            words = PRESENT_SUPPORT_CODE
            present = {"version": words.version, "language": words.language, "text": words.text}
            return json_answer({"items": items, "words": present})

        return _answer(parts, show, problem)

    @blueprint.delete(f"{PATH}/<code_id>")
    def revoke_support_code(code_id: str) -> Response:
        def revoke(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, request.headers.get("X-CSRF-Token"))
            return json_answer(_shown(parts.support_codes.revoke(work, code_id, maker)))

        return _answer(parts, revoke, problem)

    @blueprint.post(f"{PATH}/<code_id>/revoke")
    def take_support_code_back(code_id: str) -> Response:
        def revoke(work: Work, trace: Trace) -> Response:
            parts.support_codes.revoke(work, code_id, _maker(parts, work, trace, request.form.get("csrf")))
            return go_to("/account")

        return _answer(parts, revoke, error_page)


def support_section(parts: PageParts, work: Work, user: User) -> dict[str, Any] | None:
    """Return what the account page shows of support codes; None for who is no customer."""
    if not may_call("pages.make_support_code", Caller(Credential.BROWSER, roles=frozenset(user.roles))):
        return None
    described, limits = resources.descriptions(work.session), parts.support_codes.limits
    listed = parts.support_codes.listing(work.session, user.id)
    return {
        "modes": parts.support_codes.modes(user),
        "scopes": [
            {"name": scope.name, "words": described.get(scope.name) or scope.name, "writes": scope.access == "write"}
            for scope in parts.support_codes.choices(work.session, user)
        ],
        "minutes": [m for m in _MINUTES if 60 * m <= limits.max_lifetime] or [max(1, limits.max_lifetime // 60)],
        "usual": limits.lifetime // 60,
        "codes": [
            {**_shown(found), "until": _moment(found.stored.expires_at), "minutes": found.stored.lifetime // 60}
            for found in listed
            if found.state in {"live", "active"}
        ],
        "words": PRESENT_SUPPORT_CODE,
    }


def _answer(parts: PageParts, handle: Handler, refused: Callable[[Refusal], Response]) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return handle(work, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return refused(refusal)


def _maker(parts: PageParts, work: Work, trace: Trace, csrf: str | None, *, safe: bool = False) -> Maker:
    """Return who calls: by their own token, or in their browser with a form's proof; `safe` needs none."""
    header = request.headers.get("Authorization")
    if header is not None:
        bearer = parts.bearer.authenticate(work.session, header, trace)
        bearer.demand(trace.endpoint, frozenset(_OWN))
        if bearer.token.authentication is None:
            raise InvalidToken("token.not_a_person")
        session_id = bearer.token.authentication.session_id
        return Maker(user_id=bearer.user_id, session_id=session_id, client_id=bearer.token.client_id)
    signed_in = parts.browser.signed_in(work) if safe else parts.browser.require(work, csrf, trace)
    if signed_in is None:
        raise InvalidToken("token.missing")
    trace.actor = signed_in.user_id
    user = people.find(work.session, signed_in.user_id)
    roles = frozenset[str]() if user is None else frozenset(user.roles)
    if not may_call(trace.endpoint, Caller(Credential.BROWSER, roles=roles), _OWN):
        raise Forbidden("access.table")
    return Maker(user_id=signed_in.user_id, session_id=signed_in.session_id, client_id=None)


def _wanted() -> Wanted:
    """Read the limits that were chosen. `scopes` is a list, `scope` the same with spaces between."""
    single = ("csrf", "mode", "scope", "lifetime", "lifetime_minutes", "expires_in", "words_version")
    if not request.content_length:
        return Wanted()
    fields = Fields.read(request, single=single, lists=("scopes", "resource"))
    scope, minutes = fields.get("scope"), fields.seconds("lifetime_minutes")
    return Wanted(
        mode=fields.get("mode"),
        scopes=fields.all("scopes") if scope is None else tuple(scope.split()),
        resources=fields.all("resource"),
        lifetime=fields.seconds("lifetime") if minutes is None else 60 * minutes,
        expires_in=fields.seconds("expires_in"),
        words_version=fields.get("words_version"),
    )


def _made(made: Made) -> dict[str, Any]:
    stored = made.stored
    return {
        "id": stored.id,
        "support_code": made.code,
        "expires_in": made.expires_in,
        "mode": stored.mode,
        "scopes": list(stored.scopes),
        "lifetime": stored.lifetime,
    }


def _shown(listed: Listed) -> dict[str, Any]:
    stored = listed.stored
    return {
        "id": stored.id,
        "state": listed.state,
        "mode": stored.mode,
        "scopes": list(stored.scopes),
        "lifetime": stored.lifetime,
        "words_shown": stored.words_shown,
        "created_at": _instant(stored.created_at),
        "expires_at": _instant(stored.expires_at),
        "impersonation_id": stored.impersonation_id,
    }


def _instant(seconds: int) -> str:
    """Write an instant in RFC 3339, in UTC, as the API does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %B %Y, %H:%M UTC")
