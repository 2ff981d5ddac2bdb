"""An auditor's pages: the trail, each event of it, its proof, and a download of it."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, request, url_for

from authserver.console import event_words
from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.downloads import Download
from authserver.console.event_values import label, value
from authserver.console.reports import add_reports
from authserver.console.trail_filters import TrailFilters, complaint, known_people, words_for

_API = "/api/v1/audit"
_PAGE = 40
_KNOWN = 50
_PATIENCE = 600.0
"""Seconds that a verification of a long trail may take."""
_MOST_PROBLEMS = 100
_MAX_DIGITS = 17


def add_evidence(blueprint: Blueprint) -> None:
    """Add the pages."""
    blueprint.add_app_template_filter(label, "label")
    blueprint.add_app_template_filter(event_words.said, "event_words")
    blueprint.add_app_template_global(value, "event_value")

    @blueprint.get("/trail")
    def trail() -> Response:
        return _trail(call())

    @blueprint.get("/trail/<seq>")
    def event(seq: str) -> Response:
        here, number = call(), _number(seq)
        found = here.get(f"{_API}/events", cursor=str(number + 1), limit=1)
        if not found["items"] or found["items"][0]["seq"] != number:
            abort(404)
        return page("event.html", event=found["items"][0], names=found["names"], of=event_words)

    @blueprint.get("/trail/export")
    def export() -> Response:
        here = call()
        form = "csv" if request.args.get("format") == "csv" else "jsonl"
        filters = TrailFilters.of(request.args, {})
        return Download(here.open(f"{_API}/export", **filters.query(), format=form), form).response()

    _add_proof(blueprint)
    add_reports(blueprint)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        abort(404)
    return int(text)


def _add_proof(blueprint: Blueprint) -> None:
    """Add the verification."""

    @blueprint.get("/trail/verify")
    def proof() -> Response:
        return _proof(call())

    @blueprint.post("/trail/verify")
    def verify() -> Response:
        here = call()
        try:
            found = here.post(f"{_API}/verify", patience=_PATIENCE)
        except ApiRefusedError as refusal:
            if refusal.error != "conflict":
                raise
            return _proof(here, refusal.status, refusal.words)
        shown = {**found, "problems": found["problems"][:_MOST_PROBLEMS], "count": len(found["problems"])}
        here.session.put("proof", {**shown, "verified_at": datetime.fromtimestamp(here.parts.now(), UTC).isoformat()})
        return go(url_for("console.proof"))


def _proof(here: Call, status: int = 200, alert_words: str = "") -> Response:
    """Show what the last verification of this session found."""
    _admit(here)
    return page("proof.html", status, found=here.session.content.get("proof"), alert_words=alert_words)


def _trail(here: Call) -> Response:
    known = _names(here)
    filters = TrailFilters.of(request.args, known)
    found, words, wrong = _events(here, filters)
    return page(
        "trail.html",
        200 if not words else 400,
        found=found,
        filters=filters,
        wrong=wrong,
        alert_words=words,
        names={**known, **found["names"]},
        choices=list(event_words.choices()),
        of=event_words,
    )


def _events(here: Call, filters: TrailFilters) -> tuple[Json, str, list[str]]:
    """Return a page of events, or words and fields where the filters are none."""
    nothing: dict[str, Any] = {"items": [], "names": {}, "next_cursor": None}
    if misfit := filters.misfit():
        _admit(here)
        return nothing, words_for(misfit), [misfit]
    try:
        cursor = request.args.get("cursor")
        return here.get(f"{_API}/events", **filters.query(), cursor=cursor, limit=_PAGE), "", []
    except ApiRefusedError as refusal:
        if refusal.error != "invalid_request":
            raise
        return (nothing, *complaint(refusal))


def _admit(here: Call) -> None:
    """Have the API refuse, and record it, where a page needs nothing of it that it could refuse."""
    if not here.me.may("audit:read", "auditor", "admin"):
        here.get(f"{_API}/events", limit=1)


def _names(here: Call) -> dict[str, str]:
    """Return the names of those who had a part in impersonations lately: they can be looked for by these."""
    known = known_people(here.get("/api/v1/impersonations", limit=_KNOWN)["items"])
    return {here.me.id: here.me.name, **known}
