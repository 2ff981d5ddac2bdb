"""Performed actions on their way: a bounded queue, and one thread that sends them in batches until they are taken."""

import atexit
import json
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
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
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0
_TRIES = 30
_EXIT_SECONDS = 5.0


class Outcome(Enum):
    """What came of sending a batch."""

    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"


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


class Reports:
    """Sends what was queued. Nothing here ever makes a request wait."""

    def __init__(
        self,
        send: Callable[[str, list[dict[str, Any]]], Outcome],
        *,
        capacity: int = 10_000,
        first_wait: float = _FIRST_WAIT,
    ) -> None:
        """Send by `send`; what exceeds `capacity` is dropped, counted and logged."""
        self._send = send
        self._capacity = capacity
        self._first_wait = first_wait
        self._queue: deque[tuple[str, Action]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.dropped = 0

    def add(self, impersonation_id: str, action: Action) -> None:
        """Queue an action, or drop it where the queue is full."""
        with self._changed:
            if self._closing or len(self._queue) >= self._capacity:
                self._drop(1, "the queue is full")
                return
            self._queue.append((impersonation_id, action))
            if self._thread is None or not self._thread.is_alive():  # a forked process has no thread of its own
                if self._thread is None:
                    atexit.register(self.close)
                self._thread = threading.Thread(target=self._run, name="authserver-reports", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything queued was sent; tell whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, seconds)

    def close(self, seconds: float = _EXIT_SECONDS) -> None:
        """Send what can be sent within `seconds`, then stop; called at exit too."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)
        with self._changed:
            if self._queue:
                self._drop(len(self._queue), "the process ended")
                self._queue.clear()

    def _run(self) -> None:
        tries = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._closing and not tries:
                    self._changed.wait_for(lambda: self._closing or len(self._queue) >= _BATCH, _LINGER_SECONDS)
                if not self._queue:
                    return
                impersonation_id, batch = self._next()
            outcome = self._sent(impersonation_id, batch)
            tries = tries + 1 if outcome is Outcome.AGAIN else 0
            if 0 < tries < _TRIES:
                with self._changed:
                    wait = min(self._first_wait * 2 ** (tries - 1), _LONGEST_WAIT)
                    if self._closing:  # the last attempts are made at an even pace
                        self._changed.wait_for(lambda: False, self._first_wait)
                    else:
                        self._changed.wait_for(lambda: self._closing, wait)
                continue
            self._finish(batch, outcome)
            tries = 0

    def _sent(self, impersonation_id: str, batch: list[Action]) -> Outcome:
        try:
            return self._send(impersonation_id, [action.body() for action in batch])
        except Exception:  # noqa: BLE001 - whatever it is, the other reports go on
            _log.exception("a report failed")
            return Outcome.AGAIN

    def _next(self) -> tuple[str, list[Action]]:
        """Return the oldest action's impersonation and its actions at the head; they stay until they were taken."""
        impersonation_id, batch = self._queue[0][0], list[Action]()
        for owner, action in self._queue:
            if owner != impersonation_id or len(batch) == _BATCH:
                break
            batch.append(action)
        return impersonation_id, batch

    def _finish(self, batch: list[Action], outcome: Outcome) -> None:
        with self._changed:
            for _ in batch[: len(self._queue)]:
                self._queue.popleft()
            if outcome is not Outcome.TAKEN:
                self._drop(len(batch), "the server did not take them")
            self._changed.notify_all()

    def _drop(self, count: int, why: str) -> None:
        self.dropped += count
        _log.error("performed actions were dropped: %s (%d now, %d in all)", why, count, self.dropped)


def _cut(value: str | int | bool | None) -> str | int | bool | None:  # noqa: FBT001 - a value, not a switch
    if not isinstance(value, str):
        return value
    clean = "".join(char if char.isprintable() else "\ufffd" for char in value)
    return clean if len(clean) <= _MAX_TEXT else clean[: _MAX_TEXT - 1] + "…"
