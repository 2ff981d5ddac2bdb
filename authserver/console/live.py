"""`/console/live/…`: the API's server-sent events with the session's token, for the console's own pages."""

import threading
import weakref
from collections.abc import Callable, Iterator

from flask import Blueprint, Response

from authserver.console.api_client import Opened
from authserver.console.calls import call
from authserver.console.parts import ConsoleParts

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def add_live(blueprint: Blueprint, parts: ConsoleParts) -> None:
    """Add the endpoints: of one impersonation, and of all that one may see; 503 where there are too many already."""
    slots = threading.BoundedSemaphore(parts.max_streams) if parts.max_streams else None

    @blueprint.get("/live/impersonations/<impersonation_id>")
    def live_one(impersonation_id: str) -> Response:
        return passed_on(slots, f"/api/v1/impersonations/{impersonation_id}/stream")

    @blueprint.get("/live/impersonations")
    def live_all() -> Response:
        return passed_on(slots, "/api/v1/impersonations/stream")


def passed_on(slots: threading.BoundedSemaphore | None, path: str) -> Response:
    """Pass a stream on as it comes; whoever finds no slot asks again and again instead."""
    if slots is None or not slots.acquire(blocking=False):
        return Response(status=503, headers={"Retry-After": "15"})
    try:
        opened = call().open(path)
    except BaseException:
        slots.release()
        raise
    passed = Passed(opened, slots.release)
    response = Response(passed, headers=_HEADERS, content_type="text/event-stream")
    response.call_on_close(passed.close)
    return response


class Passed:
    """A stream that gives its slot back, also where nobody ever reads it."""

    def __init__(self, opened: Opened, release: Callable[[], None]) -> None:
        """Pass `opened` on; `release` is called once."""
        self._opened = opened
        self._leave = weakref.finalize(self, _leave, opened, release)

    def __iter__(self) -> Iterator[bytes]:
        """Give what comes."""
        try:
            yield from self._opened
        finally:
            self.close()

    def close(self) -> None:
        """Leave; once is as good as twice."""
        self._leave()


def _leave(opened: Opened, release: Callable[[], None]) -> None:
    try:
        opened.close()
    finally:
        release()
