"""The chain: every event is bound to the one before it by a SHA-256 digest (ADR 3)."""

import dataclasses
import hashlib
import weakref
from typing import Any, NamedTuple

from authserver.audit import canonical
from authserver.audit.events.event import Event
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.storage import DbSession, mentions, trail
from authserver.storage.database import Work
from authserver.storage.mentions import Mention
from authserver.storage.trail import Addition, EventRow, Head, PersonalRow

CHAIN = "main"
"""The one chain that there is."""
_MAX_PERSONAL = 8_192
"""A reason may be as long as its setting allows."""


class _Pending(NamedTuple):
    """An event on its way into the chain: its payload is settled, its place is not."""

    name: str
    version: int
    impersonation_id: str | None
    payload: dict[str, Any]
    personal: dict[str, tuple[str, str]]
    """Field to salt and value."""
    mentioned: frozenset[Mention]


class Trail:
    """Records events; it is shared by all threads, a `Work` belongs to one."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        """Take the sources of time and of salts."""
        self._clock = clock
        self._entropy = entropy
        # The work alone keeps its batch alive: what it forgets on a rollback is forgotten here.
        self._batches: weakref.WeakKeyDictionary[Work, weakref.ref[_Batch]] = weakref.WeakKeyDictionary()

    def record(self, work: Work, event: Event) -> None:
        """Add an event to what `work` commits: durable with it, and only with it."""
        pending = self._settle(event)
        known = self._batches.get(work)
        batch = known() if known else None
        if batch is None or batch.appended:
            batch = _Batch(work.session, self._clock)
            self._batches[work] = weakref.ref(batch)
            work.before_commit(batch.append)
        batch.events.append(pending)

    def _settle(self, event: Event) -> _Pending:
        payload: dict[str, Any] = {}
        personal: dict[str, tuple[str, str]] = {}
        for field in dataclasses.fields(event):
            value = getattr(event, field.name)
            if field.name == "impersonation_id":
                continue
            if field.name in event.personal and value is not None:
                salt, kept = self._entropy.salt(), canonical.text(str(value), _MAX_PERSONAL)
                personal[field.name] = (salt.hex(), kept)
                payload[field.name] = {"commitment": commitment(salt, kept)}
            else:
                payload[field.name] = canonical.plain(value)
        return _Pending(
            event.name, event.version, event.impersonation_id, payload, personal, mentions.mentioned(payload)
        )


class _Batch:
    """The events of one work, appended together just before its commit, so that the chain is locked briefly."""

    def __init__(self, session: DbSession, clock: Clock) -> None:
        self.events: list[_Pending] = []
        self.appended = False
        self._session = session
        self._clock = clock

    def append(self) -> None:
        """Chain everything, in the order in which it was recorded."""
        self.appended = True
        trail.append(self._session, CHAIN, self._chain)

    def _chain(self, head: Head) -> Addition:
        at_ms = self._clock.now_ms()
        events: list[EventRow] = []
        personal: list[PersonalRow] = []
        index: list[dict[str, object]] = []
        for event in self.events:
            seq = head.seq + 1
            row = EventRow(
                chain_id=CHAIN,
                seq=seq,
                prev=head.digest,
                digest="",
                at_ms=at_ms,
                name=event.name,
                version=event.version,
                impersonation_id=event.impersonation_id,
                payload=canonical.canonical(event.payload).decode(),
            )
            row = row._replace(digest=digest(row))
            personal += [PersonalRow(CHAIN, seq, field, salt, value) for field, (salt, value) in event.personal.items()]
            index += mentions.rows(CHAIN, seq, event.mentioned)
            events.append(row)
            head = Head(seq, row.digest)
        return Addition(events, personal, index)


def digest(row: EventRow) -> str:
    """Return the SHA-256 of an event in hexadecimal: over everything but the digest itself."""
    return hashlib.sha256(preimage(row)).hexdigest()


def preimage(row: EventRow) -> bytes:
    """Return what an event's digest is taken of: the canonical JSON of it, whose `payload` is canonical already."""
    before = canonical.canonical(
        {"at_ms": row.at_ms, "chain_id": row.chain_id, "impersonation_id": row.impersonation_id, "name": row.name}
    )
    behind = canonical.canonical({"prev": row.prev, "seq": row.seq, "version": row.version})
    return b'%b,"payload":%b,%b' % (before[:-1], row.payload.encode(), behind[1:])


def commitment(salt: bytes, value: str) -> str:
    """Bind a personal value without telling it: SHA-256 over 16 random bytes and the value, in hexadecimal."""
    return hashlib.sha256(salt + value.encode()).hexdigest()
