"""The impersonations that one may see: their list, and each on a page of its own, which follows it live."""

import re

from flask import Blueprint, Response, abort, request, url_for

from authserver.console import timeline
from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page, part

_STATES = ("requested", "awaiting_approval", "awaiting_consent", "active", "ended", "denied", "expired", "revoked")
_FILTERS = ("state", "mode", "since", "until", "subject", "reason_code")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PENDING = frozenset(_STATES[:3])
_LONGER = (300, 900, 1800, 3600)
_API = "/api/v1/impersonations"
_NO_APP = "No app is set up for you. Ask an administrator."
_NO_PAGE = "This server has no page for devices: set appetize.embed_origin."


def add_impersonations(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/mine")
    def mine() -> Response:
        here = call()
        return _listing(here, "My impersonations", actor=here.me.id)

    @blueprint.get("/impersonations")
    def impersonations() -> Response:
        return _listing(call(), "All impersonations", actor=request.args.get("actor"))

    @blueprint.get("/impersonations/<impersonation_id>")
    def impersonation(impersonation_id: str) -> Response:
        here = call()
        return _one(here, _read(here, impersonation_id))

    @blueprint.get("/impersonations/<impersonation_id>/now")
    def now(impersonation_id: str) -> Response:
        """Answer what changes of its page."""
        here = call()
        it = _read(here, impersonation_id)
        return part("now.html", **_seen(here, it))

    @blueprint.get("/impersonations/<impersonation_id>/timeline")
    def happened(impersonation_id: str) -> Response:
        """Answer its timeline, as it is now."""
        here = call()
        return part("timeline.html", **_told(here, here.get(f"{_API}/{impersonation_id}")))

    _add_verbs(blueprint)


def _add_verbs(blueprint: Blueprint) -> None:
    """Add what can be done with one."""

    @blueprint.post("/impersonations/<impersonation_id>/end")
    def end(impersonation_id: str) -> Response:
        here = call()
        ended = here.post(f"{_API}/{impersonation_id}/end")
        if ended["state"] == "ended":
            here.tell(f"Ended. You act as {ended['subject']['name']} no more." if _is_own(here, ended) else "Ended.")
        return go(url_for("console.active")) if request.form.get("then") == "active" else _back(impersonation_id)

    @blueprint.post("/impersonations/<impersonation_id>/code")
    def enter_code(impersonation_id: str) -> Response:
        return _do(impersonation_id, "consent-code", {"code": request.form.get("code", "").strip()})

    @blueprint.post("/impersonations/<impersonation_id>/extend")
    def extend(impersonation_id: str) -> Response:
        seconds = request.form.get("expires_in", default=_LONGER[0], type=int)
        return _do(impersonation_id, "extend", {"expires_in": seconds}, "You have asked for more time.")

    @blueprint.post("/impersonations/<impersonation_id>/report")
    def report(impersonation_id: str) -> Response:
        return _do(impersonation_id, "report", {"report": request.form.get("report", "")}, "The report is filed.")

    @blueprint.post("/impersonations/<impersonation_id>/device")
    def device(impersonation_id: str) -> Response:
        return _open_device(call(), impersonation_id)


def _listing(here: Call, title: str, **own: Json) -> Response:
    filters = {
        name: request.args.get(name, "") for name in ("state", "mode", "since", "until", "subject", "reason_code")
    }
    days = {name: f"{filters[name]}T00:00:00Z" if _DAY.fullmatch(filters[name]) else "" for name in ("since", "until")}
    found = here.get(_API, **{**filters, **days, **own}, cursor=request.args.get("cursor"))
    return page("impersonations.html", title=title, found=found, filters=filters, states=_STATES)


def _read(here: Call, impersonation_id: str) -> Json:
    """Return one; the API has other things beside them, such as `options`, and what is none is not there."""
    found = here.get(f"{_API}/{impersonation_id}")
    if found.get("id") != impersonation_id:
        abort(404)
    return found


def _one(here: Call, it: Json, *, status: int = 200, alert_words: str = "") -> Response:
    seen = {**_seen(here, it), **_told(here, it)}
    return page("impersonation.html", status, **seen, alert_words=alert_words, typed=here.typed())


def _told(here: Call, it: Json) -> dict[str, Json]:
    """Return what the timeline shows."""
    window = timeline.Window.of(request.args)
    told = window.told(here, it["id"])
    return {"it": it, "steps": told, "window": window, "timeline": timeline, "people": timeline.people(told, it)}


def _seen(here: Call, it: Json) -> dict[str, Json]:
    """Return what the page says of one: whose it is, and whether its device is to open by itself now."""
    opening = here.session.content.get("opening") or {}
    mine = _is_own(here, it)
    return {
        "it": it,
        "mine": mine,
        "pending": it["state"] in _PENDING,
        "opens": mine and it["state"] == "active" and opening.get("id") == it["id"],
        "lengths": _LONGER,
    }


def _is_own(here: Call, it: Json) -> bool:
    return bool(it["actor"]["id"] == here.me.id)


def _do(impersonation_id: str, verb: str, body: Json, words: str = "") -> Response:
    """Do something to one, and go back to its page; a refusal is said there, with what was typed."""
    here = call()
    try:
        here.post(f"{_API}/{impersonation_id}/{verb}", body)
    except ApiRefusedError as refusal:
        it = _read(here, impersonation_id)
        return _one(here, it, status=refusal.status, alert_words=refusal.words)
    if words:
        here.tell(words)
    return _back(impersonation_id)


def _open_device(here: Call, impersonation_id: str) -> Response:
    """Hand it to an app, and go to the page where its device runs; the server gives out nothing secret to us."""
    opening = here.session.pop("opening") or {}
    apps = [each["name"] for each in here.get(f"{_API}/options")["apps"]]
    wanted = request.form.get("app") or (opening.get("app") if opening.get("id") == impersonation_id else "")
    app = wanted if wanted in apps else next(iter(apps), None)
    if app is None:
        return _one(here, _read(here, impersonation_id), status=409, alert_words=_NO_APP)
    try:
        handed = here.post("/appetize/handoffs", {"impersonation": impersonation_id, "app": app})
    except ApiRefusedError as refusal:
        it = _read(here, impersonation_id)
        return _one(here, it, status=refusal.status, alert_words=refusal.words)
    url = str(handed.get("embed_url") or "")
    if not url.startswith(f"{here.parts.issuer}/"):
        return _one(here, _read(here, impersonation_id), status=409, alert_words=_NO_PAGE)
    return go(url)


def _back(impersonation_id: str) -> Response:
    return go(url_for("console.impersonation", impersonation_id=impersonation_id))
