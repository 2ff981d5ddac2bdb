"""Refusals before client authentication: counted in memory, and recorded as one event an address and minute."""

import re
import threading
from dataclasses import dataclass, field

from authserver.audit.events.refusals import StrangersRefused
from authserver.clock import Clock

MAX_ADDRESSES = 10_000
"""How many addresses are told apart in a minute; those beyond count together."""
OTHER = "other"
_MAX_HELD = 5 * MAX_ADDRESSES
_MAX_REASONS = 32
_MAX_CLIENT_IDS = 5
_MAX_TEXT = 64
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(slots=True)
class _Tally:
    count: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    client_ids: list[str] = field(default_factory=list)


class Strangers:
    """Counts, in bounded memory and for all threads of a process."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody refused."""
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: dict[int, dict[str, _Tally]] = {}
        self._held = 0

    def count(self, address: str, reason: str, client_id: str | None) -> None:
        """Count one refusal now; `client_id` is what was claimed, if anything was."""
        minute = self._clock.now() // 60
        claimed = () if client_id is None else (_printable(client_id),)
        with self._lock:
            self._add(minute, _printable(address), 1, {reason: 1}, claimed)

    def due(self, now: int, *, everything: bool = False, limit: int | None = None) -> list[StrangersRefused]:
        """Hand over the aggregates of the minutes that are over at `now` (seconds), at most `limit`; oldest first.

        `everything` hands over the present minute too, for a server that stops.
        """
        handed: list[StrangersRefused] = []
        with self._lock:
            for minute in sorted(self._minutes):
                if minute >= now // 60 and not everything:
                    break
                tallies = self._minutes[minute]
                while tallies and (limit is None or len(handed) < limit):
                    address = next(iter(tallies))
                    handed.append(_event(minute, address, tallies.pop(address)))
                if not tallies:
                    del self._minutes[minute]
            self._held -= len(handed)
        return handed

    def give_back(self, events: list[StrangersRefused]) -> None:
        """Take back what could not be recorded."""
        with self._lock:
            for event in events:
                self._add(event.minute, event.address, event.count, dict(event.reasons), event.client_ids)

    def _add(self, minute: int, address: str, count: int, reasons: dict[str, int], client_ids: tuple[str, ...]) -> None:
        tallies = self._minutes.setdefault(minute, {})
        if address not in tallies and (len(tallies) >= MAX_ADDRESSES or self._held >= _MAX_HELD):
            address = OTHER
        if address not in tallies:
            tallies[address] = _Tally()
            self._held += 1
        tally = tallies[address]
        tally.count += count
        for reason, times in reasons.items():
            key = reason if reason in tally.reasons or len(tally.reasons) < _MAX_REASONS else OTHER
            tally.reasons[key] = tally.reasons.get(key, 0) + times
        for client_id in client_ids:
            if client_id not in tally.client_ids and len(tally.client_ids) < _MAX_CLIENT_IDS:
                tally.client_ids.append(client_id)


def _event(minute: int, address: str, tally: _Tally) -> StrangersRefused:
    return StrangersRefused(
        address=address,
        minute=minute,
        count=tally.count,
        reasons=tally.reasons,
        client_ids=tuple(tally.client_ids),
    )


def _printable(hostile: str) -> str:
    """Cap text of unknown origin to 64 printable ASCII characters."""
    return _UNPRINTABLE.sub("?", hostile[:_MAX_TEXT])
