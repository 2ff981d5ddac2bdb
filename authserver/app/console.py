"""The console, which is given all that it has of the server: it imports none of it."""

from flask_openapi.openapi import OpenAPI

from authserver.app.wiring import Wired
from authserver.console.api_client import ApiClient
from authserver.console.blueprint import create_blueprint
from authserver.console.parts import ConsoleParts
from authserver.pages.assets import serve_folder
from authserver.protocol.refusals import Forbidden
from authserver.storage.database import unit_of_work
from authserver.web.console_sessions import ConsoleSessions
from authserver.web.refusals import Evidence, new_trace
from authserver.web.vouching import Vouching


def add_console(app: OpenAPI, wired: Wired, refusals: Evidence, vouching: Vouching) -> None:
    """Add the console's pages; tests find its parts as `app.extensions["console"]`."""
    settings = wired.settings.console
    issuer = wired.settings.issuer

    def refused(reason: str, person: str) -> None:
        """Leave the evidence of what the console itself refuses."""
        trace = new_trace()
        trace.actor = person or None
        trace.client_id = settings.client_id if person else None
        with unit_of_work() as work:
            refusals.refuse(work, trace, Forbidden(reason))

    parts = ConsoleParts(
        issuer=issuer,
        client_id=settings.client_id,
        client_secret=settings.secret,
        api=ApiClient(issuer, settings.server_url or issuer, max_calls=settings.max_calls, forwarded=vouching.headers),
        store=ConsoleSessions(wired.hasher, wired.sealer, wired.clock),
        session_seconds=settings.session_seconds,
        link_origins=frozenset(settings.link_origins),
        max_streams=settings.max_streams,
        now=wired.clock.now,
        token=wired.entropy.token,
        refused=refused,
        serve=serve_folder,
    )
    app.extensions["console"] = parts
    app.register_blueprint(create_blueprint(parts))
