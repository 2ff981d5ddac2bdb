"""How many streams may be open in a process: each holds a thread of the server (design section 8)."""

import threading
from collections import Counter

from authserver.protocol.refusals import Busy, TooMany
from authserver.settings_governance import Streams


class Slots:
    """Counts open streams, a person and in all."""

    def __init__(self, limits: Streams) -> None:
        """Stay within `limits`."""
        self._limits = limits
        self._lock = threading.RLock()  # what is dropped may be collected, and so released, while this thread holds it
        self._open: Counter[str] = Counter()

    def claim(self, user_id: str) -> None:
        """Take a slot, which whoever took it releases; refused over a cap."""
        with self._lock:
            if self._open[user_id] >= self._limits.per_person:
                raise TooMany("streams.per_person")
            if self._open.total() >= self._limits.in_all:
                raise Busy("streams.in_all")
            self._open[user_id] += 1

    def release(self, user_id: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._open[user_id] -= 1
            self._open += Counter()  # keeps nobody who has none

    @property
    def open(self) -> int:
        """How many streams are open."""
        with self._lock:
            return self._open.total()
