"""Server-sent events (HTML Living Standard §9.2) for one person: what every edge's streams share."""

import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from flask import Flask, Response

from authserver.clock import Clock
from authserver.telemetry import logger
from authserver.web.refusals import NO_STORE
from authserver.web.slots import Slots
from authserver.web.watch import Watch, Watched

_KEEP_ALIVE_SECONDS = 10
_PROBES, _PROBE_PAUSE = 2, 0.1
_BEGIN = b"retry: 1000\n\n"
_HEADERS = {**NO_STORE, "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Look:
    """What the caller is to see now; after the last one there is no more."""

    event: str
    data: str
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """What streams rest on: what wakes them, how many there may be, and how often each looks again at least."""

    app: Flask
    clock: Clock
    watch: Watch
    slots: Slots
    check_seconds: int


class Events(ABC):
    """Events as they come; between them it holds a thread and nothing of the database.

    Every `check_seconds` at least it looks again, and so decides anew on who hears.
    """

    keep_alive = b": keep-alive\n\n"
    """What fills the silence: a comment, which a browser's EventSource passes over."""

    def __init__(self, streaming: Streaming, user_id: str) -> None:
        """Take a slot for the person, and begin to watch. Raises the refusal where there are too many."""
        self._streaming = streaming
        self._last_id = 0
        self._rounds = math.ceil(streaming.check_seconds / _KEEP_ALIVE_SECONDS)
        self._pause = streaming.check_seconds / self._rounds
        self.user_id = user_id
        self._probes = 0
        with ExitStack() as leaving:
            streaming.slots.claim(user_id)
            leaving.callback(streaming.slots.release, user_id)
            self._watched = self._begin(streaming.watch)
            leaving.callback(streaming.watch.end, self._watched)
            # an answer that never gets to be sent is never closed: what it held is free when it is collected
            self._leave = weakref.finalize(self, leaving.pop_all().close)
        streaming.slots.add(self)

    @abstractmethod
    def _begin(self, watch: Watch) -> Watched:
        """Begin to watch."""

    @abstractmethod
    def _news(self) -> list[Look]:
        """Return what is new to the caller."""

    def response(self) -> Response:
        """Return the answer that sends the events."""
        response = Response(self, headers=_HEADERS, content_type="text/event-stream")
        response.call_on_close(self.close)
        return response

    def close(self) -> None:
        """Give everything back; once is as good as twice."""
        self._leave()

    def probe(self) -> None:
        """Write at once: to a connection that is closed the first write may still succeed, the second does not."""
        self._probes = _PROBES
        self._watched.wake()

    def __iter__(self) -> Iterator[bytes]:
        """Give the events as they come, and something where there is silence."""
        try:
            yield _BEGIN
            while self._leave.alive and not self._streaming.watch.stopped:
                for look in self._news():
                    yield self._written(look)
                    if look.last:
                        return
                yield from self._silence()
        except Exception:  # noqa: BLE001 - the answer has begun: all that can be done is to end it, and be asked again
            logger(__name__).exception("a stream failed")
        finally:
            self.close()

    def _silence(self) -> Iterator[bytes]:
        """Wait for a change, or for the next check."""
        for _ in range(self._rounds):
            woken = self._watched.wait(self._pause)
            while self._probes:
                self._probes -= 1
                yield self.keep_alive
                self._watched.wait(_PROBE_PAUSE)
            if woken:
                return
            yield self.keep_alive

    def _written(self, look: Look) -> bytes:
        """Write an event; its id grows, also from one stream to the next."""
        self._last_id = max(self._last_id + 1, self._streaming.clock.now_ms())
        return f"event: {look.event}\nid: {self._last_id}\ndata: {look.data}\n\n".encode()
