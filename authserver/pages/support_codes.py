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
from authserver.pages.customer import is_customer
from authserver.pages.parts import PageParts
from authserver.pages.permissions import permissions_page
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, InvalidToken, Refusal
from authserver.storage import people, resources
from authserver.storage.database import Work, unit_of_work
from authserver.web.fields import Fields
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import Trace, json_answer, new_trace, problem

PATH = "/session/support-codes"
_OWN = (Relation.ANYONE, Relation.SUBJECT)
"""What is looked up is looked up among one's own codes alone, so that whoever asks is its subject."""

Handler = Callable[[Work, Trace], Response]
Refused = Callable[[Refusal, Work, Trace], Response]


def add_support_codes(blueprint: Blueprint, parts: PageParts) -> None:  # noqa: C901 - a list of calls
    """Add the calls."""

    @blueprint.post(PATH)
    def make_support_code() -> Response:
        by_form = "Authorization" not in request.headers

        def make(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, request.form.get("csrf") if by_form else None)
            made = parts.support_codes.make(work, maker, _wanted())
            return _code_page(work, made) if by_form else json_answer(_made(made), 201)

        def again(refusal: Refusal, work: Work, trace: Trace) -> Response:
            """Show the form again, with what was typed, where what was typed is what is wrong."""
            user = people.find(work.session, trace.actor or "")
            if user is None or not is_customer(user) or isinstance(refusal, Forbidden | InvalidToken):
                return error_page(refusal)
            return permissions_page(parts, work, user, refusal)

        return _answer(parts, make, again if by_form else _as_problem)

    @blueprint.get(PATH)
    def list_support_codes() -> Response:
        def show(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, None, safe=True)
            items = [_shown(listed) for listed in parts.support_codes.listing(work.session, maker.user_id)]
            words = PRESENT_SUPPORT_CODE
            present = {"version": words.version, "language": words.language, "text": words.text}
            return json_answer({"items": items, "words": present})

        return _answer(parts, show, _as_problem)

    @blueprint.delete(f"{PATH}/<code_id>")
    def revoke_support_code(code_id: str) -> Response:
        def revoke(work: Work, trace: Trace) -> Response:
            maker = _maker(parts, work, trace, request.headers.get("X-CSRF-Token"))
            return json_answer(_shown(parts.support_codes.revoke(work, code_id, maker)))

        return _answer(parts, revoke, _as_problem)

    @blueprint.post(f"{PATH}/<code_id>/revoke")
    def take_support_code_back(code_id: str) -> Response:
        def revoke(work: Work, trace: Trace) -> Response:
            parts.support_codes.revoke(work, code_id, _maker(parts, work, trace, request.form.get("csrf")))
            return go_to("/account/permissions?done=taken-back")

        return _answer(parts, revoke, lambda refusal, _work, _trace: error_page(refusal))


def _answer(parts: PageParts, handle: Handler, refused: Refused) -> Response:
    trace = new_trace()
    with unit_of_work() as work:
        try:
            return handle(work, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return refused(refusal, work, trace)


def _as_problem(refusal: Refusal, _work: Work, _trace: Trace) -> Response:
    return problem(refusal)


def _code_page(work: Work, made: Made) -> Response:
    described = resources.descriptions(work.session)
    may_see = [described.get(name) or name for name in made.stored.scopes]
    return page(render_template("support_code.html", made=made, may_see=may_see), scripts=True)


def _maker(parts: PageParts, work: Work, trace: Trace, csrf: str | None, *, safe: bool = False) -> Maker:
    """Return who calls: by their own token, or in their browser with a form's proof; `safe` needs none."""
    header = request.headers.get("Authorization")
    if header is not None:
        bearer = parts.bearer.authenticate(work, header, trace)
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
