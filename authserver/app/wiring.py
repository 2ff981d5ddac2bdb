"""What the server is made of, and how its parts are put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask

from authserver import telemetry
from authserver.accounts.authentication import meets
from authserver.accounts.local_methods import LocalMethods
from authserver.accounts.passkeys import Passkeys
from authserver.accounts.passwords import Passwords
from authserver.accounts.pending import PendingLogins
from authserver.accounts.recovery import RecoveryCodes
from authserver.accounts.sessions import Sessions
from authserver.accounts.sign_in import SignIn
from authserver.accounts.throttle import Throttle
from authserver.accounts.totp import TotpApps
from authserver.appetize.apps import Apps
from authserver.appetize.devices import Devices as HandoffDevices
from authserver.audit.chain import Trail
from authserver.audit.events.tokens import TokenIssued
from authserver.audit.strangers import Strangers
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.federation.logout import UpstreamLogouts
from authserver.federation.people import FederatedPeople
from authserver.federation.sessions import ForeignSessions
from authserver.federation.trusted import TrustedIssuers
from authserver.federation.upstream import UpstreamSignIn
from authserver.impersonation.actions import Actions
from authserver.impersonation.approval_proofs import ApprovalProofs
from authserver.impersonation.approvals import Approvals
from authserver.impersonation.consent_codes import ConsentCodes
from authserver.impersonation.consents import Consents
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.enablement import Enablement
from authserver.impersonation.extension import Extension
from authserver.impersonation.insistence import Insistence
from authserver.impersonation.judge import Judge
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.notify.channels import channels
from authserver.impersonation.notify.delivery import Delivery
from authserver.impersonation.notify.gate import Gate
from authserver.impersonation.notify.letters import Letters
from authserver.impersonation.notify.notices import Notices
from authserver.impersonation.policy import PolicyError, PolicySet
from authserver.impersonation.policy_watch import PolicyWatch
from authserver.impersonation.reports import Reports
from authserver.impersonation.standing_consents import StandingConsents
from authserver.impersonation.tickets import Tickets
from authserver.jobs.loop import JobParts, Loop
from authserver.jobs.outbox import OutboxLoop
from authserver.registry.clients import Clients
from authserver.registry.parts import Registry
from authserver.registry.resources import Resources
from authserver.registry.user_import import UserImport
from authserver.registry.users import Users
from authserver.settings import Settings, SettingsError
from authserver.storage.database import Work
from authserver.tokens.issuer import Issuer, Minted
from authserver.tokens.key_files import load_or_create_pepper
from authserver.tokens.keyring import Keyring
from authserver.tokens.sealing import Sealer
from authserver.tokens.secret_hashes import SecretHasher
from authserver.tokens.verifier import Verifier
from authserver.web.refusals import Evidence
from authserver.web.watch import Watch


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
    registry: Registry
    jobs: Loop
    notices: Notices
    outbox: OutboxLoop
    watch: Watch
    apps: Apps


def wire(
    app: Flask, settings: Settings, clock: Clock, entropy: Entropy, metrics: telemetry.Metrics
) -> tuple[Wired, Evidence]:
    """Put the server's parts together. Raises SettingsError when the policy is broken."""
    trail, strangers = Trail(clock, entropy), Strangers(clock)
    keyring = Keyring.from_settings(settings, clock)
    pepper = load_or_create_pepper(settings.keys.folder, entropy)
    hasher, sealer = SecretHasher(pepper), Sealer(pepper, entropy)
    proofs = ApprovalProofs(keyring.decision_signed, keyring.signs_decisions)
    judge = Judge(_policy(settings), settings.impersonation, hasher, proofs, time_zone=settings.policy.time_zone)
    judge.loaded_at = clock.now()
    notices = Notices(settings, sealer, trail, clock, entropy)
    send_code = notices.enqueue_consent_code if settings.notification.channels else None
    codes = ConsentCodes(settings.consent, send_code, hasher=hasher, clock=clock, entropy=entropy)
    lifecycle = Lifecycle(
        judge,
        settings,
        tickets=Tickets(settings.ticket_hook, settings.issuer, clock, entropy),
        codes=codes,
        insistence=Insistence(settings.consent),
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
        policy_watch=PolicyWatch(settings.policy, judge, trail, clock),
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
    sign_in = SignIn(
        passwords=Passwords(settings.accounts, trail, clock, entropy),
        totp=TotpApps(settings.issuer, sealer, trail, clock, entropy),
        recovery=RecoveryCodes(hasher, trail, clock, entropy),
        passkeys=Passkeys(settings.issuer, trail, clock, entropy),
        throttle=Throttle(settings.accounts, hasher, clock),
        pending=PendingLogins(settings.accounts, hasher, clock, entropy),
        local_methods=LocalMethods(settings.federation),
        trail=trail,
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
        sign_in=sign_in,
        registry=_registry(settings, lifecycle, sign_in, keyring, hasher, trail, clock, entropy),
        jobs=Loop(app, jobs),
        notices=notices,
        outbox=OutboxLoop(app, delivery),
        watch=Watch(app),
        apps=Apps(settings),
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
        insistence=Insistence(settings.consent),
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
        reports=Reports(settings.break_glass, trail, clock),
    )


def _registry(  # noqa: PLR0913, PLR0917 - everything that a change of the register touches
    settings: Settings,
    lifecycle: Lifecycle,
    sign_in: SignIn,
    keyring: Keyring,
    hasher: SecretHasher,
    trail: Trail,
    clock: Clock,
    entropy: Entropy,
) -> Registry:
    enablement = Enablement(lifecycle, trail, clock)
    users = Users(enablement, sign_in.passwords, sign_in.local_methods, trail=trail, clock=clock, entropy=entropy)
    return Registry(
        users=users,
        user_import=UserImport(users, trail),
        clients=Clients(enablement, keyring, hasher, trail=trail, clock=clock, entropy=entropy),
        resources=Resources(settings.issuer, trail),
    )


def _federated(settings: Settings, hasher: SecretHasher, trail: Trail, clock: Clock, entropy: Entropy) -> Federated:
    trusted = TrustedIssuers(
        settings.federation, settings.issuer, max_token_bytes=settings.server.max_token_bytes, clock=clock
    )
    people = FederatedPeople(settings.federation, trail, clock, entropy)
    logouts = UpstreamLogouts(trusted, hasher, clock)
    return Federated(
        trusted=trusted,
        people=people,
        sessions=ForeignSessions(people, logouts, hasher, trail, clock),
        upstream=UpstreamSignIn(trusted, hasher, clock, entropy, meets),
        logouts=logouts,
    )


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
        jkt=draft.jkt,
    )
