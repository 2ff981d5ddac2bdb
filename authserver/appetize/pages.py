"""The embed page: a single-use ticket takes the agent's browser there, and a cookie keeps it to one handoff.

The page has an origin of its own. The issuer, which knows the browser's session, gives a ticket; the embed origin,
which does not, takes it for a cookie that is good for this handoff alone, and only while that session lives.
"""

import hmac

from authserver.appetize.found import Found, Registry, check_window
from authserver.audit.chain import Trail
from authserver.audit.events.handoffs import HandoffOpened
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.protocol.names import State
from authserver.protocol.refusals import Forbidden, Gone, NotFound
from authserver.settings_appetize import Appetize
from authserver.storage import handoffs, impersonations, people
from authserver.storage.database import Work
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_TOUCH_MS = 5000
_OPENED = "This page was opened before, or its time is over. Start a new device from where you came."
_SIGNED_OUT = "You are not signed in any more."


class EmbedPages:
    """Opens the page of a handoff, once, and knows it again."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        settings: Appetize,
        *,
        registry: Registry,
        devices: DeviceSessions,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Let tickets live as `settings` say."""
        self._settings = settings
        self._registry = registry
        self._devices = devices
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def ticket(self, work: Work, handoff_id: str, *, user_id: str, session_id: str) -> str:
        """Return a ticket to the page of a handoff of one's own, in place of the one before. Raises Gone, NotFound."""
        found = self._registry.find(work, handoff_id)
        if found.record.actor_id != user_id:
            raise NotFound("embed.not_ones_own")
        self._check_unopened(work, found)
        work.lock()
        ticket, until = self._entropy.token(), self._clock.now() + self._settings.ticket_seconds
        ticket_hash = self._hasher.hash(SecretKind.EMBED_TICKET, ticket)
        if not handoffs.put_ticket(work.session, handoff_id, ticket_hash, session_id=session_id, until=until):
            raise Gone("embed.opened", _OPENED)
        return ticket

    def open(self, work: Work, handoff_id: str, ticket: str, *, address: str) -> str:
        """Use a ticket up and return the page's cookie. Raises Gone, in the same words whatever is wrong with it."""
        try:
            self._check_unopened(work, self._registry.find(work, handoff_id))
        except NotFound as refusal:
            raise Gone(refusal.reason, _OPENED) from refusal
        work.lock()
        cookie = self._entropy.token()
        opened = handoffs.use_ticket(
            work.session,
            handoff_id,
            self._hasher.hash(SecretKind.EMBED_TICKET, ticket),
            page_hash=self._hash(cookie),
            now=self._clock.now(),
            now_ms=self._clock.now_ms(),
        )
        if not opened:
            raise Gone("embed.ticket", _OPENED)
        found = self._registry.find(work, handoff_id)
        self._check_session(work, found)
        event = HandoffOpened(
            impersonation_id=found.record.id,
            handoff_id=handoff_id,
            actor=found.record.actor_id,
            session_id=found.handoff.page_session_id or "",
            address=address,
        )
        self._trail.record(work, event)
        return cookie

    def of_cookie(self, work: Work, handoff_id: str, cookie: str) -> Found:
        """Return the handoff whose page has this cookie, whatever became of its app, and note that it was heard of.

        Raises NotFound for any other handoff, known or not, and Forbidden once the browser's session has ended.
        """
        found = self._registry.known(work, handoff_id)
        if found.handoff.page_hash is None or not hmac.compare_digest(found.handoff.page_hash, self._hash(cookie)):
            raise NotFound("embed.cookie")
        self._check_session(work, found)
        self._heard_of(work, found)
        return self._registry.known(work, handoff_id)

    def _heard_of(self, work: Work, found: Found) -> None:
        """Note, now and then, that the page is there; one that had fallen silent has its device open again.

        Not so where its app may be used no more: that page closes its device.
        """
        handoff, now_ms = found.handoff, self._clock.now_ms()
        if handoff.ended_ms is not None or (handoff.seen_ms is not None and now_ms - handoff.seen_ms < _TOUCH_MS):
            return
        work.lock()
        held = impersonations.find(work.session, found.record.id, hold=True)
        back = handoff.seen_ms is None and found.offered is not None
        latest = back and handoffs.is_latest(work.session, found.record.id, handoff.id)
        if latest and held is not None and held.state is State.ACTIVE and not held.overdue(self._clock.now()):
            self._devices.opened(work, held)
        handoffs.seen(work.session, handoff.id, now_ms=now_ms)
        work.commit()

    def _check_unopened(self, work: Work, found: Found) -> None:
        if found.handoff.opened_at is not None or found.handoff.consumed_at is not None:
            raise Gone("embed.opened", _OPENED)
        try:
            check_window(found, self._clock.now(), self._settings.handoff_seconds)
        except Gone as refusal:
            raise Gone(refusal.reason, _OPENED) from refusal
        self._registry.check_agent(work, found.app, found.record.actor_id)

    def _check_session(self, work: Work, found: Found) -> None:
        row = people.find_session(work.session, found.handoff.page_session_id or "")
        actor = people.find(work.session, found.record.actor_id)
        if row is None or row.ended_at is not None or self._clock.now() >= row.expires_at:
            raise Forbidden("session.ended", _SIGNED_OUT)
        if actor is None or not actor.enabled:
            raise Forbidden("actor.disabled", _SIGNED_OUT)

    def _hash(self, cookie: str) -> str:
        return self._hasher.hash(SecretKind.EMBED_PAGE, cookie)
