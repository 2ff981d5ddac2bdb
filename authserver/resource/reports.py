"""Performed actions on their way: a bounded queue, and one thread that sends it in batches until they are taken."""

import atexit
import json
import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any, Self

_log = logging.getLogger(__name__)
_KIND = re.compile(r"[a-z0-9_.:-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_TEXT = 128
_MAX_DETAILS = 1024
_MAX_KEYS = 32
_MAX_INTEGER = 2**53 - 1
_BATCH = 40
"""So many of the largest actions stay below the 64 KiB that a request may have."""
_LINGER_SECONDS = 0.2
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_TRIES = 30
_EXIT_SECONDS = 5.0


class Outcome(Enum):
    """What came of sending a batch."""

    TAKEN = "taken"
    AGAIN = "again"
    """Not now: the server cannot be reached, is busy, or does not let this client in."""
    REFUSED = "refused"
    """Something in it does not fit; the others may."""
    LATE = "late"
    """The impersonation takes no more reports."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action, ready to be sent; `id` stays the same however often it is."""

    id: str
    kind: str
    at: str
    details: Mapping[str, str | int | bool | None]

    @classmethod
    def of(cls, identifier: str, kind: str, at: float, details: Mapping[str, str | int | bool | None]) -> Self:
        """Make an action. A kind, key or value that the API does not take is the caller's mistake: ValueError."""
        if not _KIND.fullmatch(kind):
            raise ValueError("a kind is made of a-z, 0-9 and _.:-, at most 64 of them")
        if len(details) > _MAX_KEYS:
            raise ValueError("an action has too many details")
        for key, value in details.items():
            if isinstance(value, int) and abs(value) > _MAX_INTEGER:
                raise ValueError("a whole number is too large for JSON (RFC 7493 §2.2)")
            if not _KEY.fullmatch(key) or not isinstance(value, str | int | None):
                raise ValueError("details have plain names, and texts, whole numbers, truth values or nothing")
        shown = {key: _cut(value) for key, value in details.items()}
        if len(json.dumps(shown, ensure_ascii=False).encode()) > _MAX_DETAILS:
            raise ValueError("details are larger than 1 KB")
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls(identifier, kind, moment, shown)

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        return {"id": self.id, "kind": self.kind, "at": self.at, "details": dict(self.details)}


@dataclass(slots=True)
class _Lane:
    """What waits for one impersonation: how often its head was tried, when it may be again, and how many go at once."""

    actions: deque[Action] = field(default_factory=deque)
    tries: int = 0
    not_before: float = 0.0
    size: int = _BATCH

    def batch(self) -> list[Action]:
        return list(islice(self.actions, self.size))


class Reports:
    """Sends what was queued. Nothing here ever makes a request wait, and what waits for one holds up no other."""

    def __init__(
        self,
        send: Callable[[str, list[dict[str, Any]]], Outcome],
        *,
        capacity: int = 10_000,
        first_wait: float = _FIRST_WAIT,
        on_drop: Callable[[str, int], None] | None = None,
    ) -> None:
        """Send by `send`; what cannot be is dropped, counted by why, logged, and told to `on_drop` for metrics."""
        self._send = send
        self._capacity = capacity
        self._first_wait = first_wait
        self._on_drop = on_drop
        self._lanes: dict[str, _Lane] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.drops: Counter[str] = Counter()

    @property
    def dropped(self) -> int:
        """How many actions were dropped in all; `drops` says why: queue_full, refused, late, gave_up, process_ended."""
        return self.drops.total()

    @property
    def waiting(self) -> int:
        """How many actions are queued."""
        return sum(len(lane.actions) for lane in list(self._lanes.values()))

    def add(self, impersonation_id: str, action: Action) -> None:
        """Queue an action, or drop it where the queue is full."""
        with self._changed:
            if self._closing or self.waiting >= self._capacity:
                self._drop("process_ended" if self._closing else "queue_full", impersonation_id, [action])
                return
            self._lanes.setdefault(impersonation_id, _Lane()).actions.append(action)
            if self._thread is None or not self._thread.is_alive():  # a forked process has no thread of its own
                if self._thread is None:
                    atexit.register(self.close)
                self._thread = threading.Thread(target=self._run, name="authserver-reports", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything queued was sent or dropped; tell whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lanes, seconds)

    def close(self, seconds: float = _EXIT_SECONDS) -> None:
        """Send what can be sent within `seconds`, then stop; called at exit too."""
        with self._changed:
            self._closing = True
            for lane in self._lanes.values():
                lane.not_before = min(lane.not_before, time.monotonic() + self._first_wait)
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)
        with self._changed:
            for impersonation_id, lane in self._lanes.items():
                self._drop("process_ended", impersonation_id, lane.actions)
            self._lanes.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lanes or self._closing)
                if not self._closing and not any(lane.tries for lane in self._lanes.values()):
                    self._changed.wait_for(lambda: self._closing or self.waiting >= _BATCH, _LINGER_SECONDS)
                if not self._lanes:
                    return
                impersonation_id, lane = min(self._lanes.items(), key=lambda item: item[1].not_before)
                wait = lane.not_before - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                batch = lane.batch()
            outcome = self._sent(impersonation_id, batch)
            with self._changed:
                self._settle(impersonation_id, lane, batch, outcome)
                if not lane.actions and self._lanes.get(impersonation_id) is lane:
                    del self._lanes[impersonation_id]
                self._changed.notify_all()

    def _sent(self, impersonation_id: str, batch: list[Action]) -> Outcome:
        try:
            return self._send(impersonation_id, [action.body() for action in batch])
        except Exception:  # noqa: BLE001 - whatever it is, the other reports go on
            _log.exception("a report failed")
            return Outcome.AGAIN

    def _settle(self, impersonation_id: str, lane: _Lane, batch: list[Action], outcome: Outcome) -> None:
        """Do what came of a batch; one that does not fit is halved until what is wrong with it stands alone."""
        if outcome is Outcome.REFUSED and len(batch) > 1:
            lane.size = len(batch) // 2
            return
        if outcome is Outcome.AGAIN and lane.tries + 1 < _TRIES:
            lane.tries += 1
            longer = self._first_wait if self._closing else self._first_wait * 2 ** (lane.tries - 1)
            lane.not_before = time.monotonic() + min(longer, _LONGEST_WAIT)
            return
        for _ in batch[: len(lane.actions)]:  # a process that gives up has emptied it
            lane.actions.popleft()
        lane.tries, lane.size = 0, _BATCH
        if outcome is not Outcome.TAKEN:
            self._drop("gave_up" if outcome is Outcome.AGAIN else outcome.value, impersonation_id, batch)

    def _drop(self, why: str, impersonation_id: str, actions: Collection[Action]) -> None:
        """Leave evidence of what will not be reported: how many, why, of what, and the first of them by id and kind."""
        self.drops[why] += len(actions)
        first = next(iter(actions))
        _log.error(
            "performed actions were dropped: %s (%d of %s, from %s %s on; %d in all)",
            why,
            len(actions),
            impersonation_id,
            first.id,
            first.kind,
            self.dropped,
        )
        if self._on_drop is not None:
            try:
                self._on_drop(why, len(actions))
            except Exception:  # noqa: BLE001 - somebody else's metrics must not stop the reports
                _log.exception("on_drop failed")


def _cut(value: str | int | bool | None) -> str | int | bool | None:  # noqa: FBT001 - a value, not a switch
    if not isinstance(value, str):
        return value
    clean = "".join(char if char.isprintable() else "\ufffd" for char in value)
    return clean if len(clean) <= _MAX_TEXT else clean[: _MAX_TEXT - 1] + "…"
