"""What a customer is asked and decides: answers to requests, an end, a standing yes given or taken back."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from authserver.impersonation.consents import Answer
from authserver.impersonation.decisions import Choice, Decider
from authserver.pages.customer import own, version
from authserver.pages.parts import PageParts
from authserver.pages.permissions import permissions_page
from authserver.pages.seen import one_of
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.names import State
from authserver.protocol.refusals import Conflict, Forbidden, InvalidRequest, Refusal
from authserver.storage import impersonations, people
from authserver.storage.database import Work, unit_of_work
from authserver.storage.impersonations import Record
from authserver.storage.tables import User
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import Trace, new_trace

_MOST_DAYS_DIGITS = 4
_CHANGED = {
    "consent.shown_something_else": "The request has changed since you opened it. Please read it again.",
    "consent.not_awaited": "There was nothing to answer any more.",
    "decision.made": "You have answered this already.",
}

Action = Callable[[Work, SignedIn, User, Trace], Response]


def add_impersonations(blueprint: Blueprint, parts: PageParts) -> None:  # noqa: C901 - a list of pages
    """Add the pages."""

    @blueprint.get("/account/requests/<impersonation_id>")
    def consent_request(impersonation_id: str) -> Response:
        """Ask; a link in a message leads here, and to read it changes nothing."""
        trace = new_trace()
        with unit_of_work() as work:
            signed_in = parts.browser.signed_in(work)
            if signed_in is None:
                return go_to(f"/login?{urlencode({'return_to': f'/account/requests/{impersonation_id}'})}")
            trace.actor = signed_in.user_id
            try:
                return _request_page(parts, work, own(parts, work.session, signed_in.user_id, impersonation_id))
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)

    @blueprint.post("/account/requests/<impersonation_id>")
    def answer_request(impersonation_id: str) -> Response:
        def answer(work: Work, signed_in: SignedIn, _user: User, trace: Trace) -> Response:
            record = own(parts, work.session, signed_in.user_id, impersonation_id)
            trace.impersonation_id = record.id
            _decide(parts, work, signed_in, record)
            return go_to(f"/account/requests/{record.id}")

        def again(work: Work, user: User, refusal: Refusal) -> Response:
            """Show what is asked now, and what was wrong with the answer."""
            return _request_page(parts, work, own(parts, work.session, user.id, impersonation_id), refusal)

        return _act(parts, answer, again)

    @blueprint.post("/account/impersonations/<impersonation_id>/end")
    def end_own_impersonation(impersonation_id: str) -> Response:
        def end(work: Work, signed_in: SignedIn, _user: User, trace: Trace) -> Response:
            record = own(parts, work.session, signed_in.user_id, impersonation_id)
            trace.impersonation_id = record.id
            parts.lifecycle.end(work, record, state=State.ENDED, by=signed_in.user_id, reason="subject")
            return go_to(f"/account/impersonations/{record.id}?done=ended")

        return _act(parts, end)

    @blueprint.post("/account/consents")
    def grant_standing_consent() -> Response:
        def grant(work: Work, signed_in: SignedIn, _user: User, _trace: Trace) -> Response:
            parts.standing.grant(work, _decider(signed_in), expires_in=_days() * 86400)
            return go_to("/account/permissions?done=allowed")

        return _act(parts, grant, lambda work, user, refusal: permissions_page(parts, work, user, refusal))

    @blueprint.post("/account/consents/<consent_id>/withdraw")
    def withdraw_standing_consent(consent_id: str) -> Response:
        def withdraw(work: Work, signed_in: SignedIn, _user: User, _trace: Trace) -> Response:
            parts.standing.withdraw(work, consent_id, _decider(signed_in))
            parts.standing.withdraw_all(work, _decider(signed_in))  # the page shows one, and an app may have given more
            return go_to("/account/permissions?done=asked")

        return _act(parts, withdraw)


def _act(parts: PageParts, action: Action, again: Callable[[Work, User, Refusal], Response] | None = None) -> Response:
    """Do what a form of the customer's asks; `again` shows the form once more after an answer that was none."""
    trace, user = new_trace(), None
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            user = people.find(work.session, signed_in.user_id)
            if user is None or not _may(trace.endpoint, user.roles):
                raise Forbidden("access.table")
            return action(work, signed_in, user, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            if again is not None and user is not None and isinstance(refusal, Conflict | InvalidRequest):
                return again(work, user, refusal)
            return error_page(refusal)


def _may(endpoint: str, roles: list[str]) -> bool:
    """Tell whether who has these roles may call; that a thing is theirs is looked up with it."""
    caller = Caller(Credential.BROWSER, roles=frozenset(roles))
    return may_call(endpoint, caller, (Relation.ANYONE, Relation.SUBJECT))


def _request_page(parts: PageParts, work: Work, record: Record, refusal: Refusal | None = None) -> Response:
    found, given = one_of(parts, work.session, record), impersonations.consent_of(work.session, record.id)
    html = render_template(
        "consent_request.html",
        csrf=parts.browser.csrf(parts.browser.cookie()),
        one=found,
        record=record,
        words=parts.consents.words(work.session, record) if found.asked else None,
        given=given is not None and given.decision == "approve" and given.withdrawn_at is None,
        numbers=parts.consents.choices(record) if found.asked else (),
        until=record.extension_until if record.state is State.ACTIVE else record.pending_until,
        lapsed=record.overdue(parts.clock.now()),
        version=version(parts, work.session, record.subject_id),
        error=None if refusal is None else _CHANGED.get(refusal.reason, refusal.public),
    )
    return page(html, HTTPStatus.OK if refusal is None else refusal.status, scripts=True)


def _decide(parts: PageParts, work: Work, signed_in: SignedIn, record: Record) -> None:
    choice, number = _choice(), _number()
    words_hash = request.form.get("words_hash", "")
    answer = Answer(choice=choice, surface="account", number=number, words_hash=words_hash)
    parts.consents.decide(work, record, _decider(signed_in), answer)


def _decider(signed_in: SignedIn) -> Decider:
    return Decider(user_id=signed_in.user_id, session_id=signed_in.session_id)


def _choice() -> Choice:
    if request.form.get("decision") == "deny":
        return "deny"
    if request.form.get("decision") == "approve" or "number" in request.form:
        return "approve"
    raise InvalidRequest("consent.no_decision", "Allow it, or do not.")


def _number() -> int | None:
    text = request.form.get("number")
    if text is None or request.form.get("decision") == "deny":
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 2):  # noqa: PLR2004 - two digits are read out
        raise InvalidRequest("consent.number_malformed", "Pick one of the numbers.")
    return int(text)


def _days() -> int:
    text = request.form.get("days", "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= _MOST_DAYS_DIGITS and int(text)):
        raise InvalidRequest("consent.days_malformed", "Say for how many days.")
    return int(text)
