"""`create_app`: the only place where things are wired."""

import atexit
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, request
from flask_openapi.openapi import OpenAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from authserver import settings as settings_module
from authserver import telemetry
from authserver.accounts.authentication import meets
from authserver.accounts.devices import Devices
from authserver.accounts.local_methods import LocalMethods
from authserver.accounts.passkeys import Passkeys
from authserver.accounts.passwords import Passwords
from authserver.accounts.pending import PendingLogins
from authserver.accounts.recovery import RecoveryCodes
from authserver.accounts.sessions import Sessions
from authserver.accounts.sign_in import SignIn
from authserver.accounts.throttle import Throttle
from authserver.accounts.totp import TotpApps
from authserver.api.blueprints import create_blueprints, invalid_body
from authserver.api.parts import ApiParts
from authserver.api.slots import Slots
from authserver.api.watch import Watch
from authserver.appetize.codes import HandoffCodes
from authserver.appetize.devices import Devices as HandoffDevices
from authserver.appetize.found import Registry
from authserver.appetize.handoffs import Handoffs
from authserver.appetize.minter import Minter
from authserver.appetize.pages import EmbedPages
from authserver.appetize.parts import AppetizeParts
from authserver.appetize.renewal import Renewal
from authserver.audit.chain import Trail
from authserver.audit.events import KeyChanged, ResourceChanged, TokenIssued
from authserver.audit.strangers import Strangers
from authserver.clock import Clock, SystemClock
from authserver.entropy import Entropy, SystemEntropy
from authserver.federation.logout import UpstreamLogouts
from authserver.federation.people import FederatedPeople
from authserver.federation.sessions import ForeignSessions
from authserver.federation.trusted import TrustedIssuers
from authserver.federation.upstream import UpstreamSignIn
from authserver.impersonation.actions import Actions
from authserver.impersonation.approvals import Approvals
from authserver.impersonation.consent_codes import ConsentCodes
from authserver.impersonation.consents import Consents
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.extension import Extension
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.minting import Minting
from authserver.impersonation.notify.channels import channels
from authserver.impersonation.notify.delivery import Delivery
from authserver.impersonation.notify.gate import Gate
from authserver.impersonation.notify.letters import Letters
from authserver.impersonation.notify.notices import Notices
from authserver.impersonation.notify.objections import Objections
from authserver.impersonation.policy import PolicyError, PolicySet
from authserver.impersonation.policy_watch import PolicyWatch
from authserver.impersonation.reports import Reports
from authserver.impersonation.standing_consents import StandingConsents
from authserver.impersonation.support_codes import SupportCodes
from authserver.impersonation.tickets import Tickets
from authserver.jobs.loop import JobParts, Loop
from authserver.jobs.outbox import OutboxLoop
from authserver.jobs.stopping import on_stop
from authserver.oauth.client_auth import ClientAuthentication
from authserver.oauth.evidence import EvidenceRules
from authserver.oauth.foreign_evidence import ForeignEvidence
from authserver.oauth.form import Form
from authserver.oauth.parts import OAuthParts
from authserver.oauth.server import create_blueprint as create_oauth
from authserver.pages.blueprint import create_blueprint as create_pages
from authserver.pages.embed import create_blueprint as create_embed
from authserver.pages.parts import PageParts
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.scopes import Scope
from authserver.settings import Settings, SettingsError
from authserver.storage import keys, marks, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work, db, install, is_busy, unit_of_work
from authserver.storage.tables import Resource
from authserver.tokens.issuer import Issuer, Minted
from authserver.tokens.key_files import load_or_create_pepper
from authserver.tokens.keyring import Keyring
from authserver.tokens.sealing import Sealer
from authserver.tokens.secret_hashes import SecretHasher
from authserver.tokens.verifier import Verifier
from authserver.web.bearer import BearerAuthentication
from authserver.web.browser import Browser
from authserver.web.leaving import Leaving
from authserver.web.limits import Anything, Limits, address_in
from authserver.web.markers import Markers
from authserver.web.refusals import Evidence, Trace

DEMO_MARK = "demo"
ExcInfo = tuple[type, BaseException, TracebackType] | tuple[None, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Federated:
    """Trusted issuers, and sign-in through them."""

    trusted: TrustedIssuers
    people: FederatedPeople
    sessions: ForeignSessions
    upstream: UpstreamSignIn
    logouts: UpstreamLogouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """What people decide about impersonations."""

    approvals: Approvals
    consents: Consents
    standing: StandingConsents
    codes: ConsentCodes
    extension: Extension
    reports: Reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """The wired server, for the command line and the tests: `app.extensions["authserver"]`."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    hasher: SecretHasher
    sealer: Sealer
    keyring: Keyring
    trail: Trail
    judge: Judge
    lifecycle: Lifecycle
    governance: Governance
    issuer: Issuer
    verifier: Verifier
    federation: Federated
    sessions: Sessions
    sign_in: SignIn
    jobs: Loop
    notices: Notices
    outbox: OutboxLoop
    watch: Watch


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
    wired, refusals = _wire(app, settings, clock, entropy, metrics)
    app.extensions["authserver"] = wired
    _add_edges(app, wired, refusals)
    app.register_blueprint(_operations(metrics, settings))
    app.register_error_handler(HTTPException, refusals.http_error)
    _harden(app, settings, refusals)
    _log_faults(app)
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


def _wire(
    app: Flask, settings: Settings, clock: Clock, entropy: Entropy, metrics: telemetry.Metrics
) -> tuple[Wired, Evidence]:
    trail, strangers = Trail(clock, entropy), Strangers(clock)
    keyring = Keyring.from_settings(settings, clock)
    pepper = load_or_create_pepper(settings.keys.folder, entropy)
    hasher, sealer = SecretHasher(pepper), Sealer(pepper, entropy)
    judge = Judge(_policy(settings), settings.impersonation, hasher, time_zone=settings.policy.time_zone)
    notices = Notices(settings, sealer, trail, clock, entropy)
    send_code = notices.enqueue_consent_code if settings.notification.channels else None
    codes = ConsentCodes(settings.consent, send_code, hasher=hasher, clock=clock, entropy=entropy)
    lifecycle = Lifecycle(
        judge,
        settings,
        tickets=Tickets(settings.ticket_hook, settings.issuer, clock, entropy),
        codes=codes,
        notices=notices,
        hasher=hasher,
        trail=trail,
        clock=clock,
        entropy=entropy,
    )

    def on_issued(work: Work, minted: Minted) -> None:
        metrics.tokens_issued.labels(minted.draft.way).inc()
        trail.record(work, _token_issued(minted))

    def on_sessions_ended(work: Work, session_ids: Sequence[str], by: str) -> None:
        lifecycle.end_all(work, by=by, reason="signed_out", sessions=list(session_ids))

    issuer = Issuer(settings.issuer, settings.keys.access_token_alg, keyring, clock, entropy, on_issued)
    jobs = JobParts(
        settings=settings,
        clock=clock,
        trail=trail,
        strangers=strangers,
        lifecycle=lifecycle,
        head_signer=keyring.head_signer,
        policy_watch=PolicyWatch(settings.policy, judge, trail),
        devices=HandoffDevices(
            settings.appetize,
            sessions=DeviceSessions(settings.impersonation, trail, clock),
            actions=Actions(trail, clock),
            trail=trail,
            clock=clock,
        ),
    )
    delivery = Delivery(
        settings,
        channels(settings.notification, host=urlsplit(settings.issuer).hostname or "localhost"),
        Letters(settings, sealer, hasher),
        Gate(judge, lifecycle, clock),
        trail,
        clock,
    )
    wired = Wired(
        settings=settings,
        clock=clock,
        entropy=entropy,
        hasher=hasher,
        sealer=sealer,
        keyring=keyring,
        trail=trail,
        judge=judge,
        lifecycle=lifecycle,
        governance=_governance(settings, judge, lifecycle, notices, codes, keyring, hasher, trail, clock, entropy),
        issuer=issuer,
        verifier=Verifier(settings.issuer, settings.server.max_token_bytes, keyring, clock),
        federation=_federated(settings, hasher, trail, clock, entropy),
        sessions=Sessions(settings.accounts, hasher, trail, clock, entropy, on_sessions_ended),
        sign_in=SignIn(
            passwords=Passwords(settings.accounts, trail, clock, entropy),
            totp=TotpApps(settings.issuer, sealer, trail, clock, entropy),
            recovery=RecoveryCodes(hasher, trail, clock, entropy),
            passkeys=Passkeys(settings.issuer, trail, clock, entropy),
            throttle=Throttle(settings.accounts, hasher, clock),
            pending=PendingLogins(settings.accounts, hasher, clock, entropy),
            local_methods=LocalMethods(settings.federation),
            trail=trail,
        ),
        jobs=Loop(app, jobs),
        notices=notices,
        outbox=OutboxLoop(app, delivery),
        watch=Watch(app),
    )
    return wired, Evidence(trail, strangers, metrics)


def _governance(  # noqa: PLR0913, PLR0917 - everything that decisions rest on
    settings: Settings,
    judge: Judge,
    lifecycle: Lifecycle,
    notices: Notices,
    codes: ConsentCodes,
    keyring: Keyring,
    hasher: SecretHasher,
    trail: Trail,
    clock: Clock,
    entropy: Entropy,
) -> Governance:
    decisions = Decisions(judge, lifecycle, clock)
    extension = Extension(
        decisions,
        judge,
        lifecycle,
        settings.impersonation,
        codes=codes,
        notices=notices,
        trail=trail,
        clock=clock,
    )
    return Governance(
        approvals=Approvals(decisions, extension, keyring.head_signer, trail, clock, withhold=notices.withhold),
        consents=Consents(
            decisions, extension, codes, settings, hasher=hasher, trail=trail, clock=clock, entropy=entropy
        ),
        standing=StandingConsents(decisions, settings.consent, trail, clock, entropy),
        codes=codes,
        extension=extension,
        reports=Reports(trail, clock),
    )


def _appetize(wired: Wired, minting: Minting) -> AppetizeParts:
    """Return the handoff, whose parts share what they rest on."""
    settings, trail, clock, entropy, hasher = (
        wired.settings.appetize,
        wired.trail,
        wired.clock,
        wired.entropy,
        wired.hasher,
    )
    registry, minter = Registry(settings), Minter(wired.lifecycle, minting, wired.issuer)
    sessions = DeviceSessions(wired.settings.impersonation, trail, clock)
    codes = HandoffCodes(
        settings,
        registry=registry,
        minter=minter,
        throttle=wired.sign_in.throttle,
        hasher=hasher,
        trail=trail,
        clock=clock,
        entropy=entropy,
    )
    return AppetizeParts(
        registry=registry,
        handoffs=Handoffs(
            settings,
            registry=registry,
            codes=codes,
            minter=minter,
            devices=sessions,
            hasher=hasher,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        codes=codes,
        renewal=Renewal(minter, clock),
        pages=EmbedPages(
            settings, registry=registry, devices=sessions, hasher=hasher, trail=trail, clock=clock, entropy=entropy
        ),
        devices=HandoffDevices(settings, sessions=sessions, actions=Actions(trail, clock), trail=trail, clock=clock),
    )


def _federated(settings: Settings, hasher: SecretHasher, trail: Trail, clock: Clock, entropy: Entropy) -> Federated:
    trusted = TrustedIssuers(
        settings.federation, settings.issuer, max_token_bytes=settings.server.max_token_bytes, clock=clock
    )
    people = FederatedPeople(settings.federation, trail, clock, entropy)
    return Federated(
        trusted=trusted,
        people=people,
        sessions=ForeignSessions(people, hasher, trail, clock),
        upstream=UpstreamSignIn(trusted, hasher, clock, entropy, meets),
        logouts=UpstreamLogouts(trusted, hasher, clock),
    )


def _add_edges(app: OpenAPI, wired: Wired, refusals: Evidence) -> None:
    settings, clock = wired.settings, wired.clock
    minting = Minting(settings.issuer, settings.tokens)
    bearer = BearerAuthentication(settings.issuer, wired.verifier)
    browser = Browser(settings.issuer, wired.sessions, wired.hasher)
    client_authentication = ClientAuthentication(settings.issuer, wired.hasher, clock)

    def authenticate_client(work: Work, members: Mapping[str, str], trace: Trace) -> RegisteredClient:
        return client_authentication.authenticate(work, request, Form(members), trace)

    devices = Devices(settings.issuer, wired.hasher, wired.trail, clock, wired.entropy)
    support_codes = SupportCodes(
        settings.support_codes, wired.judge, wired.governance.consents, wired.hasher, wired.trail, clock, wired.entropy
    )
    markers = Markers(wired.hasher, clock)
    leaving = Leaving(
        settings.issuer,
        browser=browser,
        sessions=wired.sessions,
        upstream=wired.federation.upstream,
        sealer=wired.sealer,
        trail=wired.trail,
        markers=markers,
        entropy=wired.entropy,
    )
    oauth = OAuthParts(
        settings=settings,
        clock=clock,
        keyring=wired.keyring,
        trail=wired.trail,
        issuer=wired.issuer,
        verifier=wired.verifier,
        client_authentication=client_authentication,
        evidence=EvidenceRules(
            settings.issuer, wired.verifier, ForeignEvidence(wired.federation.trusted, wired.federation.sessions)
        ),
        lifecycle=wired.lifecycle,
        consents=wired.governance.consents,
        minting=minting,
        refusals=refusals,
        entropy=wired.entropy,
        hasher=wired.hasher,
        bearer=bearer,
        browser=browser,
        leaving=leaving,
        markers=markers,
        devices=devices,
        throttle=wired.sign_in.throttle,
        support_codes=support_codes,
    )
    handoff = _appetize(wired, minting)
    pages = PageParts(
        settings=settings,
        clock=clock,
        entropy=wired.entropy,
        browser=browser,
        sessions=wired.sessions,
        sign_in=wired.sign_in,
        devices=devices,
        upstream=wired.federation.upstream,
        people=wired.federation.people,
        issuer=wired.issuer,
        minting=minting,
        bearer=bearer,
        support_codes=support_codes,
        consents=wired.governance.consents,
        standing=wired.governance.standing,
        lifecycle=wired.lifecycle,
        logouts=wired.federation.logouts,
        leaving=leaving,
        markers=markers,
        trail=wired.trail,
        refusals=refusals,
        objections=Objections(wired.lifecycle, wired.hasher, wired.entropy),
        appetize=handoff,
    )
    device_sessions = DeviceSessions(settings.impersonation, wired.trail, clock)
    api = ApiParts(
        app=app,
        settings=settings,
        clock=clock,
        trail=wired.trail,
        bearer=bearer,
        authenticate_client=authenticate_client,
        actions=Actions(wired.trail, clock),
        lifecycle=wired.lifecycle,
        approvals=wired.governance.approvals,
        consents=wired.governance.consents,
        standing=wired.governance.standing,
        extension=wired.governance.extension,
        reports=wired.governance.reports,
        devices=device_sessions,
        appetize=handoff,
        watch=wired.watch,
        slots=Slots(settings.streams),
        throttle=wired.sign_in.throttle,
        refusals=refusals,
    )
    app.register_blueprint(create_oauth(oauth))
    app.register_blueprint(create_pages(pages))
    app.register_blueprint(create_embed(pages))
    rest, appetize = create_blueprints(api)
    app.register_api(rest)
    app.register_api(appetize)


def _operations(metrics: telemetry.Metrics, settings: Settings) -> Blueprint:
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


def _harden(app: OpenAPI, settings: Settings, refusals: Evidence) -> None:
    """Put the limits before everything, and the same headers on every answer."""
    fixed = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if settings.issuer.startswith("https"):
        fixed["Strict-Transport-Security"] = "max-age=31536000"

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        return response

    def allowed_origins(path: str) -> Container[str]:
        if path in {"/oauth/authorize", "/oauth/logout"}:  # clients' pages post there (OIDC Core §3.1.2.1)
            return Anything()
        if path.startswith("/appetize/handoffs/") and path.endswith("/config"):
            return frozenset(origin for entry in settings.appetize.apps.values() for origin in entry.allowed_origins)
        if path == "/session/token":
            return settings.session_token.allowed_origins()
        return frozenset()

    app.wsgi_app = Limits(  # type: ignore[method-assign]  # Flask's own way to wrap it
        app.wsgi_app,
        issuer=settings.issuer,
        embed_origin=settings.appetize.embed_origin,
        max_body_bytes=settings.server.max_body_bytes,
        trusted_proxies=settings.server.trusted_proxies,
        allowed_origins=allowed_origins,
        headers=fixed,
        turned_away=refusals.turn_away,
    )


def _log_faults(app: OpenAPI) -> None:
    """Log a crash with its traceback, and a database that is busy in one line: that is nobody's fault, and passes."""
    log_crash, log = app.log_exception, telemetry.logger(__name__)

    def log_exception(exc_info: ExcInfo) -> None:
        if is_busy(exc_info[1]):
            log.warning("storage_busy", endpoint=request.endpoint, error=type(exc_info[1]).__name__)
        else:
            log_crash(exc_info)

    app.log_exception = log_exception  # type: ignore[method-assign]  # where Flask asks


def _policy(settings: Settings) -> PolicySet:
    try:
        return PolicySet.load(settings.policy.folder)
    except PolicyError as error:
        msg = f"policy: {error}"
        raise SettingsError(msg) from error


def _token_issued(minted: Minted) -> TokenIssued:
    draft = minted.draft
    return TokenIssued(
        impersonation_id=draft.impersonation_id,
        jti=minted.jti,
        kind=draft.kind,
        way=draft.way,
        client_id=draft.client_id,
        subject=draft.user_id or draft.client_id,
        actor=None if draft.act is None else draft.act.sub,
        audience=draft.audience,
        scopes=draft.scope,
        kid=minted.kid,
        expires_at=draft.expires_at,
    )


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
