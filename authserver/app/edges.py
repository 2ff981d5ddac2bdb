"""The edges: the protocol, the API and the pages, each with the parts that it rests on."""

from collections.abc import Mapping

from flask import request
from flask_openapi.openapi import OpenAPI

from authserver.accounts.devices import Devices
from authserver.api.blueprints import create_blueprints
from authserver.api.configuration_parts import ConfigurationParts
from authserver.api.parts import ApiParts
from authserver.api.prover import Prover
from authserver.app.console import add_console
from authserver.app.wiring import Wired
from authserver.appetize.codes import HandoffCodes
from authserver.appetize.devices import Devices as HandoffDevices
from authserver.appetize.found import Registry
from authserver.appetize.handoffs import Handoffs
from authserver.appetize.managed_apps import ManagedApps
from authserver.appetize.minter import Minter
from authserver.appetize.pages import EmbedPages
from authserver.appetize.parts import AppetizeParts
from authserver.appetize.renewal import Renewal
from authserver.impersonation.actions import Actions
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.desk import Desk
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.minting import Minting
from authserver.impersonation.notify.objections import Objections
from authserver.impersonation.support_codes import SupportCodes
from authserver.oauth.client_auth import ClientAuthentication
from authserver.oauth.evidence import EvidenceRules
from authserver.oauth.foreign_evidence import ForeignEvidence
from authserver.oauth.form import Form
from authserver.oauth.parts import OAuthParts
from authserver.oauth.server import create_blueprint as create_oauth
from authserver.pages.blueprint import create_blueprint as create_pages
from authserver.pages.embed import create_blueprint as create_embed
from authserver.pages.parts import PageParts
from authserver.registry.hands import take_hold
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.tokens.dpop import ProofVerifier
from authserver.web.bearer import BearerAuthentication
from authserver.web.browser import Browser
from authserver.web.event_stream import Streaming
from authserver.web.leaving import Leaving
from authserver.web.markers import Markers
from authserver.web.possession import Possession
from authserver.web.refusals import Evidence, Trace
from authserver.web.slots import Slots
from authserver.web.vouching import Vouching


def add_edges(app: OpenAPI, wired: Wired, refusals: Evidence, vouching: Vouching) -> None:
    """Make the edges' parts of what is wired, and add their blueprints."""
    settings, clock = wired.settings, wired.clock
    minting = Minting(settings.issuer, settings.tokens)
    possession = Possession(settings.issuer, ProofVerifier(clock), wired.hasher)
    bearer = BearerAuthentication(settings.issuer, wired.verifier, possession)
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
        objections=Objections(wired.lifecycle, settings.notification, wired.hasher, wired.clock, wired.entropy),
        appetize=handoff,
        streaming=Streaming(
            app=app,
            clock=clock,
            watch=wired.watch,
            slots=Slots(per_person=settings.streams.account_per_person, in_all=settings.streams.account_in_all),
            check_seconds=settings.streams.check_seconds,
        ),
    )
    device_sessions = DeviceSessions(settings.impersonation, wired.trail, clock)
    api = ApiParts(
        app=app,
        settings=settings,
        clock=clock,
        trail=wired.trail,
        bearer=bearer,
        possession=possession,
        authenticate_client=authenticate_client,
        actions=Actions(wired.trail, clock),
        decisions=Decisions(wired.judge, wired.lifecycle, clock),
        desk=Desk(wired.judge, settings.impersonation, wired.trail, clock),
        lifecycle=wired.lifecycle,
        approvals=wired.governance.approvals,
        consents=wired.governance.consents,
        standing=wired.governance.standing,
        extension=wired.governance.extension,
        reports=wired.governance.reports,
        devices=device_sessions,
        appetize=handoff,
        watch=wired.watch,
        slots=Slots(per_person=settings.streams.per_person, in_all=settings.streams.in_all),
        throttle=wired.sign_in.throttle,
        refusals=refusals,
        prover=Prover(settings.audit.anchor_file, wired.keyring.head_verifier),
        registry=wired.registry,
        configuration=ConfigurationParts(
            apps=ManagedApps(wired.apps, take_hold, wired.trail, clock),
            trusted=wired.federation.trusted,
            keyring=wired.keyring,
            judge=wired.judge,
            jobs_done_at=lambda: wired.jobs.done_at,
        ),
    )
    app.register_blueprint(create_oauth(oauth))
    app.register_blueprint(create_pages(pages))
    app.register_blueprint(create_embed(pages))
    rest, appetize = create_blueprints(api)
    app.register_api(rest)
    app.register_api(appetize)
    if settings.console.enabled:
        add_console(app, wired, refusals, vouching)


def _appetize(wired: Wired, minting: Minting) -> AppetizeParts:
    """Return the handoff, whose parts share what they rest on."""
    settings, trail, clock, entropy, hasher = (
        wired.settings.appetize,
        wired.trail,
        wired.clock,
        wired.entropy,
        wired.hasher,
    )
    registry, minter = Registry(wired.apps), Minter(wired.lifecycle, minting, wired.issuer)
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
        apps=wired.apps,
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
        renewal=Renewal(registry, minter, clock),
        pages=EmbedPages(
            settings, registry=registry, devices=sessions, hasher=hasher, trail=trail, clock=clock, entropy=entropy
        ),
        devices=HandoffDevices(settings, sessions=sessions, actions=Actions(trail, clock), trail=trail, clock=clock),
    )
