"""One-time codes for a device: passed instead of a token, and redeemed once by whoever holds one (design section 6).

A code has 256 bits, so a wrong one is no near miss: it is counted against its address, and a right one never waits for
what others at its address tried.
"""

from dataclasses import dataclass, field
from typing import Literal

from authserver.accounts.refusals import Throttled
from authserver.accounts.throttle import Guess, Throttle
from authserver.appetize.found import Found, Registry
from authserver.appetize.minter import Minter, Wanted, actor_of
from authserver.audit.chain import Trail
from authserver.audit.events.handoffs import HandoffCodeCreated, HandoffCodeRedeemed, HandoffCodeReplayed
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import ActingPerson
from authserver.protocol.names import PENDING_STATES, State
from authserver.protocol.refusals import Conflict, Gone, InvalidGrant, NotFound
from authserver.settings_appetize import MAX_LINK_CHARS, Appetize
from authserver.storage import authorizations, handoff_codes, handoffs, impersonations
from authserver.storage.database import Work
from authserver.storage.handoff_codes import StoredHandoffCode
from authserver.storage.handoffs import StoredHandoff
from authserver.storage.impersonations import Record
from authserver.storage.tables import HandoffCode
from authserver.tokens.issuer import Minted
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_INTERVAL_SECONDS = 2
"""How long after a fresh code the next one can be asked for."""
_NOT_PASSED_SO = "This app gets its token with the launch, and nothing by deep link."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What goes to a device that runs: a deep link that carries the value; `expires_in` is seconds."""

    value: str = field(repr=False)
    url: str = field(repr=False)
    expires_in: int


class HandoffCodes:
    """Makes codes and redeems them."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        settings: Appetize,
        *,
        registry: Registry,
        minter: Minter,
        throttle: Throttle,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Let codes live as `settings` say; count wrong ones in `throttle`."""
        self._settings = settings
        self._registry = registry
        self._minter = minter
        self._throttle = throttle
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def add(self, work: Work, handoff: StoredHandoff, record: Record, *, seconds: int) -> str:
        """Make a code for the device of a handoff, within the impersonation's clock; return its only copy."""
        code, now = self._entropy.token(), self._clock.now()
        row = HandoffCode(
            code_hash=self._hash(code),
            handoff_id=handoff.id,
            impersonation_id=record.id,
            family_id=self._entropy.identifier("fam"),
            created_at=now,
            expires_at=min(now + seconds, record.expires_at or now),
        )
        handoff_codes.add(work.session, row)
        event = HandoffCodeCreated(
            impersonation_id=record.id, handoff_id=handoff.id, family_id=row.family_id, expires_at=row.expires_at
        )
        self._trail.record(work, event)
        return code

    def fresh(self, work: Work, found: Found, actor: ActingPerson, *, client_address: str) -> Fresh:
        """Return a fresh value, by deep link, for a device that runs: after it was started, or started again."""
        app, seconds = found.app, self._settings.code_seconds
        if not app.by_link and not app.gives_codes:
            raise Conflict("handoff.nothing_by_link", _NOT_PASSED_SO)
        codes: list[str] = []

        def consume(record: Record) -> None:
            now_ms, interval_ms = self._clock.now_ms(), _INTERVAL_SECONDS * 1000
            if not handoffs.ask_code(work.session, found.handoff.id, now_ms=now_ms, interval_ms=interval_ms):
                raise Throttled("handoff_code.too_fast", _INTERVAL_SECONDS)
            if app.gives_codes:
                codes.append(self.add(work, found.handoff, record, seconds=seconds))

        wanted = Wanted(
            way="handoff",
            actor=actor,
            audiences=() if app.gives_codes else (found.handoff.resources,),
            client_address=client_address,
        )
        minted = self._minter.mint(work, wanted, lambda: self._running(work, found.handoff.id), consume)
        value = minted[0].token if minted else codes[0]
        url = app.link(value)
        if len(url) > MAX_LINK_CHARS:
            raise Conflict("handoff.link_too_long")
        return Fresh(value=value, url=url, expires_in=minted[0].expires_in if minted else seconds)

    def dpop(self, work: Work, stored: StoredHandoffCode) -> Literal["required", "optional", "off"]:
        """Return whether what a code gives is bound to a key; an app that is gone gives nothing anyway."""
        try:
            return self._registry.find(work, stored.handoff_id).app.dpop
        except NotFound:
            return "off"

    def redeem(
        self, work: Work, stored: StoredHandoffCode, code: str, address: str, *, jkt: str | None = None
    ) -> tuple[Record, tuple[Minted, ...]]:
        """Give what a code that was `presented` stands for, once: a token for each resource. Raises InvalidGrant.

        Everything is checked again but the address: a device has none of its own, so the one counts from which the
        impersonation was started. With `jkt` the tokens are bound to that key. Presented again,
        whatever the code gave is revoked.
        """
        if stored.used_at is not None:
            self._refuse_replay(work, stored)
        record = self._active(work, stored)
        handoff = self._registry.find(work, stored.handoff_id).handoff
        wanted = Wanted(
            way="redeem",
            actor=actor_of(work, record),
            audiences=tuple((resource,) for resource in handoff.resources),
            family_id=stored.family_id,
            jkt=jkt,
            every=False,
        )

        def consume(record: Record) -> None:
            if handoff_codes.use(work.session, self._hash(code), now=self._clock.now()):
                event = HandoffCodeRedeemed(
                    impersonation_id=record.id,
                    handoff_id=handoff.id,
                    family_id=stored.family_id,
                    address=address,
                    jkt=jkt,
                )
                self._trail.record(work, event)
                return
            present = handoff_codes.of_hash(work.session, self._hash(code))
            if present is not None and present.used_at is not None:
                self._refuse_replay(work, present)
            raise InvalidGrant("handoff_code.expired")

        return record, self._minter.mint(work, wanted, lambda: self._active(work, stored), consume)

    def presented(self, work: Work, code: str, address: str) -> StoredHandoffCode:
        """Return the code that is presented, used or alive; an unknown one counts against the address."""
        stored = handoff_codes.of_hash(work.session, self._hash(code))
        if stored is None:
            self._throttle.claim(work, Guess.HANDOFF_CODE, None, address)
            raise InvalidGrant("handoff_code.unknown")
        if stored.used_at is None and (stored.revoked_at is not None or self._clock.now() >= stored.expires_at):
            raise InvalidGrant("handoff_code.expired")
        return stored

    def _active(self, work: Work, stored: StoredHandoffCode) -> Record:
        try:
            found = self._registry.find(work, stored.handoff_id)
        except NotFound as refusal:
            raise InvalidGrant("handoff_code.app_gone") from refusal
        self._registry.check_agent(work, found.app, found.record.actor_id)
        if found.record.state is not State.ACTIVE or found.record.overdue(self._clock.now()):
            raise InvalidGrant("handoff_code.impersonation_over")
        return found.record

    def _running(self, work: Work, handoff_id: str) -> Record:
        found, now = self._registry.find(work, handoff_id), self._clock.now()
        self._registry.check_agent(work, found.app, found.record.actor_id)
        if found.record.state in PENDING_STATES and not found.record.overdue(now):
            raise Conflict("handoff.impersonation_pending")
        if found.record.state is not State.ACTIVE or found.record.overdue(now) or found.handoff.ended_ms is not None:
            raise Gone("handoff.over")
        if found.handoff.consumed_at is None:
            raise Conflict("handoff.not_configured")
        return found.record

    def _refuse_replay(self, work: Work, stored: StoredHandoffCode) -> None:
        """Revoke all that came of a code that is presented again, and refuse (compare RFC 9700 §4.5)."""
        work.lock()
        impersonations.find(work.session, stored.impersonation_id, hold=True)
        if handoff_codes.revoke(work.session, stored.family_id, now=self._clock.now()):
            authorizations.end_family(work.session, stored.family_id, now=self._clock.now())
            event = HandoffCodeReplayed(
                impersonation_id=stored.impersonation_id, handoff_id=stored.handoff_id, family_id=stored.family_id
            )
            self._trail.record(work, event)
        raise InvalidGrant("handoff_code.replayed")

    def _hash(self, code: str) -> str:
        return self._hasher.hash(SecretKind.HANDOFF_CODE, code)
