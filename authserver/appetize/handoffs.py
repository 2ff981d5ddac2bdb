"""Handoffs: asked for by the actor; the session configuration, with a fresh token, comes once (design section 6)."""

import hmac
from dataclasses import dataclass, field
from typing import Any

from authserver.appetize.configuration import session_configuration
from authserver.audit.chain import Trail
from authserver.audit.events import HandoffConfigured, HandoffCreated
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import ActingPerson, ask_again
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.minting import Minting
from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.protocol.refusals import (
    AccessDenied,
    Busy,
    Conflict,
    Gone,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    NotFound,
)
from authserver.settings import App, Appetize
from authserver.storage import clients, handoffs, impersonations, resources
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Handoff
from authserver.tokens.issuer import Issuer
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new handoff; `config_secret` is the only copy of its secret, `expires_in` is seconds."""

    id: str
    config_secret: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A handoff with what it is for."""

    handoff: Handoff
    app: App
    record: Record


class Handoffs:
    """Creates handoffs and gives out each one's configuration, once."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything it rests on, injected
        self,
        settings: Appetize,
        lifecycle: Lifecycle,
        devices: DeviceSessions,
        minting: Minting,
        issuer: Issuer,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Hand off to the apps of `settings`."""
        self._settings = settings
        self._lifecycle = lifecycle
        self._devices = devices
        self._minting = minting
        self._issuer = issuer
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def create(self, work: Work, record: Record, app: str, *, build: str | None, resource: str | None) -> Created:
        """Create a handoff of an impersonation that is active, or waits for a decision."""
        if app not in self._settings.apps:
            raise InvalidRequest("handoff.app_unknown", "app is not a configured app.")
        if resource is not None and resource not in record.resources:
            raise InvalidTarget("handoff.resource_not_granted")
        if resource is not None and not set(record.scopes) & resources.scopes_of(work.session, [resource]).keys():
            raise InvalidScope("handoff.resource_without_scope")
        work.lock()
        held = impersonations.find(work.session, record.id, hold=True)
        if held is None or held.state not in OPEN_STATES or held.overdue(self._clock.now()):
            raise Conflict("handoff.impersonation_not_open")
        secret = self._entropy.token()
        row = Handoff(
            id=self._entropy.identifier("hnd"),
            impersonation_id=held.id,
            actor_id=held.actor_id,
            app=app,
            build=build,
            resources=[resource] if resource else list(held.resources),
            secret_hash=self._hasher.hash(SecretKind.HANDOFF, secret),
            created_at=self._clock.now(),
        )
        handoffs.add(work.session, row)
        event = HandoffCreated(
            impersonation_id=held.id,
            handoff_id=row.id,
            actor=held.actor_id,
            app=app,
            resources=tuple(row.resources),
        )
        self._trail.record(work, event)
        return Created(id=row.id, config_secret=secret, expires_in=self._settings.handoff_seconds)

    def find(self, work: Work, handoff_id: str) -> Found:
        """Return a handoff, its app and its impersonation, or raise NotFound."""
        row = handoffs.find(work.session, handoff_id)
        record = None if row is None else impersonations.find(work.session, row.impersonation_id)
        if row is None or record is None or row.app not in self._settings.apps:
            raise NotFound("handoff.unknown")
        return Found(handoff=row, app=self._settings.apps[row.app], record=record)

    def secret_fits(self, found: Found, secret: str) -> bool:
        """Tell whether this is the handoff's `config_secret`."""
        return hmac.compare_digest(found.handoff.secret_hash, self._hasher.hash(SecretKind.HANDOFF, secret))

    def configure(
        self, work: Work, found: Found, actor: ActingPerson, *, by: str, client_address: str
    ) -> dict[str, Any]:
        """Give out the configuration with a fresh token, after checking everything again; once, and in time."""
        handoff_id = found.handoff.id
        for _ in range(_TRIES):
            found = self.find(work, handoff_id)
            record = found.record
            self._check_time(found)
            client = clients.find(work.session, record.client_id)
            if client is None:
                raise AccessDenied("client.unknown")
            ask = ask_again(work.session, record, actor, client, way="handoff", client_address=client_address)
            plan = self._lifecycle.plan_again(work, ask, record)
            resources, app, build = tuple(found.handoff.resources), found.app, found.handoff.build
            draft = self._minting.access_token(work.session, plan, resources=resources)
            minted = self._issuer.sign(work.session, draft)
            if not self._lifecycle.proceed(work, plan):
                continue
            if not handoffs.consume(work.session, handoff_id, now=self._clock.now()):
                raise Gone("handoff.consumed")
            self._devices.opened(work, record)
            self._issuer.register(work, minted)
            event = HandoffConfigured(impersonation_id=record.id, handoff_id=handoff_id, by=by, jti=minted.jti)
            self._trail.record(work, event)
            return session_configuration(app, minted.token, build)
        raise Busy("handoff.contended")

    def _check_time(self, found: Found) -> None:
        record, handoff, now = found.record, found.handoff, self._clock.now()
        if handoff.consumed_at is not None:
            raise Gone("handoff.consumed")
        if record.state in PENDING_STATES and not record.overdue(now):
            raise Conflict("handoff.impersonation_pending")
        since = max(handoff.created_at, record.activated_at or 0)
        if record.state is not State.ACTIVE or record.overdue(now) or now >= since + self._settings.handoff_seconds:
            raise Gone("handoff.over")
