"""The customer's own pages: what happens now, who has seen their account, and what each of them did there."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from authserver.pages.action_words import lines
from authserver.pages.parts import PageParts
from authserver.pages.seen import LATELY, Seen, how_allowed, now_of, one_of, past_of, version_of
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, NotFound, Refusal
from authserver.storage import DbSession, actions, impersonations, people
from authserver.storage.database import Work, unit_of_work
from authserver.storage.impersonations import Record
from authserver.storage.tables import User
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import new_trace

_PAST = 20
_ACTIONS = 50
_MOST_PAGES_DIGITS = 4
_DONE = {
    "ended": "It has ended. They cannot see your account any more.",
    "allowed": "Done. You will not be asked each time.",
    "asked": "Done. From now on you are asked each time.",
    "taken-back": "Done. That code cannot be used any more.",
    "withdrawn": "Done. That app has to ask you again.",
    "signed-out": "Done. You are signed out there.",
}
"""What a page says once after something was done; the address names it, and has no words of its own."""

View = Callable[[Work, SignedIn, User], Response]


def add_customer(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the pages."""

    @blueprint.get("/account/history")
    def history() -> Response:
        return shown(parts, lambda work, _signed_in, user: _history(parts, work, user))

    @blueprint.get("/account/impersonations/<impersonation_id>")
    def own_impersonation(impersonation_id: str) -> Response:
        def show(work: Work, _signed_in: SignedIn, user: User) -> Response:
            return _one(parts, work, user, own(parts, work.session, user.id, impersonation_id))

        return shown(parts, show)


def is_customer(user: User) -> bool:
    """Tell whether these pages concern somebody."""
    return _may("pages.history", user.roles)


def own(parts: PageParts, session: DbSession, user_id: str, impersonation_id: str) -> Record:
    """Return an impersonation of a customer, who may know of it; any other is as unknown."""
    record, withholding = impersonations.find(session, impersonation_id), _withholding(parts)
    if record is None or record.subject_id != user_id or record.hidden_from(user_id, parts.clock.now(), withholding):
        raise NotFound("impersonation.not_ones_own")
    return record


def shown(parts: PageParts, view: View) -> Response:
    """Show a page to the customer who is signed in, after a sign-in where nobody is; refuse everybody else."""
    trace = new_trace()
    with unit_of_work() as work:
        signed_in = parts.browser.signed_in(work)
        if signed_in is None:
            return go_to(f"/login?{urlencode({'return_to': request.path})}")
        trace.actor = signed_in.user_id
        try:
            user = people.find(work.session, signed_in.user_id)
            if user is None or not _may(trace.endpoint, user.roles):
                raise Forbidden("access.table")
            return view(work, signed_in, user)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def rendered(  # noqa: PLR0913 - what the frame of the pages says
    parts: PageParts,
    work: Work,
    user: User,
    template: str,
    *,
    current: str,
    status: int = HTTPStatus.OK,
    **values: object,
) -> Response:
    """Answer with a page of the account, `current` being its place among them."""
    customer = is_customer(user)
    html = render_template(
        template,
        user=user,
        csrf=parts.browser.csrf(parts.browser.cookie()),
        customer=customer,
        current=current,
        version=version(parts, work.session, user.id) if customer else "",
        done=_DONE.get(request.args.get("done", "")) if request.method == "GET" else None,
        **values,
    )
    return page(html, status, scripts=True)


def version(parts: PageParts, session: DbSession, user_id: str) -> str:
    """Return the version of what the customer's open pages show."""
    return version_of([*now_of(parts, session, user_id), *past_of(parts, session, user_id, limit=LATELY)])


def overview(parts: PageParts, work: Work, user: User) -> Response:
    """Show what happens now, and what happened lately."""
    present = now_of(parts, work.session, user.id)
    return rendered(
        parts,
        work,
        user,
        "account.html",
        current="overview",
        present=present,
        asked=sum(each.asked for each in present),
        lately=past_of(parts, work.session, user.id, limit=LATELY),
        standing=impersonations.standing_consent(work.session, user.id, now=parts.clock.now()),
    )


def _history(parts: PageParts, work: Work, user: User) -> Response:
    before = request.args.get("before")
    place = None if before is None else own(parts, work.session, user.id, before)
    found = past_of(parts, work.session, user.id, limit=_PAST + 1, before=place)
    return rendered(
        parts,
        work,
        user,
        "account_history.html",
        current="history",
        past=found[:_PAST],
        older=found[_PAST - 1].record.id if len(found) > _PAST else None,
        later=place is not None,
        present=[] if place else [each for each in now_of(parts, work.session, user.id) if each.running],
    )


def _one(parts: PageParts, work: Work, user: User, record: Record) -> Response:
    found = one_of(parts, work.session, record)
    if record.activated_at is None and not found.ended:
        return go_to(f"/account/requests/{record.id}")
    number = _page_number()
    rows = actions.latest(work.session, record.id, skip=_ACTIONS * (number - 1), limit=_ACTIONS)
    return rendered(
        parts,
        work,
        user,
        "account_one.html",
        current="history",
        one=found,
        allowed=how_allowed(record, impersonations.consent_of(work.session, record.id)),
        lines=lines(rows),
        number=number,
        pages=_pages(found),
    )


def _pages(found: Seen) -> int:
    return max(1, -(-found.done // _ACTIONS))


def _page_number() -> int:
    text = request.args.get("page", "1")
    fine = text.isascii() and text.isdigit() and 0 < len(text) <= _MOST_PAGES_DIGITS
    return max(1, int(text)) if fine else 1


def _withholding(parts: PageParts) -> tuple[str, ...]:
    return parts.settings.notification.withholding_reason_codes


def _may(endpoint: str, roles: list[str]) -> bool:
    """Tell whether who has these roles may look; that a thing is theirs is looked up with it."""
    caller = Caller(Credential.BROWSER, roles=frozenset(roles))
    return may_call(endpoint, caller, (Relation.ANYONE, Relation.SUBJECT))
