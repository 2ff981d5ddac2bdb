"""How many streams may be open in a process: each holds a thread of the server (design section 8)."""

import threading
from collections import Counter
from typing import Protocol
from weakref import WeakSet

from authserver.protocol.refusals import Busy, TooMany

_PROBE_SECONDS = 1.0
"""How long who comes to a full house waits for those who left without a word to be found out."""
_WAITING = 4
"""How many wait so at once, each with a thread of the server; whoever comes to them is refused at once."""


class Probed(Protocol):
    """An open stream that can be made to write at once: only a write finds out that nobody listens any more."""

    user_id: str

    def probe(self) -> None:
        """Write something soon."""


class Slots:
    """Counts open streams, a person and in all."""

    def __init__(self, *, per_person: int, in_all: int) -> None:
        """Let so many be open; with none at all nothing is waited for."""
        self._per_person = per_person
        self._in_all = in_all
        self._waiting = 0
        # what is dropped may be collected, and so released, while this thread holds the lock
        self._lock = threading.Condition(threading.RLock())
        self._probed: WeakSet[Probed] = WeakSet()
        self._open: Counter[str] = Counter()

    def claim(self, user_id: str) -> None:
        """Take a slot, which whoever took it releases; refused over a cap, but for streams that nobody hears."""
        with self._lock:
            if not self._free(user_id) and self._open and self._waiting < _WAITING:
                self._find_out(user_id)
            if self._open[user_id] >= self._per_person:
                raise TooMany("streams.per_person")
            if self._open.total() >= self._in_all:
                raise Busy("streams.in_all")
            self._open[user_id] += 1

    def release(self, user_id: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._open[user_id] -= 1
            self._open += Counter()  # keeps nobody who has none
            self._lock.notify_all()

    def add(self, stream: Probed) -> None:
        """Know a stream that holds a slot, so that it can be probed; it is forgotten with its last reference."""
        with self._lock:
            self._probed.add(stream)

    def _find_out(self, user_id: str) -> None:
        """Have those who are in the way write, and wait until one of them turns out to be gone."""
        everybody = self._open[user_id] < self._per_person
        for stream in list(self._probed):
            if everybody or stream.user_id == user_id:
                stream.probe()
        self._waiting += 1
        try:
            self._lock.wait_for(lambda: self._free(user_id), _PROBE_SECONDS)
        finally:
            self._waiting -= 1

    def _free(self, user_id: str) -> bool:
        return self._open[user_id] < self._per_person and self._open.total() < self._in_all

    @property
    def open(self) -> int:
        """How many streams are open."""
        with self._lock:
            return self._open.total()
