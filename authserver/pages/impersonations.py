"""The customer's side of impersonation: what they are asked, what runs, who acted as them, and their consents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from authserver.impersonation import consent_words
from authserver.impersonation.consents import Answer
from authserver.impersonation.decisions import Choice, Decider
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.names import State
from authserver.protocol.refusals import Forbidden, InvalidRequest, NotFound, Refusal
from authserver.storage import actions, impersonations, listings, people
from authserver.storage.database import Work, unit_of_work
from authserver.storage.impersonations import Record
from authserver.storage.listings import Filters, Viewer
from authserver.storage.tables import PerformedAction, User
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import Trace, new_trace

_SHOWN = 20
_DAYS = (30, 90, 365)
_MOST_DAYS_DIGITS = 4

Action = Callable[[Work, SignedIn, Trace], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One impersonation as its customer sees it."""

    record: Record
    actor: str
    ended_by: str
    """Who ended it, in words."""
    actions: Sequence[PerformedAction] = ()
    """What was reported of it, the first ones."""


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
                return _request_page(parts, work, signed_in, _own(parts, work, trace, signed_in, impersonation_id))
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)

    @blueprint.post("/account/requests/<impersonation_id>")
    def answer_request(impersonation_id: str) -> Response:
        def answer(work: Work, signed_in: SignedIn, trace: Trace) -> Response:
            record = _own(parts, work, trace, signed_in, impersonation_id)
            choice, number = _choice(), _number()
            parts.consents.decide(
                work,
                record,
                _decider(signed_in),
                Answer(choice=choice, surface="account", number=number, words_hash=request.form.get("words_hash", "")),
            )
            return go_to(f"/account/requests/{record.id}")

        return _act(parts, answer)

    @blueprint.post("/account/impersonations/<impersonation_id>/end")
    def end_own_impersonation(impersonation_id: str) -> Response:
        def end(work: Work, signed_in: SignedIn, trace: Trace) -> Response:
            record = _own(parts, work, trace, signed_in, impersonation_id)
            parts.lifecycle.end(work, record, state=State.ENDED, by=signed_in.user_id, reason="subject")
            return go_to("/account")

        return _act(parts, end)

    @blueprint.post("/account/consents")
    def grant_standing_consent() -> Response:
        def grant(work: Work, signed_in: SignedIn, _trace: Trace) -> Response:
            parts.standing.grant(work, _decider(signed_in), expires_in=_days() * 86400)
            return go_to("/account")

        return _act(parts, grant)

    @blueprint.post("/account/consents/<consent_id>/withdraw")
    def withdraw_standing_consent(consent_id: str) -> Response:
        def withdraw(work: Work, signed_in: SignedIn, _trace: Trace) -> Response:
            parts.standing.withdraw(work, consent_id, _decider(signed_in))
            parts.standing.withdraw_all(work, _decider(signed_in))  # the page shows one, and an app may have given more
            return go_to("/account")

        return _act(parts, withdraw)


def customer_section(parts: PageParts, work: Work, user: User) -> dict[str, object] | None:
    """Return what the account page shows of impersonation; None for who is no customer."""
    if not _may("pages.grant_standing_consent", user.roles):
        return None
    session, now = work.session, parts.clock.now()
    viewer = Viewer(person=user.id, now=now, withholding=_withholding(parts))
    records = listings.page(session, viewer, Filters(subject=user.id), limit=_SHOWN)
    names = people.named(session, {record.actor_id for record in records})
    shown = [
        _Shown(
            record=record,
            actor=names.get(record.actor_id, ""),
            ended_by=_ended_by(record, user.id),
            actions=actions.page(session, record.id, after=None, limit=_SHOWN),
        )
        for record in records
    ]
    standing = impersonations.standing_consent(session, user.id, now=now)
    most = parts.settings.consent.standing_max_seconds
    return {
        "asked": [one for one in shown if parts.consents.asked(session, one.record) and not one.record.overdue(now)],
        "active": [one for one in shown if one.record.state is State.ACTIVE and not one.record.overdue(now)],
        "past": [one for one in shown if one.record.activated_at is not None and one.record.ended_at is not None],
        "standing": standing,
        "words": consent_words.of_standing(),
        "days": [days for days in _DAYS if days * 86400 <= most],
    }


def _act(parts: PageParts, action: Action) -> Response:
    """Do what a form of the customer's asks."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            user = people.find(work.session, signed_in.user_id)
            if user is None or not _may(trace.endpoint, user.roles):
                raise Forbidden("access.table")
            return action(work, signed_in, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)


def _may(endpoint: str, roles: list[str]) -> bool:
    """Tell whether who has these roles may call; that a thing is theirs is looked up with it."""
    caller = Caller(Credential.BROWSER, roles=frozenset(roles))
    return may_call(endpoint, caller, (Relation.ANYONE, Relation.SUBJECT))


def _own(parts: PageParts, work: Work, trace: Trace, signed_in: SignedIn, impersonation_id: str) -> Record:
    """Return an impersonation of who is signed in; anybody else's is as unknown."""
    record = impersonations.find(work.session, impersonation_id)
    if (
        record is None
        or record.subject_id != signed_in.user_id
        or record.hidden_from(signed_in.user_id, parts.clock.now(), _withholding(parts))
    ):
        raise NotFound("impersonation.not_ones_own")
    trace.impersonation_id = record.id
    return record


def _withholding(parts: PageParts) -> tuple[str, ...]:
    return parts.settings.notification.withholding_reason_codes


def _request_page(parts: PageParts, work: Work, signed_in: SignedIn, record: Record) -> Response:
    asked = parts.consents.asked(work.session, record) and not record.overdue(parts.clock.now())
    words = parts.consents.words(work.session, record) if asked else None
    names, given = people.named(work.session, {record.actor_id}), impersonations.consent_of(work.session, record.id)
    html = render_template(
        "consent_request.html",
        csrf=parts.browser.csrf(parts.browser.cookie()),
        shown=_Shown(
            record=record,
            actor=names.get(record.actor_id, ""),
            ended_by=_ended_by(record, signed_in.user_id),
        ),
        words=words,
        given=given is not None and given.decision == "approve" and given.withdrawn_at is None,
        numbers=parts.consents.choices(record) if asked else (),
        until=record.extension_until if record.state is State.ACTIVE else record.pending_until,
    )
    return page(html, scripts=True)


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


def _ended_by(record: Record, user_id: str) -> str:
    """Say who ended it, as its customer would."""
    if record.ended_by == user_id:
        return "you"
    if record.ended_by == record.actor_id:
        return "the person who helped you"
    return "time ran out" if record.ended_by == "system" else "our staff"
