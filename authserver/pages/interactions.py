"""`/interactions/<id>`: where a request stands, for who made it and who decides. Nothing can be decided here."""

from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, render_template

from authserver.pages.parts import PageParts
from authserver.pages.seen import one_of
from authserver.protocol.access import IMPERSONATIONS_APPROVE, entitled
from authserver.protocol.names import State
from authserver.storage import impersonations, people
from authserver.storage.database import Work, unit_of_work
from authserver.web.pages import page

_STANDS = {
    State.REQUESTED: ("Being prepared", "The customer is being told first. It begins as soon as they have been."),
    State.AWAITING_APPROVAL: ("Waiting for a second person", "A lead has to approve it. Nobody has decided yet."),
    State.AWAITING_CONSENT: ("Waiting for the customer", "They have been asked, and have not answered yet."),
    State.ACTIVE: ("It runs", "Everything that was needed has been given."),
    State.DENIED: ("It was refused", "Nothing was opened. If it is still needed, ask anew."),
    State.EXPIRED: ("It has lapsed", "Nobody answered in time. If it is still needed, ask anew."),
    State.ENDED: ("It is over", "Nothing is open because of it."),
    State.REVOKED: ("It was taken back", "Nothing is open because of it."),
}


def add_interactions(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the page."""

    @blueprint.get("/interactions/<impersonation_id>")
    def interaction(impersonation_id: str) -> Response:
        """Say what is awaited, and where to go on.

        Whom it does not concern, or who is not signed in, reads the same words for every identifier.
        """
        with unit_of_work() as work:
            values = _values(parts, work, impersonation_id)
        sign_in = f"/login?{urlencode({'return_to': f'/interactions/{impersonation_id}'})}"
        return page(render_template("interaction.html", sign_in=sign_in, **values), scripts=True)


def _values(parts: PageParts, work: Work, impersonation_id: str) -> dict[str, object]:
    """Return what is known to who looks: their name for nothing but their own part in it."""
    signed_in = parts.browser.signed_in(work)
    if signed_in is None:
        return {"signed_in": False}
    user, record = people.find(work.session, signed_in.user_id), impersonations.find(work.session, impersonation_id)
    nothing: dict[str, object] = {"signed_in": True}
    if user is None or record is None:
        return nothing
    now = parts.clock.now()
    if record.subject_id == user.id:
        withholding = parts.settings.notification.withholding_reason_codes
        hidden = record.hidden_from(user.id, now, withholding)
        return nothing if hidden else {**nothing, "subject": True, "record": record}
    decides = IMPERSONATIONS_APPROVE in entitled(user.roles)
    if record.actor_id != user.id and not decides:
        return nothing
    found = one_of(parts, work.session, record)
    title, words = _STANDS[State.EXPIRED if record.overdue(now) and record.activated_at is None else record.state]
    if record.overdue(now) and record.activated_at is not None:
        title, words = _STANDS[State.ENDED]
    asked = record.actor_id == user.id and found.asked
    return {
        **nothing,
        "title": title,
        "words": words,
        "record": record,
        "one": found,
        "number": parts.consents.number(record) if asked else None,
        "decides": decides and record.actor_id != user.id and record.state is State.AWAITING_APPROVAL,
        "console": f"/console/impersonations/{record.id}" if "console" in current_app.blueprints else None,
    }
