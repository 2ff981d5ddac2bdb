"""The only source of time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the server asks the time of."""

    def now(self) -> int:
        """Return whole seconds since the Unix epoch, UTC (a JWT NumericDate, RFC 7519 §2)."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return whole seconds since the Unix epoch."""
        return int(time.time())

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000
