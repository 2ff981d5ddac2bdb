"""Server-sent events (HTML Living Standard §9.2) for one caller, who is decided on again with every look."""

import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request

from authserver.api.call import Call
from authserver.api.watch import Watch, Watched
from authserver.protocol.refusals import Refusal
from authserver.storage.database import Work
from authserver.telemetry import logger
from authserver.web.refusals import NO_STORE, problem

_KEEP_ALIVE_SECONDS = 10
_PROBES, _PROBE_PAUSE = 2, 0.1
_BEGIN = b"retry: 1000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = {**NO_STORE, "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Look:
    """What the caller is to see now; after the last one there is no more."""

    event: str
    data: str
    last: bool = False


class EventStream(ABC):
    """Events as they come; between them it holds a thread and nothing of the database.

    Every `streams.check_seconds` at least it looks again.
    """

    def __init__(self, present: Call) -> None:
        """Take a slot for the caller, and begin to watch. Raises the refusal where there are too many."""
        self._parts = present.parts
        self._trace = replace(present.trace)
        self._header = request.headers.get("Authorization")
        self._last_id = 0
        seconds = self._parts.settings.streams.check_seconds
        self._rounds = math.ceil(seconds / _KEEP_ALIVE_SECONDS)
        self._pause = seconds / self._rounds
        self.user_id = user_id = present.caller.user_id
        self._probes = 0
        with ExitStack() as leaving:
            self._parts.slots.claim(user_id)
            leaving.callback(self._parts.slots.release, user_id)
            self._watched = self._begin(self._parts.watch)
            leaving.callback(self._parts.watch.end, self._watched)
            # an answer that never gets to be sent is never closed: what it held is free when it is collected
            self._leave = weakref.finalize(self, leaving.pop_all().close)
        self._parts.slots.add(self)

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
        """Give the events as they come, and a comment where there is silence."""
        try:
            yield _BEGIN
            while self._leave.alive and not self._parts.watch.stopped:
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
                yield _KEEP_ALIVE
                self._watched.wait(_PROBE_PAUSE)
            if woken:
                return
            yield _KEEP_ALIVE

    def _written(self, look: Look) -> bytes:
        """Write an event; its id grows, also from one stream to the next."""
        self._last_id = max(self._last_id + 1, self._parts.clock.now_ms())
        return f"event: {look.event}\nid: {self._last_id}\ndata: {look.data}\n\n".encode()

    def _call(self, work: Work) -> Call:
        """Return a call like the first one, with its caller decided on anew. Raises the refusal."""
        present = Call(self._parts, work, self._trace)
        present.authenticate(self._header)
        return present

    def _over(self, work: Work, refusal: Refusal) -> Look:
        """Record that the caller may hear no more, and tell them."""
        self._parts.refusals.refuse(work, self._trace, refusal)
        return Look("problem", problem(refusal).get_data(as_text=True), last=True)


def documented(description: str, events: list[str], *shapes: str) -> dict[str, Any]:
    """Return the OpenAPI description of a stream of these events, whose data has one of these shapes."""
    event: dict[str, Any] = {
        "type": "object",
        "description": "One event.",
        "properties": {
            "event": {"enum": events},
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in shapes]},
            },
        },
        "required": ["event", "id", "data"],
    }
    return {"description": description, "content": {"text/event-stream": {"schema": event}}}
