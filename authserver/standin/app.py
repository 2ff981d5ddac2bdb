"""The stand-in's pages and calls: the SDK's script, the phone, what its app asks, and the control of both."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from authserver.standin.control import Control, ControlError, Order
from authserver.standin.outside import Answer, Outside

_BUILD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMBEDDER = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+?(:\d+|:\*)?")
_MAX_BODY = 65_536
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; frame-ancestors "
)
ANY_OF_THIS_MACHINE = ("http://localhost:*", "http://127.0.0.1:*")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the phone's app finds its server and its bank, what it calls people, and who may embed it."""

    issuer: str
    bank: str
    names: Mapping[str, str]
    embedders: tuple[str, ...] = ANY_OF_THIS_MACHINE
    param: str = "impersonatedUserToken"
    public_bank: str = "https://api.example.com"
    """How the bank is addressed, where a proof is for it (RFC 9449 §4.2)."""

    def __post_init__(self) -> None:
        """Refuse an embedder that is no origin; `:*` stands for any port."""
        if not all(_EMBEDDER.fullmatch(embedder) for embedder in self.embedders):
            raise ValueError("an embedder is an origin, such as https://support.example.com")


def create_standin(around: Surroundings) -> Flask:
    """Return the stand-in. It answers to names of this machine only (against DNS rebinding)."""
    app = Flask("authserver.standin", static_folder="static", template_folder="templates")
    app.config.update(MAX_CONTENT_LENGTH=_MAX_BODY, TRUSTED_HOSTS=["localhost", "127.0.0.1"])
    control, outside = Control(), Outside(around.issuer, around.bank, around.names)
    _add_pages(app, around)
    _add_control(app, control)
    _add_calls(app, control, outside)

    @app.after_request
    def guarded(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    return app


def _add_pages(app: Flask, around: Surroundings) -> None:
    @app.get("/embed.js")
    def script() -> ResponseReturnValue:
        response = app.send_static_file("embed.js")
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @app.get("/embed/<build>")
    def phone(build: str) -> ResponseReturnValue:
        if not _BUILD.fullmatch(build):
            abort(404)
        page = render_template("phone.html", build=build, around=around)
        return page, {"Content-Security-Policy": _POLICY + " ".join(around.embedders)}


def _add_control(app: Flask, control: Control) -> None:
    @app.post("/control")
    def order() -> ResponseReturnValue:
        """Take an order from a program of this machine: a page of another origin cannot send JSON here."""
        if not ipaddress.ip_address(request.remote_addr or "").is_loopback or _foreign():
            abort(403)
        try:
            control.take(Order.parse(_body()))
        except ControlError as error:
            return jsonify(error="invalid_request", detail=str(error)), 400
        return "", 204


def _add_calls(app: Flask, control: Control, outside: Outside) -> None:
    @app.before_request
    def own_page_only() -> None:
        if request.endpoint in {"session", "redeem", "call"} and _foreign():
            abort(403)

    @app.post("/sessions")
    def session() -> ResponseReturnValue:
        _body()
        return jsonify(control.plan())

    @app.post("/app/redeem")
    def redeem() -> ResponseReturnValue:
        body = _body()
        code = body.get("code") if isinstance(body, dict) else None
        return _told(outside.redeem(code, request.headers.get("DPoP"))) if isinstance(code, str) else abort(400)

    @app.route("/app/<what>", methods=["GET", "PUT", "POST"])
    def call(what: str) -> ResponseReturnValue:
        body: Any = None if request.method == "GET" else _body()
        authorization, proof = request.headers.get("Authorization", ""), request.headers.get("DPoP")
        answer = outside.call(request.method, what, authorization, proof, body)
        return abort(404) if answer is None else _told(answer)


def _foreign() -> bool:
    """Tell whether a page of another origin asks: a browser says so (Fetch, Origin and Fetch Metadata)."""
    own = request.host_url.rstrip("/")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return request.headers.get("Origin", own) != own or site not in {"same-origin", "none"}


def _body() -> object:
    """Return the JSON of a request, which has to say that it is JSON."""
    if not request.is_json:
        abort(415)
    return request.get_json(silent=True)


def _told(answer: Answer) -> ResponseReturnValue:
    return jsonify(answer.body), answer.status
