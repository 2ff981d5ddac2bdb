"""Delivery: lease, hand over outside any transaction, record. What crashes in between is sent again, as the same."""

from collections.abc import Sequence

from authserver.audit.chain import Trail
from authserver.audit.events.governance import NoticeFailed, NoticeSent
from authserver.clock import Clock
from authserver.impersonation.notify.channels import Channel, ChannelFailedError
from authserver.impersonation.notify.gate import Gate
from authserver.impersonation.notify.letters import Letters
from authserver.impersonation.notify.mail_form import Parcel
from authserver.impersonation.notify.notices import CANCELLED, message_id_of
from authserver.settings import Settings
from authserver.storage import outbox
from authserver.storage.database import unit_of_work
from authserver.storage.outbox import Message
from authserver.telemetry import logger
from authserver.tokens.sealing import UnsealError

_LEASE_SECONDS = 300
"""Longer than any hand-over takes: a process that died holds a message this long."""
_MAX_WAIT_SECONDS = 3600


class Delivery:
    """Empties the outbox. Several processes may do so at once: a lease lets only one have a message."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything it rests on, injected
        self, settings: Settings, channels: Sequence[Channel], letters: Letters, gate: Gate, trail: Trail, clock: Clock
    ) -> None:
        """Deliver through `channels`, tried in this order."""
        self._issuer = settings.issuer
        self._settings = settings.notification
        self._channels = channels
        self._letters = letters
        self._gate = gate
        self._trail = trail
        self._clock = clock
        self._log = logger(__name__)

    def deliver(self, limit: int) -> int:
        """Deliver at most `limit` of what is due, the most urgent first; return how many were tried."""
        if not self._channels:
            return 0
        for count in range(limit):
            if not self._one():
                return count
        return limit

    def _one(self) -> bool:
        """Deliver one message; False when none is due."""
        message, parcel = self._next()
        if message is None:
            return False
        if parcel is None:
            return True
        channel = self._channel(message)
        try:
            channel.send(parcel)
        except ChannelFailedError as failure:
            self._failed(message, failure)
        except Exception:  # noqa: BLE001 - one message that cannot be sent must not hold up the others
            self._log.exception("a message could not be handed over", channel=channel.name, kind=message.kind)
            self._failed(message, ChannelFailedError(channel.name, "unexpected"))
        else:
            self._sent(message, parcel, channel)
        return True

    def _next(self) -> tuple[Message | None, Parcel | None]:
        """Lease the next message and write it; what is moot is given up."""
        now = self._clock.now()
        with unit_of_work() as work:
            if not outbox.any_due(work.session, now=now):
                return None, None
            work.lock()
            message = outbox.lease(work.session, now=now, until=now + _LEASE_SECONDS)
            if message is None:
                return None, None
            try:
                parcel = self._letters.parcel(work.session, message, now=now)
            except UnsealError:
                outbox.fail(work.session, message, now=now, error="unsealable")
                self._trail.record(work, self._failure(message, "unsealable", final=True))
                return message, None
            if parcel is None:
                outbox.fail(work.session, message, now=now, error=CANCELLED)
            return message, parcel

    def _sent(self, message: Message, parcel: Parcel, channel: Channel) -> None:
        with unit_of_work() as work:
            work.lock()
            held = self._gate.hold(work, message) if message.gates else None
            if not outbox.sent(work.session, message.id, now=self._clock.now()):
                return
            event = NoticeSent(
                impersonation_id=message.impersonation_id,
                message_id=parcel.message_id,
                kind=message.kind,
                channel=channel.name,
                recipient=parcel.address or message.user_id or "",
                attempts=message.attempts,
            )
            self._trail.record(work, event)
            if held is not None:
                self._gate.open(work, held)

    def _failed(self, message: Message, failure: ChannelFailedError) -> None:
        """Try again, on the same channel or the next, until none is left."""
        now, error = self._clock.now(), f"{failure.channel}:{failure.reason}"
        final = message.channel + 1 >= len(self._channels)
        with unit_of_work() as work:
            work.lock()
            held = self._gate.hold(work, message) if message.gates and final else None
            again_at = self._again_at(message, failure, now)
            if again_at is not None:
                outbox.retry(work.session, message, due_at=again_at, error=error)
                return
            if final:
                given_up = outbox.fail(work.session, message, now=now, error=error)
            else:
                given_up = outbox.next_channel(work.session, message, now=now, error=error)
            if not given_up:
                return
            self._trail.record(work, self._failure(message, failure.reason, final=final))
            if held is not None:
                self._gate.close(work, held, failure.channel)

    def _again_at(self, message: Message, failure: ChannelFailedError, now: int) -> int | None:
        """Return when the same channel is tried again; None when it had its tries, or its share of the gate's time."""
        if failure.permanent or message.attempts >= self._settings.attempts:
            return None
        wait = min(self._settings.retry_seconds * 2 ** (message.attempts - 1), _MAX_WAIT_SECONDS)
        share = self._settings.gate_seconds * (message.channel + 1) // len(self._channels)
        late = message.gates and now + wait >= message.created_at + share
        return None if late else now + wait

    def _channel(self, message: Message) -> Channel:
        """Return the channel that a message is at; the last one, where fewer are configured than were."""
        return self._channels[min(message.channel, len(self._channels) - 1)]

    def _failure(self, message: Message, error: str, *, final: bool) -> NoticeFailed:
        return NoticeFailed(
            impersonation_id=message.impersonation_id,
            message_id=message_id_of(message.id, self._issuer),
            kind=message.kind,
            channel=self._channel(message).name,
            error=error,
            final=final,
        )
