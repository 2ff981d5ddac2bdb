"""A message of the outbox becomes a parcel: written from what stands in the database when it is sent."""

from dataclasses import replace

from authserver.impersonation.notify.mail_form import Parcel, usable
from authserver.impersonation.notify.messages import WAITS_IN, MessageKind, Told, compose
from authserver.impersonation.notify.notices import SEALING, message_id_of
from authserver.impersonation.notify.objections import notice_token
from authserver.protocol.names import Role, State
from authserver.settings import Settings
from authserver.storage import DbSession, impersonations, people
from authserver.storage.impersonations import Record
from authserver.storage.outbox import Message
from authserver.storage.tables import User
from authserver.tokens.sealing import Sealer
from authserver.tokens.secret_hashes import SecretHasher

_APPROVALS = frozenset({MessageKind.APPROVAL_WANTED, MessageKind.APPROVAL_REMINDER})
_NOTICES = frozenset({MessageKind.STARTED, MessageKind.ENDED})
_CONSENTS = frozenset({MessageKind.CONSENT_MAIL, MessageKind.CONSENT_CODE})


class Letters:
    """Writes letters."""

    def __init__(self, settings: Settings, sealer: Sealer, hasher: SecretHasher) -> None:
        """Write with the links of `settings.issuer`."""
        self._issuer = settings.issuer
        self._objections = settings.notification.objections
        self._sealer = sealer
        self._hasher = hasher

    def parcel(self, session: DbSession, message: Message, *, now: int) -> Parcel | None:
        """Return what is to be sent; None when nobody has to be told any more. Raises UnsealError."""
        record = impersonations.find(session, message.impersonation_id or "")
        user = None if message.user_id is None else people.find(session, message.user_id)
        kind = MessageKind(message.kind)
        if record is None or not _wanted(message, kind, record, user, now):
            return None
        if kind in WAITS_IN and record.state is State.ACTIVE:
            lifetime = record.extension_lifetime or record.lifetime
            record = replace(record, lifetime=lifetime, pending_until=record.extension_until)
        actor = people.find(session, record.actor_id)
        told = Told(
            record=record,
            actor_name="" if actor is None else actor.name,
            now=now,
            gates=message.gates,
            objections=self._objections,
            link=self._link(kind, record),
            code=self._code(message),
        )
        return Parcel(
            id=message.id,
            message_id=message_id_of(message.id, self._issuer),
            kind=message.kind,
            impersonation_id=record.id,
            user_id=message.user_id,
            address=_address(message, kind, user),
            letter=compose(kind, told),
            at=now,
        )

    def _link(self, kind: MessageKind, record: Record) -> str:
        if kind in _NOTICES:
            return f"{self._issuer}/notice/{notice_token(self._hasher, record.id)}"
        if kind in _CONSENTS:
            return f"{self._issuer}/account/requests/{record.id}"
        return f"{self._issuer}/interactions/{record.id}"

    def _code(self, message: Message) -> str:
        if message.sealed is None:
            return ""
        return self._sealer.unseal(SEALING, message.id, message.sealed).decode()


def _wanted(message: Message, kind: MessageKind, record: Record, user: User | None, now: int) -> bool:
    """Tell whether what a message asks for is still asked."""
    if message.gates:
        return record.state is State.REQUESTED and record.notice == "awaited" and not record.overdue(now)
    extending = record.state is State.ACTIVE and record.extension_until is not None and now < record.extension_until
    if kind in WAITS_IN and (record.overdue(now) or (record.state is not WAITS_IN[kind] and not extending)):
        return False
    if kind in _APPROVALS:
        return user is not None and user.enabled and Role.LEAD in user.roles
    return kind is not MessageKind.CONSENT_CODE or message.sealed is not None


def _address(message: Message, kind: MessageKind, user: User | None) -> str | None:
    """Return where mail goes; a code goes to no address that was not proved to be theirs."""
    if user is None:
        return usable(message.address)
    return None if kind is MessageKind.CONSENT_CODE and not user.email_verified else usable(user.email)
