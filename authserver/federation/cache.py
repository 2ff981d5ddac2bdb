"""What was fetched, kept: served stale while it is fetched anew, never fetched by two at once, nor again and again."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from authserver.clock import Clock
from authserver.federation.refusals import UnavailableError

T = TypeVar("T")
Spawn = Callable[[Callable[[], None]], None]
"""Runs something beside the request that asked for it."""


def spawn(task: Callable[[], None]) -> None:
    """Run `task` in a thread of its own."""
    threading.Thread(target=task, name="federation", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Times:
    """How long a value is fresh, how long after that it still serves, and how far apart fetches are; in seconds."""

    fresh: int
    stale: int
    apart: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of a value: `state` is none, fresh, stale or expired; `failure` is of the last try, if it failed.

    Instants are seconds.
    """

    state: Literal["none", "fresh", "stale", "expired"]
    fetched_at: int | None
    tried_at: int | None
    failure: str | None


class Cached(Generic[T]):
    """One value of one issuer. A failed fetch is remembered too, so that the next request does not repeat it."""

    def __init__(self, fetch: Callable[[], T], times: Times, clock: Clock, background: Spawn = spawn) -> None:
        """Keep what `fetch` returns; it raises UnavailableError."""
        self._fetch = fetch
        self._times = times
        self._clock = clock
        self._background = background
        self._lock = threading.Lock()
        self._value: tuple[T, int] | None = None
        """What was fetched, and when."""
        self._tried_at: int | None = None
        self._failure = "transport.not_asked"
        self._failed_last = False

    def get(self) -> T:
        """Return the value: a fresh one, a stale one while it is fetched anew, or the first."""
        now, kept = self._clock.now(), self._value
        if kept is None or not self._serves(kept[1], now):
            return self._foreground(kept)
        if now >= kept[1] + self._times.fresh and self._may_try(now):
            self._background(self._revalidate)
        return kept[0]

    def peek(self) -> T | None:
        """Return what is kept, whatever its age, and fetch nothing."""
        kept = self._value
        return None if kept is None else kept[0]

    def kept(self) -> Kept:
        """Say how old what is kept is, and how the last fetch went; nothing is fetched for that."""
        kept, tried_at, now = self._value, self._tried_at, self._clock.now()
        failure = self._failure if self._failed_last else None
        if kept is None:
            return Kept("none", None, tried_at, failure)
        if now < kept[1] + self._times.fresh:
            return Kept("fresh", kept[1], tried_at, failure)
        return Kept("stale" if self._serves(kept[1], now) else "expired", kept[1], tried_at, failure)

    def newer(self, than: T) -> T | None:
        """Return another value than `than`, fetched now unless that was done a moment ago; None when there is none."""
        with self._lock:
            kept, now = self._value, self._clock.now()
            if kept is not None and kept[0] is not than:
                return kept[0]
            if not self._may_try(now):
                return None
            try:
                return self._try(now)
            except UnavailableError:
                return None

    def _foreground(self, seen: tuple[T, int] | None) -> T:
        """Fetch, or wait for who is fetching and take what came of it."""
        with self._lock:
            kept, now = self._value, self._clock.now()
            if kept is not None and kept is not seen:
                return kept[0]
            if not self._may_try(now):
                raise UnavailableError(self._failure)
            return self._try(now)

    def _serves(self, fetched_at: int, now: int) -> bool:
        return now < fetched_at + self._times.fresh + self._times.stale

    def _revalidate(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock.now()
            if self._may_try(now):
                self._try(now)
        except UnavailableError:
            return
        finally:
            self._lock.release()

    def _may_try(self, now: int) -> bool:
        return self._tried_at is None or now >= self._tried_at + self._times.apart

    def _try(self, now: int) -> T:
        self._tried_at = now
        try:
            value = self._fetch()
        except UnavailableError as error:
            self._failure, self._failed_last = error.reason, True
            raise
        self._failed_last = False
        self._value = (value, now)
        return value
