"""Handoffs: asked for by the actor; the session configuration, with a fresh value, comes once (design section 6)."""

import hmac
from dataclasses import dataclass, field
from typing import Any

from authserver.appetize.codes import HandoffCodes
from authserver.appetize.configuration import session_configuration
from authserver.appetize.found import Found, Registry, check_window
from authserver.appetize.look import look_of
from authserver.appetize.minter import Minter, Wanted
from authserver.audit.chain import Trail
from authserver.audit.events.handoffs import HandoffConfigured, HandoffCreated
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import ActingPerson
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.protocol.names import OPEN_STATES, PENDING_STATES
from authserver.protocol.refusals import Conflict, Gone, InvalidRequest, InvalidScope, InvalidTarget, NotFound
from authserver.settings_appetize import Appetize
from authserver.storage import handoffs, impersonations, resources
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Handoff
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_SPENT = "This impersonation was handed off as often as it can be; start another."


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new handoff; `config_secret` is the only copy of its secret, `expires_in` is seconds."""

    id: str
    config_secret: str = field(repr=False)
    expires_in: int
    build_mismatch: bool
    """Another build runs than the one that was asked for, or that the customer has."""


class Handoffs:
    """Creates handoffs and gives out each one's configuration, once."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        settings: Appetize,
        *,
        registry: Registry,
        codes: HandoffCodes,
        minter: Minter,
        devices: DeviceSessions,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Hand off to the apps of `registry`, in the times of `settings`."""
        self._settings = settings
        self._registry = registry
        self._codes = codes
        self._minter = minter
        self._devices = devices
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def create(self, work: Work, record: Record, app: str, *, build: str | None, resource: str | None) -> Created:
        """Create a handoff of an impersonation that is active, or waits for a decision."""
        try:
            wanted = self._registry.app(work, app, record.actor_id)
        except NotFound as refusal:
            raise InvalidRequest(refusal.reason, "app is not a configured app.") from refusal
        version = look_of(work.session, record.subject_id).app_version
        if resource is not None and resource not in record.resources:
            raise InvalidTarget("handoff.resource_not_granted")
        if resource is not None and not set(record.scopes) & resources.scopes_of(work.session, [resource]).keys():
            raise InvalidScope("handoff.resource_without_scope")
        work.lock()
        held = impersonations.find(work.session, record.id, hold=True)
        if held is None or held.state not in OPEN_STATES or held.overdue(self._clock.now()):
            raise Conflict("handoff.impersonation_not_open")
        if handoffs.count(work.session, held.id) >= self._settings.max_handoffs:
            raise Conflict("handoff.too_many", _SPENT)
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
        return Created(
            id=row.id,
            config_secret=secret,
            expires_in=self._settings.handoff_seconds,
            build_mismatch=wanted.build_for(build, version)[1],
        )

    def secret_fits(self, found: Found, secret: str) -> bool:
        """Tell whether this is the handoff's `config_secret`."""
        return hmac.compare_digest(found.handoff.secret_hash, self._hasher.hash(SecretKind.HANDOFF, secret))

    def configure(
        self, work: Work, found: Found, actor: ActingPerson, *, by: str, client_address: str
    ) -> dict[str, Any]:
        """Give out the configuration with a fresh value, after checking everything again; once, and in time.

        Where the value comes by deep link the configuration has none, and a device may be started, signed out, while
        the impersonation still waits for a decision.
        """
        handoff_id, app = found.handoff.id, found.app
        waiting = app.by_link and self._begin(work, handoff_id).state in PENDING_STATES
        if waiting:
            self._consume_waiting(work, handoff_id, by)
            return self._shown(work, found, None)
        codes: list[str] = []

        def consume(record: Record) -> None:
            if not handoffs.consume(work.session, handoff_id, now=self._clock.now()):
                raise Gone("handoff.consumed")
            self._devices.opened(work, record)
            if app.gives_codes and not app.by_link:
                codes.append(self._codes.add(work, found.handoff, record, seconds=self._settings.launch_code_seconds))

        tokens = not app.gives_codes and not app.by_link
        wanted = Wanted(
            way="handoff",
            actor=actor,
            audiences=(found.handoff.resources,) if tokens else (),
            client_address=client_address,
        )
        minted = self._minter.mint(work, wanted, lambda: self._begin(work, handoff_id), consume)
        self._record(work, found, by, minted[0].jti if minted else None)
        value = minted[0].token if minted else next(iter(codes), None)
        return self._shown(work, found, value)

    def _begin(self, work: Work, handoff_id: str) -> Record:
        found = self._registry.find(work, handoff_id)
        if found.handoff.consumed_at is not None:
            raise Gone("handoff.consumed")
        check_window(found, self._clock.now(), self._settings.handoff_seconds)
        if found.record.state in PENDING_STATES and not found.app.by_link:
            raise Conflict("handoff.impersonation_pending")
        self._registry.check_agent(work, found.app, found.record.actor_id)
        return found.record

    def _consume_waiting(self, work: Work, handoff_id: str, by: str) -> None:
        work.lock()
        found = self._registry.find(work, handoff_id)
        impersonations.find(work.session, found.record.id, hold=True)
        self._begin(work, handoff_id)
        if not handoffs.consume(work.session, handoff_id, now=self._clock.now()):
            raise Gone("handoff.consumed")
        self._record(work, found, by, None)

    def _record(self, work: Work, found: Found, by: str, jti: str | None) -> None:
        event = HandoffConfigured(impersonation_id=found.record.id, handoff_id=found.handoff.id, by=by, jti=jti)
        self._trail.record(work, event)

    @staticmethod
    def _shown(work: Work, found: Found, value: str | None) -> dict[str, Any]:
        look = look_of(work.session, found.record.subject_id)
        build_id, _ = found.app.build_for(found.handoff.build, look.app_version)
        return session_configuration(found.app, build_id, look, value)
