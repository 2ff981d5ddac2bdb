"""`GET /api/v1/impersonations/{id}/stream`: server-sent events (HTML Living Standard §9.2)."""

import math
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, json, request
from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import IdPath, problems
from authserver.protocol.names import OPEN_STATES
from authserver.protocol.refusals import Refusal
from authserver.storage.database import unit_of_work
from authserver.telemetry import logger
from authserver.web.refusals import NO_STORE, problem

_KEEP_ALIVE_SECONDS = 10
_PROBES, _PROBE_PAUSE = 2, 0.1
_BEGIN = b"retry: 1000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = {**NO_STORE, "X-Accel-Buffering": "no"}
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "event": {"enum": ["impersonation", "problem"]},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("ImpersonationOut", "Problem")]
            },
        },
    },
    "required": ["event", "id", "data"],
}
_DOCUMENTED: dict[str, Any] = {
    "description": (
        "Server-sent events, each as the schema describes. The data of `impersonation` is what reading the "
        "impersonation answers: it comes at once, and after each change; with a final state the stream ends. The data "
        "of `problem` is problem details: the caller may hear no more, and the stream ends."
    ),
    "content": {"text/event-stream": {"schema": _EVENT}},
}


def add_streams(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/impersonations/<string:id>/stream", responses={"200": _DOCUMENTED, **problems(404, 429, 503)})
    def stream_impersonation(path: IdPath) -> Response:
        """Hear of every change of one impersonation within a second, as server-sent events."""
        present = call()
        stream = Stream(present, present.impersonation(path.id).id, request.headers.get("Authorization"))
        response = Response(stream, headers=_HEADERS, content_type="text/event-stream")
        response.call_on_close(stream.close)
        return response


@dataclass(frozen=True, slots=True)
class _Look:
    """What the caller is to see now."""

    event: str
    data: str
    last: bool


class Stream:
    """The events of one impersonation for one caller; between them it holds a thread and nothing of the database.

    With every look the caller's token, role and relation are decided on again.
    """

    def __init__(self, present: Call, impersonation_id: str, header: str | None) -> None:
        """Take a slot for the caller, and begin to watch. Raises the refusal where there are too many."""
        self._parts = present.parts
        self._trace = replace(present.trace)
        self._header = header
        self._impersonation_id = impersonation_id
        self._last_id = 0
        seconds = self._parts.settings.streams.check_seconds
        self._rounds = math.ceil(seconds / _KEEP_ALIVE_SECONDS)
        self._pause = seconds / self._rounds
        self.user_id = user_id = present.caller.user_id
        self._probes = 0
        with ExitStack() as leaving:
            self._parts.slots.claim(user_id)
            leaving.callback(self._parts.slots.release, user_id)
            self._watched = self._parts.watch.begin(impersonation_id)
            leaving.callback(self._parts.watch.end, self._watched)
            # an answer that never gets to be sent is never closed: what it held is free when it is collected
            self._leave = weakref.finalize(self, leaving.pop_all().close)
        self._parts.slots.add(self)

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
            shown = ""
            while self._leave.alive and not self._parts.watch.stopped:
                look = self._look()
                if look.data != shown:
                    shown = look.data
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

    def _look(self) -> _Look:
        """Decide on the caller anew and read what they see, in a unit of work of its own."""
        with self._parts.app.app_context(), unit_of_work() as work:
            present = Call(self._parts, work, self._trace)
            try:
                present.authenticate(self._header)
                record = present.impersonation(self._impersonation_id)
            except Refusal as refusal:
                self._parts.refusals.refuse(work, self._trace, refusal)
                return _Look("problem", problem(refusal).get_data(as_text=True), last=True)
            return _Look("impersonation", json.dumps(present.shown(record)), last=record.state not in OPEN_STATES)

    def _written(self, look: _Look) -> bytes:
        """Write an event; its id grows, also from one stream to the next."""
        self._last_id = max(self._last_id + 1, self._parts.clock.now_ms())
        return f"event: {look.event}\nid: {self._last_id}\ndata: {look.data}\n\n".encode()
