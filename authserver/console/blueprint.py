"""Every page of the console, in one place; and what holds for all of them."""

from pathlib import Path

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from authserver.console.admin import add_admin
from authserver.console.answers import html, local, older, problem_page
from authserver.console.api_client import ApiRefusedError, ApiUnavailableError
from authserver.console.calls import Call, NotOurFormError, StepUpNeededError, frame, present
from authserver.console.desk import add_desk
from authserver.console.evidence import add_evidence
from authserver.console.impersonations import add_impersonations
from authserver.console.lead import add_lead
from authserver.console.links import asks_first, marked
from authserver.console.live import add_live
from authserver.console.moments import duration, instant
from authserver.console.navigation import closed_words
from authserver.console.parts import ConsoleParts
from authserver.console.sessions import Session, SignedOutError
from authserver.console.sign_in import Wanted, add_sign_in, begin, clear, cookie

OPEN = frozenset({"console.sign_in", "console.callback", "console.static"})
"""What answers without a session."""
_TITLES = {403: "You may not do this", 404: "There is nothing here", 409: "This has changed", 429: "Too many tries"}
_SILENT = "The server does not answer"
_DOWN = "It did not answer in time. Nothing was changed. Try again in a moment."
_UNKNOWN = (
    "It did not answer in time, so it is not known whether this was done. Look at the page before you send it again."
)
_KEPT = "What you typed stands there still."


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
            response = begin(parts, Wanted.by(_wanted_path(parts), person=_person()))
        clear(parts, response)
        return response

    @blueprint.errorhandler(StepUpNeededError)
    def sign_in_again(error: StepUpNeededError) -> Response:
        return begin(parts, Wanted.by(_wanted_path(parts), error, person=_person()))

    @blueprint.errorhandler(NotOurFormError)
    def not_ours(error: NotOurFormError) -> Response:
        parts.refused(str(error), _person())
        words = "This page is out of date, or it was not ours. Load it again, then try again."
        return problem_page(403, "Nothing was done", words, **frame())

    @blueprint.errorhandler(ApiRefusedError)
    def refused(error: ApiRefusedError) -> Response:
        return _nothing_here() if error.status == 404 else _refused(error)  # noqa: PLR2004 - Not Found

    @blueprint.errorhandler(ApiUnavailableError)
    def down(_error: ApiUnavailableError) -> Response:
        return _down(parts)

    @blueprint.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.code == 404:  # noqa: PLR2004 - Not Found
            return _nothing_here()
        return problem_page(error.code or 500, "This did not work", error.description or "", **frame())


def _refused(error: ApiRefusedError) -> Response:
    """Say what the API says; where it is the page that is not for them, whom it is for."""
    around, title = frame(), _TITLES.get(error.status, "This did not work")
    if error.error == "insufficient_scope" and "me" in around:
        words = closed_words(around["me"]) or "What you may do here does not go that far."
        return problem_page(error.status, title, words, **around)
    return problem_page(error.status, title, error.words, code=error.error, **around)


def _down(parts: ConsoleParts) -> Response:
    """Say that the server is silent: what was asked for is asked again, what was sent may have been done."""
    if request.method == "GET":
        return problem_page(502, _SILENT, _DOWN, again_at=_wanted_path(parts), again_words="Try again")
    words = f"{_UNKNOWN} {_KEPT}" if _keep_typed(parts) else _UNKNOWN
    return problem_page(502, _SILENT, words, again_at=local(_wanted_path(parts)), again_words="Back to the page")


def _keep_typed(parts: ConsoleParts) -> bool:
    """Keep what was typed for the page that it was typed on; tell whether there was anything that can be kept."""
    here, wanted = present(), Wanted.by(_wanted_path(parts))
    if here is None or wanted.typed is None:
        return False
    try:
        here.session.put("typed", {"path": wanted.path.partition("?")[0], "form": wanted.typed})
    except ApiUnavailableError:
        return False
    return True


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


def _wanted_path(parts: ConsoleParts) -> str:
    """Return where to come back to: the page itself, and for a form the page that it says it stands on."""
    path = request.form.get("page") or request.full_path.rstrip("?")
    return marked(path) if request.method == "GET" and asks_first(parts) else path


def _person() -> str:
    """Return who was signed in, so that nobody else is given what they typed."""
    here = present()
    return "" if here is None else str(here.session.content.get("person", ""))
