"""Every page of the console, in one place; and what holds for all of them."""

from pathlib import Path

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from authserver.console.admin import add_admin
from authserver.console.answers import html, older, problem_page
from authserver.console.api_client import ApiRefusedError, ApiUnavailableError
from authserver.console.calls import Call, NotOurFormError, StepUpNeededError, frame, present
from authserver.console.desk import add_desk
from authserver.console.evidence import add_evidence
from authserver.console.impersonations import add_impersonations
from authserver.console.lead import add_lead
from authserver.console.links import asks_first, marked
from authserver.console.live import add_live
from authserver.console.moments import duration, instant
from authserver.console.parts import ConsoleParts
from authserver.console.sessions import Session, SignedOutError
from authserver.console.sign_in import Wanted, add_sign_in, begin, clear, cookie

OPEN = frozenset({"console.sign_in", "console.callback", "console.static"})
"""What answers without a session."""
_TITLES = {403: "You may not do this", 404: "There is nothing here", 409: "This has changed", 429: "Too many tries"}
_DOWN = "The server did not answer. What you see may be out of date; nothing that you typed was lost if you go back."


def create_blueprint(parts: ConsoleParts) -> Blueprint:
    """Return the console's blueprint."""
    blueprint = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    address = parts.serve(blueprint, Path(__file__).with_name("static"))
    blueprint.add_app_template_global(address, "console_asset")
    blueprint.add_app_template_global(older)
    blueprint.add_app_template_filter(instant)
    blueprint.add_app_template_filter(duration)
    _admit(blueprint, parts)
    _answer_failures(blueprint, parts)
    add_sign_in(blueprint, parts)
    add_desk(blueprint)
    add_impersonations(blueprint)
    add_lead(blueprint)
    add_evidence(blueprint)
    add_admin(blueprint)
    add_live(blueprint, parts)

    @blueprint.get("/<path:unknown>")
    def unknown(unknown: str) -> Response:
        del unknown
        return _nothing_here()

    return blueprint


def _admit(blueprint: Blueprint, parts: ConsoleParts) -> None:
    """Let nobody in without a session, and no form without its proof."""

    @blueprint.before_request
    def find_session() -> None:
        if not _is_visit():
            raise NotOurFormError("console.fetched_elsewhere")
        if request.endpoint in OPEN:
            return
        session = Session.find(parts, cookie(parts))
        if session is None:
            raise SignedOutError
        g.console_call = here = Call(parts, session)
        if request.method == "POST":
            here.check_form()


def _answer_failures(blueprint: Blueprint, parts: ConsoleParts) -> None:
    """Turn what goes wrong into words."""

    @blueprint.errorhandler(SignedOutError)
    def sign_in_first(_error: SignedOutError) -> Response:
        if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            response = html("", 401)  # a script asked, which has the page sign in
        else:
            path = _wanted_path()
            foreign = request.endpoint == "console.start" and asks_first(parts.link_origins)
            response = begin(parts, Wanted.by(marked(path) if foreign else path, person=_person()))
        clear(parts, response)
        return response

    @blueprint.errorhandler(StepUpNeededError)
    def sign_in_again(error: StepUpNeededError) -> Response:
        return begin(parts, Wanted.by(_wanted_path(), error, person=_person()))

    @blueprint.errorhandler(NotOurFormError)
    def not_ours(error: NotOurFormError) -> Response:
        parts.refused(str(error), _person())
        words = "This page is out of date, or it was not ours. Load it again, then try again."
        return problem_page(403, "Nothing was done", words, **frame())

    @blueprint.errorhandler(ApiRefusedError)
    def refused(error: ApiRefusedError) -> Response:
        if error.status == 404:  # noqa: PLR2004 - Not Found
            return _nothing_here()
        return problem_page(
            error.status, _TITLES.get(error.status, "This did not work"), error.words, code=error.error, **frame()
        )

    @blueprint.errorhandler(ApiUnavailableError)
    def down(_error: ApiUnavailableError) -> Response:
        return problem_page(502, "The server does not answer", _DOWN, retry=request.method == "GET")

    @blueprint.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.code == 404:  # noqa: PLR2004 - Not Found
            return _nothing_here()
        return problem_page(error.code or 500, "This did not work", error.description or "", **frame())


def _is_visit() -> bool:
    """Tell whether our own pages ask, or somebody comes by a link (Fetch Metadata): nothing here is a part of others'.

    A page of a sibling host would have our cookies sent along.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site in {"same-origin", "none"}:
        return True
    navigates = request.headers.get("Sec-Fetch-Mode") == "navigate"
    return navigates and request.method in {"GET", "HEAD"} and request.headers.get("Sec-Fetch-Dest") == "document"


def _nothing_here() -> Response:
    return problem_page(404, _TITLES[404], "The address is wrong, or what was here is not yours to see.", **frame())


def _wanted_path() -> str:
    """Return where to come back to: the page itself, and for a form the page that it says it stands on."""
    return request.form.get("page") or request.full_path.rstrip("?")


def _person() -> str:
    """Return who was signed in, so that nobody else is given what they typed."""
    here = present()
    return "" if here is None else str(here.session.content.get("person", ""))
