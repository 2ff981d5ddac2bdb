"""Health, limits and headers: what holds for every answer, whatever it is about."""

from collections.abc import Container
from types import TracebackType

from flask import Blueprint, Response, abort, request
from flask_openapi.openapi import OpenAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from authserver import telemetry
from authserver.appetize.apps import AppOrigins, Apps
from authserver.settings import Settings
from authserver.storage.database import db, is_busy
from authserver.web.limits import Anything, Limits, address_in
from authserver.web.refusals import Evidence
from authserver.web.vouching import Vouching

ExcInfo = tuple[type, BaseException, TracebackType] | tuple[None, None, None]


def operations(metrics: telemetry.Metrics, settings: Settings) -> Blueprint:
    """Return liveness, readiness and metrics."""
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        try:
            db.session.execute(text("SELECT version_num FROM alembic_version"))
        except SQLAlchemyError:
            return Response("the database is not ready\n", 503, content_type="text/plain")
        return Response("ok\n", content_type="text/plain")

    @blueprint.get("/metrics", endpoint="metrics")
    def metrics_() -> Response:
        address = request.remote_addr or "invalid"
        if not any(address_in(address, network) for network in settings.server.metrics_networks):
            abort(404)
        return Response(telemetry.render(metrics), content_type=telemetry.CONTENT_TYPE)

    return blueprint


def harden(app: OpenAPI, settings: Settings, apps: Apps, refusals: Evidence, vouching: Vouching) -> None:
    """Put the limits before everything, and the same headers on every answer."""
    fixed = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if settings.issuer.startswith("https"):
        fixed["Strict-Transport-Security"] = "max-age=31536000"

    app_origins = _InApp(app, AppOrigins(apps))

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        return response

    def allowed_origins(path: str) -> Container[str]:
        if path in {"/oauth/authorize", "/oauth/logout"}:  # clients' pages post there (OIDC Core §3.1.2.1)
            return Anything()
        if path.startswith("/appetize/handoffs/") and path.endswith("/config"):
            return app_origins
        if path == "/session/token":
            return settings.session_token.allowed_origins()
        return frozenset()

    app.wsgi_app = Limits(  # type: ignore[method-assign]  # Flask's own way to wrap it
        app.wsgi_app,
        issuer=settings.issuer,
        embed_origin=settings.appetize.embed_origin,
        max_body_bytes=settings.server.max_body_bytes,
        trusted_proxies=settings.server.trusted_proxies,
        vouched=vouching.address,
        allowed_origins=allowed_origins,
        headers=fixed,
        turned_away=refusals.turn_away,
    )


class _InApp:
    """A container that is looked into before there is a request: each time in an app context of its own."""

    def __init__(self, app: OpenAPI, items: Container[str]) -> None:
        self._app = app
        self._items = items

    def __contains__(self, item: object) -> bool:
        with self._app.app_context():
            return item in self._items


def log_faults(app: OpenAPI) -> None:
    """Log a crash with its traceback, and a database that is busy in one line: that is nobody's fault, and passes."""
    log_crash, log = app.log_exception, telemetry.logger(__name__)

    def log_exception(exc_info: ExcInfo) -> None:
        if is_busy(exc_info[1]):
            log.warning("storage_busy", endpoint=request.endpoint, error=type(exc_info[1]).__name__)
        else:
            log_crash(exc_info)

    app.log_exception = log_exception  # type: ignore[method-assign]  # where Flask asks
