"""An agent's desk: find a customer, see what may be done and why not, and ask for it."""

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, NotOurFormError, call, open_impersonations, own, page, part
from authserver.console.links import asks_first, confirmed
from authserver.console.navigation import entries
from authserver.console.start_form import Typed, reason_code, start_form

_DESK = ("support", "lead")
_RECENT = 8


def add_desk(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/")
    def home() -> AnyResponse:
        here = call()
        return _desk(here) if here.me.may("impersonate", *_DESK) else _elsewhere(here)

    @blueprint.get("/banner")
    def banner() -> Response:
        return part("banner.html", open=open_impersonations(call()))

    @blueprint.get("/find")
    def find() -> Response:
        """Answer the list below the search field."""
        here = call()
        if asks_first(here.parts):
            raise NotOurFormError("console.found_elsewhere")
        found, words = _found(here, request.args.get("q", ""))
        return part("found.html", found=found, words=words, query=request.args.get("q", ""))

    @blueprint.get("/start")
    def start() -> Response:
        here, given = call(), Typed.of_link(request.args)
        kept = here.typed()
        if not kept and given.subject and asks_first(here.parts):
            address = f"{url_for('console.start')}?{confirmed()}"
            return page("start_asked.html", subject=given.subject, address=address)
        return _start_page(here, Typed.of(kept) if kept else given)

    @blueprint.post("/start")
    def ask() -> Response:
        here, typed = call(), Typed.of(request.form)
        try:
            started = here.post("/api/v1/impersonations", typed.body())
        except ApiRefusedError as refusal:
            return _start_page(here, typed, refusal)
        here.session.put("opening", {"id": started["id"], "app": typed.app})
        return go(url_for("console.impersonation", impersonation_id=started["id"]))


def _desk(here: Call) -> Response:
    query = request.args.get("q", "")
    asked = asks_first(here.parts)
    found, words = ([], "") if asked else _found(here, query)
    mine = own(here, limit=40)
    return page(
        "desk.html",
        query=query,
        asked=asked and bool(query.strip()),
        found=found,
        words=words,
        waiting=[each for each in mine if each["pending_until"] and not each["ended_at"] and each["state"] != "active"],
        owed=[each for each in mine if each["report"] and not each["report"]["filed_at"]],
        recent=mine[:_RECENT],
    )


def _found(here: Call, query: str) -> tuple[list[Json], str]:
    """Return customers, or words why there are none."""
    if not query.strip():
        return [], ""
    try:
        return here.get("/api/v1/customers", q=query.strip()[:128])["items"], ""
    except ApiRefusedError as refusal:
        return [], refusal.words


def _elsewhere(here: Call) -> AnyResponse:
    """Send those who have no desk to where they work; whoever has no place here is told so."""
    places = [entry for group in entries(here.me).values() for entry in group]
    if places:
        return redirect(places[0].url, 303)
    return page("nothing.html")


def _start_page(here: Call, typed: Typed, refusal: ApiRefusedError | None = None) -> Response:
    if not typed.subject:
        return page("start_nobody.html")
    options = here.get("/api/v1/impersonations/options")
    # The ticket is left out: one that is still to be typed, or mended, is no reason to show no form.
    code = reason_code(typed, options)
    try:
        preview = here.get(f"/api/v1/customers/{typed.subject}", reason_code=code)
    except ApiRefusedError as closed:
        return page("start_closed.html", closed.status, words=closed.words)
    form = start_form(typed, options, preview)
    return page(
        "start.html",
        200 if refusal is None else refusal.status,
        customer=preview["customer"],
        before=preview["open"],
        form=form,
        options=options,
        alert_words="" if refusal is None else refusal.words,
    )
