"""`create_app`: the only place where things are wired."""

import atexit
import os
from collections.abc import Mapping

from flask_openapi.openapi import OpenAPI
from werkzeug.exceptions import HTTPException

from authserver import settings as settings_module
from authserver import telemetry
from authserver.api.blueprints import invalid_body
from authserver.app.edges import add_edges
from authserver.app.operations import harden, log_faults, operations
from authserver.app.wiring import Wired, wire
from authserver.audit.events.changes import KeyChanged, ResourceChanged
from authserver.clock import Clock, SystemClock
from authserver.entropy import Entropy, SystemEntropy
from authserver.jobs.stopping import on_stop
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.scopes import Scope
from authserver.settings import Settings, SettingsError
from authserver.storage import keys, marks, resources
from authserver.storage.database import install, unit_of_work
from authserver.storage.tables import Resource
from authserver.web.markers import Markers
from authserver.web.vouching import Vouching

DEMO_MARK = "demo"
__all__ = ["DEMO_MARK", "Wired", "create_app", "from_environment", "prepare", "refuse_demo_data"]


def create_app(settings: Settings, clock: Clock | None = None, entropy: Entropy | None = None) -> OpenAPI:
    """Wire a server. Raises SettingsError when the policy is broken."""
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    app = OpenAPI(
        "authserver",
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=invalid_body,
        static_folder=None,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    metrics = telemetry.new_metrics()
    telemetry.install(app, new_request_id=lambda: entropy.identifier("req"), metrics=metrics)
    install(app, settings.database)
    wired, refusals = wire(app, settings, clock, entropy, metrics)
    app.extensions["authserver"] = wired
    vouching = Vouching(Markers(wired.hasher, clock))
    add_edges(app, wired, refusals, vouching)
    app.register_blueprint(operations(metrics, settings))
    app.register_error_handler(HTTPException, refusals.http_error)
    harden(app, settings, wired.apps, refusals, vouching)
    log_faults(app)
    return app


def from_environment(environ: Mapping[str, str] = os.environ) -> OpenAPI:
    """Wire the server of a worker process, refuse what it may not serve, and start its jobs."""
    settings = settings_module.load((), environ)
    telemetry.configure(settings.log.level)
    app = create_app(settings)
    wired: Wired = app.extensions["authserver"]
    with app.app_context():
        if not settings.demo:
            refuse_demo_data(wired)
        prepare(wired)
    for loop in (wired.jobs, wired.outbox):
        loop.start()
        atexit.register(loop.stop)
    on_stop(wired.watch.stop)
    return app


def refuse_demo_data(wired: Wired) -> None:
    """Raise SettingsError for a database that is marked as the demo's, or that has a key made in demo mode."""
    with unit_of_work() as work:
        if marks.get(work.session, DEMO_MARK) is not None:
            msg = "database.url: this database was made by the demo, and its keys and people are not for real use"
            raise SettingsError(msg)
        if wired.keyring.has_demo_key(work.session):
            msg = "database.url: this database has a signing key that was made in demo mode; see: authserver doctor"
            raise SettingsError(msg)


def prepare(wired: Wired) -> None:
    """Make what every server has: its signing keys, and the issuer itself as a resource. Needs an app context."""
    with unit_of_work() as work:
        for key in wired.keyring.ensure(work):
            event = KeyChanged(kid=key.kid, use=key.use, alg=key.alg, action="published", by="system")
            wired.trail.record(work, event)
        if set(resources.scopes_of(work.session, [wired.settings.issuer])) >= ISSUER_SCOPES:
            return
        keys.lock(work)
        issuer = wired.settings.issuer
        resources.put(work.session, Resource(uri=issuer, name="authserver", extra_claims=[], subject_identifier="id"))
        for name in sorted(ISSUER_SCOPES):
            scope = Scope(name, issuer, "write", non_delegable=True)
            resources.put_scope(work.session, scope, roles=())
        wired.trail.record(work, ResourceChanged(uri=issuer, action="registered", by="system"))
