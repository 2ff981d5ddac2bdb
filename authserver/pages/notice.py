"""`/notice/<token>`: what the link in a notice shows, and the button that ends it. Looking changes nothing."""

from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from authserver.impersonation.reasons import chosen
from authserver.pages.parts import PageParts
from authserver.protocol.names import OPEN_STATES, Mode, State
from authserver.protocol.refusals import Gone, NotFound, Refusal
from authserver.storage import people
from authserver.storage.database import Work, unit_of_work
from authserver.storage.impersonations import Record
from authserver.web.pages import error_page, go_to, page
from authserver.web.refusals import new_trace

NOTICE = "notice"
"""The cookie that binds the form to one browser: nobody has to sign in here."""
_COOKIE_SECONDS = 3600
_UNKNOWN = "This link is not one of ours, or it was cut. Copy the whole link from the message."
_EXPIRED = "This link has expired. What was done in your name stands on your account page."
_STATES = {
    State.ACTIVE: "It goes on now",
    State.ENDED: "It is over",
    State.REVOKED: "It is over",
    State.DENIED: "It was refused",
    State.EXPIRED: "It never began",
}


def add_notice(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the pages."""

    @blueprint.get("/notice/<token>")
    def notice(token: str) -> Response:
        with unit_of_work() as work:
            try:
                record = _record(parts, work, token)
            except Refusal as refusal:
                parts.refusals.refuse(work, new_trace(), refusal)
                return error_page(refusal)
            cookie = parts.browser.cookie(NOTICE) or parts.objections.new_cookie()
            shown = _shown(parts, work, record)
        csrf = parts.browser.csrf(cookie)
        response = page(render_template("notice.html", csrf=csrf, token=token, **shown), scripts=True)
        parts.browser.set(response, cookie, kind=NOTICE, max_age=_COOKIE_SECONDS)
        return response

    @blueprint.post("/notice/<token>", endpoint="object_to_notice")
    def object_to_notice(token: str) -> Response:
        trace = new_trace()
        with unit_of_work() as work:
            try:
                record = _record(parts, work, token)
                trace.impersonation_id = record.id
                parts.browser.check_form(request.form.get("csrf"), parts.browser.cookie(NOTICE))
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                return error_page(refusal)
            parts.objections.end(work, record)
        return go_to(url_for("pages.notice", token=token))


def _record(parts: PageParts, work: Work, token: str) -> Record:
    record = parts.objections.find(work.session, token)
    if record is None:
        raise NotFound("notice.link", _UNKNOWN)
    if parts.objections.expired(record):
        raise Gone("notice.link_expired", _EXPIRED)
    return record


def _shown(parts: PageParts, work: Work, record: Record) -> dict[str, Any]:
    actor = people.find(work.session, record.actor_id)
    now = parts.clock.now()
    running = record.state in OPEN_STATES and not record.overdue(now)
    return {
        "actor": "" if actor is None else actor.name,
        "since": record.activated_at,
        "until": record.ended_at or record.expires_at or record.pending_until,
        "reason": record.reason or chosen(record.reason_code),
        "ticket": record.ticket_id,
        "full": record.mode == Mode.FULL,
        "state": _STATES.get(record.state, "It has not begun yet") if running or record.ended_at else "It is over",
        "open": running,
        "objections": parts.settings.notification.objections,
    }
