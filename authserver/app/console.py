"""The console, which is given all that it has of the server: it imports none of it."""

from flask_openapi.openapi import OpenAPI

from authserver.app.wiring import Wired
from authserver.console.api_client import ApiClient
from authserver.console.blueprint import create_blueprint
from authserver.console.parts import ConsoleParts
from authserver.pages.assets import serve_folder
from authserver.web.console_sessions import ConsoleSessions


def add_console(app: OpenAPI, wired: Wired) -> None:
    """Add the console's pages; tests find its parts as `app.extensions["console"]`."""
    settings = wired.settings.console
    issuer = wired.settings.issuer
    parts = ConsoleParts(
        issuer=issuer,
        client_id=settings.client_id,
        client_secret=settings.secret,
        api=ApiClient(issuer, settings.server_url or issuer, max_calls=settings.max_calls),
        store=ConsoleSessions(wired.hasher, wired.sealer, wired.clock),
        session_seconds=settings.session_seconds,
        max_streams=settings.max_streams,
        now=wired.clock.now,
        token=wired.entropy.token,
        serve=serve_folder,
    )
    app.extensions["console"] = parts
    app.register_blueprint(create_blueprint(parts))
