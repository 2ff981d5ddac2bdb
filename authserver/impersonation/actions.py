"""Performed actions: who reports what was done, until when, and once each (design sections 2 and 4)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authserver.audit.canonical import canonical
from authserver.audit.chain import Trail
from authserver.audit.events.impersonations import ActionsReported
from authserver.clock import Clock
from authserver.protocol.names import State
from authserver.protocol.refusals import Conflict, InvalidRequest
from authserver.storage import actions, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record

GRACE_SECONDS = 60
"""How long after the end what was done before may still be reported."""
MAX_DETAILS_BYTES = 1024
_LEEWAY_MS = 60_000
_CLOSED = "The impersonation has not begun, or ended too long ago."


@dataclass(frozen=True, slots=True)
class Performed:
    """One action as its reporter tells it; `id` is the reporter's own."""

    id: str
    kind: str
    at_ms: int
    details: Mapping[str, str | int | bool | None]

    def shown(self) -> dict[str, object]:
        """Return what its digest is over."""
        return {"id": self.id, "kind": self.kind, "at_ms": self.at_ms, "details": dict(self.details)}


@dataclass(frozen=True, slots=True)
class Reported:
    """How many of a batch were new, and how many known already."""

    accepted: int
    known: int


class Actions:
    """Takes reports."""

    def __init__(self, trail: Trail, clock: Clock) -> None:
        """Record in `trail`, by `clock`."""
        self._trail = trail
        self._clock = clock

    def report(self, work: Work, record: Record, reported_by: str, batch: Sequence[Performed]) -> Reported:
        """Keep what is new of a batch. Under an id that the reporter used before, what was told first stays."""
        self._check(record, batch)
        if not _takes_reports(record, self._clock.now()):
            raise Conflict("actions.closed", _CLOSED)
        work.lock()
        held = impersonations.find(work.session, record.id, hold=True)
        if held is None or not _takes_reports(held, self._clock.now()):
            raise Conflict("actions.closed", _CLOSED)
        now_ms = self._clock.now_ms()
        new = [
            action
            for action in batch
            if actions.add(
                work.session,
                {
                    **action.shown(),
                    "impersonation_id": record.id,
                    "reported_by": reported_by,
                    "received_ms": now_ms,
                },
            )
        ]
        if new:
            event = ActionsReported(
                impersonation_id=record.id, reported_by=reported_by, count=len(new), digest=digest(new)
            )
            self._trail.record(work, event)
        return Reported(len(new), len(batch) - len(new))

    def _check(self, record: Record, batch: Sequence[Performed]) -> None:
        """Refuse what shapes cannot see: details that are too large, actions of the future, and of before it began."""
        latest = self._clock.now_ms() + _LEEWAY_MS
        earliest = (record.activated_at or 0) * 1000 - _LEEWAY_MS
        if any(len(canonical(dict(action.details))) > MAX_DETAILS_BYTES for action in batch):
            raise InvalidRequest("actions.details_too_large", "The details of an action are too large.")
        if any(action.at_ms > latest for action in batch):
            raise InvalidRequest("actions.future", "An action is of the future.")
        if any(action.at_ms < earliest for action in batch):
            raise InvalidRequest("actions.past", "An action is of before the impersonation began.")


def digest(batch: Sequence[Performed]) -> str:
    """Return SHA-256 (hex) over the canonical JSON of actions, in the order of their ids."""
    ordered = sorted(batch, key=lambda action: action.id)
    return hashlib.sha256(canonical([action.shown() for action in ordered])).hexdigest()


def _takes_reports(record: Record, now: int) -> bool:
    """Tell whether it is active, or was until a short time ago; its clock ends it even before a row says so."""
    if record.activated_at is None:
        return False
    limits = [limit for limit in (record.expires_at, record.ended_at) if limit is not None]
    return (record.state is State.ACTIVE or record.ended_at is not None) and now < min(limits) + GRACE_SECONDS
