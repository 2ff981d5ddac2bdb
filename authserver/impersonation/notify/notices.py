"""What is owed to whom: every message enters the outbox in the transaction that makes what it tells of."""

from urllib.parse import urlsplit

from authserver.audit.chain import Trail
from authserver.audit.events.governance import NoticeWithheld
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.notify.messages import WAITS_IN, MessageKind
from authserver.protocol.names import Role, State
from authserver.protocol.refusals import Conflict, InvalidRequest
from authserver.settings import Settings
from authserver.storage import impersonations, outbox, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import OutboxMessage
from authserver.tokens.sealing import Sealer

SEALING = "outbox"
"""The purpose under which a message's secret is sealed; its owner is the message."""
CANCELLED = "not_wanted_any_more"


class Notices:
    """Fills the outbox. Where no channel is configured nobody is told anything, and nothing is kept to be told."""

    def __init__(self, settings: Settings, sealer: Sealer, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Tell as configured."""
        self._notification = settings.notification
        self._approval = settings.approval
        self._sealer = sealer
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    @property
    def gate_seconds(self) -> int | None:
        """How long an impersonation waits for the notice that gates it; None where there is no channel."""
        return self._notification.gate_seconds if self._notification.channels else None

    def entered(self, work: Work, record: Record) -> None:
        """Tell of the state that an impersonation has just come to; what asked for a decision before is moot."""
        if not self._notification.channels:
            return
        now = self._clock.now()
        moot = {kind for kind, state in WAITS_IN.items() if state is not record.state}
        outbox.cancel(work.session, record.id, kinds=moot, now=now, error=CANCELLED)
        match record.state:
            case State.REQUESTED:
                self._add(work, MessageKind.STARTED, record, user_id=record.subject_id, gates=True)
            case State.AWAITING_APPROVAL:
                self.awaiting_approval(work, record)
            case State.AWAITING_CONSENT:
                self.awaiting_consent(work, record)
            case State.ACTIVE:
                self.activated(work, record)
            case _:
                self.ended(work, record)

    def extending(self, work: Work, record: Record, state: State) -> None:
        """Ask for the decision that an extension waits for; what was asked before is moot."""
        if not self._notification.channels:
            return
        outbox.cancel(work.session, record.id, kinds=set(WAITS_IN), now=self._clock.now(), error=CANCELLED)
        if state is State.AWAITING_APPROVAL:
            self.awaiting_approval(work, record)
        else:
            self.awaiting_consent(work, record)

    def activated(self, work: Work, record: Record) -> None:
        """Tell the subject that it has begun, unless the notice that gated it did."""
        if record.notice != "accepted":
            self._tell_subject(work, MessageKind.STARTED, record)

    def ended(self, work: Work, record: Record) -> None:
        """Tell the subject that it is over; where nothing ever began, nothing is told."""
        if record.activated_at is not None:
            self._tell_subject(work, MessageKind.ENDED, record)
            return
        kinds = {MessageKind.STARTED}
        outbox.cancel(work.session, record.id, kinds=kinds, now=self._clock.now(), error=CANCELLED)

    def awaiting_approval(self, work: Work, record: Record) -> None:
        """Ask the first lead, remind them, and ask the next one too."""
        now = self._clock.now()
        first_two = people.enabled_with_role(work.session, Role.LEAD, but={record.actor_id, record.subject_id}, limit=2)
        rhythm = self._approval
        for lead, wait in zip(first_two, (0, rhythm.escalate_seconds), strict=False):
            self._add(work, MessageKind.APPROVAL_WANTED, record, user_id=lead.id, due_at=now + wait)
        for lead in first_two[:1]:
            due_at = now + rhythm.remind_seconds
            self._add(work, MessageKind.APPROVAL_REMINDER, record, user_id=lead.id, due_at=due_at)

    def awaiting_consent(self, work: Work, record: Record) -> None:
        """Send the customer the link to their decision, where mail is the way they are asked."""
        if record.consent_way == "mail" and not self._withheld(record):
            self._add(work, MessageKind.CONSENT_MAIL, record, user_id=record.subject_id)

    def enqueue_consent_code(self, work: Work, record: Record, code: str) -> None:
        """Send the customer a code to read out; it lies sealed in the outbox until it was sent."""
        if not self._withheld(record):
            self._add(work, MessageKind.CONSENT_CODE, record, user_id=record.subject_id, secret=code)

    def _withheld(self, record: Record) -> bool:
        """Tell whether its subject may not hear of it yet: then they cannot be asked either."""
        return (record.notice_withheld_until or 0) > self._clock.now()

    def enqueue_security_alert(self, work: Work, record: Record) -> None:
        """Tell every configured contact, at once, that the glass was broken."""
        for address in self._notification.security_contacts:
            self._add(work, MessageKind.SECURITY_ALERT, record, address=address)

    def withhold(self, work: Work, record: Record, *, by: str, until: int) -> Record:
        """Withhold the notices until a date, at which they are owed: for a configured legal reason, by a second person.

        Raises InvalidRequest for what may not be withheld so, Conflict when it is too late.
        """
        now, settings = self._clock.now(), self._notification
        if (
            record.reason_code not in settings.withholding_reason_codes
            or by in {record.actor_id, record.subject_id}
            or not now < until <= now + settings.withholding_max_seconds
        ):
            raise InvalidRequest("notice.withholding", "The notice cannot be withheld in this way.")
        work.lock()
        if not outbox.withhold_notice(work.session, record.id, until=until):
            raise Conflict("notice.not_to_be_withheld")
        event = NoticeWithheld(impersonation_id=record.id, by=by, reason_code=record.reason_code, until=until)
        self._trail.record(work, event)
        return impersonations.find(work.session, record.id) or record

    def _tell_subject(self, work: Work, kind: MessageKind, record: Record) -> None:
        due_at = max(self._clock.now(), record.notice_withheld_until or 0)
        self._add(work, kind, record, user_id=record.subject_id, due_at=due_at)

    def _add(  # noqa: PLR0913 - what a message may be besides
        self,
        work: Work,
        kind: MessageKind,
        record: Record,
        *,
        user_id: str | None = None,
        address: str | None = None,
        due_at: int | None = None,
        gates: bool = False,
        secret: str | None = None,
    ) -> None:
        if not self._notification.channels:
            return
        now, message_id = self._clock.now(), self._entropy.identifier("msg")
        row = OutboxMessage(
            id=message_id,
            kind=kind,
            impersonation_id=record.id,
            user_id=user_id,
            address=address,
            sealed=None if secret is None else self._sealer.seal(SEALING, message_id, secret.encode()),
            gates=gates,
            channel=0,
            attempts=0,
            created_at=now,
            due_at=now if due_at is None else due_at,
        )
        outbox.add(work.session, row)


def message_id_of(row_id: str, issuer: str) -> str:
    """Return the Message-ID of a message: always the same, so that who gets it twice can tell (RFC 5322 §3.6.4)."""
    host = urlsplit(issuer).hostname or "localhost"
    return f"<{row_id}@{f'[IPv6:{host}]' if ':' in host else host}>"
