"""A lead's pages: what waits for a decision, and all that runs."""

from http import HTTPStatus

from flask import Blueprint, Response, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page, part

_API = "/api/v1/impersonations"
_PAGE = 100
_SHORTER = (300, 600, 900, 1800, 3600, 7200)
_WITHHOLDINGS = {86_400: "After a day", 7 * 86_400: "After a week", 30 * 86_400: "After 30 days"}
_CHANGED = "This is not as it was when you looked. See what it says now, then decide."
_KINDS = {"approve": "Approved.", "deny": "Denied."}


def add_lead(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/queue")
    def queue() -> Response:
        here = _admitted()
        typed = here.typed()
        kept = {"id": typed.get("id"), "remark": typed.get("remark"), "expires_in": typed.get("expires_in", type=int)}
        return page("queue.html", **_waiting(here), kept=kept)

    @blueprint.get("/queue/now")
    def queue_now() -> Response:
        """Answer what changes of the queue."""
        return part("queue_now.html", **_waiting(call()))

    @blueprint.post("/queue/<impersonation_id>")
    def decide(impersonation_id: str) -> Response:
        return _decide(call(), impersonation_id)

    @blueprint.get("/active")
    def active() -> Response:
        here = _admitted()
        return page("active.html", **_running(here), reason=here.typed().get("reason", ""))

    @blueprint.get("/active/now")
    def active_now() -> Response:
        """Answer what changes of the list of what runs."""
        return part("active_now.html", **_running(call()))

    @blueprint.post("/active/end")
    def end_all() -> Response:
        return _end_all(call())


def _admitted() -> Call:
    """Refuse who sees their own impersonations alone: what stands here would not be all, and they would not know."""
    here = call()
    if not here.me.may("impersonations:read", "lead", "admin", "auditor"):
        raise ApiRefusedError(HTTPStatus.FORBIDDEN, {"error": "insufficient_scope"})
    return here


def _waiting(here: Call) -> dict[str, Json]:
    """Return what waits for an approval that this person has no part in, the oldest first: it ends first too."""
    found = here.get(_API, waiting_for="approval", limit=_PAGE)
    others = [it for it in reversed(found["items"]) if here.me.id not in {it["actor"]["id"], it["subject"]["id"]}]
    withheld = here.get(f"{_API}/options")["withholding_reason_codes"] if others and here.me.may("impersonate") else []
    return {
        "waiting": [{**_asked(it), "may_withhold": it["reason_code"] in withheld} for it in others],
        "withholdings": _WITHHOLDINGS,
        "more_wait": found["next_cursor"] is not None,
        "decides": here.me.may("impersonations:approve", "lead"),
    }


def _asked(it: Json) -> Json:
    """Return a request, or the extension of what runs, with what is to be decided on it."""
    extension = it["extension"] if it["state"] == "active" else None
    asked = extension["expires_in"] if extension else it["expires_in"]
    return {
        "it": it,
        "extends": extension is not None,
        "digest": (extension or it).get("digest") or "",
        "seconds": asked,
        "until": (extension or it)["pending_until"],
        "shorter": [each for each in _SHORTER if each < asked],
    }


def _decide(here: Call, impersonation_id: str) -> Response:
    """Approve or deny what was shown; a refusal is said on the queue, which still has what was typed."""
    decision, remark = request.form.get("decision", ""), request.form.get("remark", "").strip()
    body: dict[str, Json] = {"decision": decision, "remark": remark}
    seconds = request.form.get("expires_in", type=int)
    if decision == "approve" and seconds:
        body["expires_in"] = seconds
    withhold = request.form.get("withhold", type=int)
    if decision == "approve" and withhold:
        body["withhold_notice_until"] = withhold
    if request.form.get("digest"):
        body["digest"] = request.form["digest"]
    try:
        decided = here.post(f"{_API}/{impersonation_id}/approval", body)
    except ApiRefusedError as refusal:
        kept = {"id": impersonation_id, "remark": remark, "expires_in": seconds}
        words = _CHANGED if refusal.status == HTTPStatus.CONFLICT else refusal.words
        return page("queue.html", refusal.status, **_waiting(here), alert_words=words, kept=kept)
    here.tell(f"{_KINDS.get(decision, 'Done.')} {decided['actor']['name']} for {decided['subject']['name']}.")
    return go(url_for("console.queue"))


def _running(here: Call) -> dict[str, Json]:
    """Return all that runs, and whether there is anything that could be ended: what waits is, too."""
    found = here.get(_API, state="active", limit=_PAGE)
    anything = bool(found["items"] or here.get(_API, open="true", limit=1)["items"])
    return {"running": found["items"], "more_run": found["next_cursor"] is not None, "anything": anything}


def _end_all(here: Call) -> Response:
    reason = request.form.get("reason", "").strip()
    try:
        ended = here.post(f"{_API}/end", {"all": True, "reason": reason})["ended"]
    except ApiRefusedError as refusal:
        return page("active.html", refusal.status, **_running(here), alert_words=refusal.words, reason=reason)
    here.tell(f"Ended {ended}." if ended else "There was nothing to end.")
    return go(url_for("console.active"))
