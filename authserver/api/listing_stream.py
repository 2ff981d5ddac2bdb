"""`GET /api/v1/impersonations/stream`: everything that the caller may list and that is open, as it comes and goes."""

from flask import Response, json
from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.event_stream import EventStream, documented
from authserver.api.schemas import problems
from authserver.protocol.refusals import Refusal
from authserver.storage import changes, listings
from authserver.storage.database import unit_of_work
from authserver.web.event_stream import Look
from authserver.web.watch import Watch, Watched

_MOST = 500
"""How many of the open ones, the newest, one stream tells of."""
_DOCUMENTED = documented(
    "Server-sent events, each as the schema describes. First one `impersonation` for each that is open and that the "
    "caller may list, then `ready` with how many these are; from then on an `impersonation` for each that appears, "
    "changes or comes to its end. The data of `problem` is problem details: the caller may hear no more, and the "
    "stream ends.",
    ["impersonation", "ready", "problem"],
    "ListedOut",
    "ReadyOut",
    "Problem",
)


def add_listing_stream(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/impersonations/stream", responses={"200": _DOCUMENTED, **problems(429, 503)})
    def stream_impersonations() -> Response:
        """Hear within a second of every impersonation that opens, changes or ends, as server-sent events."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return ListingStream(present).response()


class ListingStream(EventStream):
    """What is open, for one caller, whose token and role are decided on with each look."""

    def __init__(self, present: Call) -> None:
        """Take a slot for the caller, and begin to watch. Raises the refusal where there are too many."""
        self._person = present.viewer.person
        self._known: dict[str, tuple[str, object]] | None = None
        super().__init__(present)

    def _begin(self, watch: Watch) -> Watched:
        return watch.begin_all(self._person)

    def _news(self) -> list[Look]:
        """Decide on the caller anew and compare what they may list, in a unit of work of its own."""
        with self._parts.app.app_context(), unit_of_work() as work:
            try:
                present = self._call(work)
                present.caller.demand(self._trace.endpoint)
            except Refusal as refusal:
                return [self._over(work, refusal)]
            viewer = present.viewer
            states = listings.open_states(work.session, viewer, limit=_MOST)
            marks = changes.marks(work.session, states.keys())
            before = self._known or {}
            now: dict[str, tuple[str, object]] = {name: (state, marks.get(name)) for name, state in states.items()}
            over = listings.states(work.session, viewer, before.keys() - now.keys())
        looks = [_told(name, states[name]) for name in reversed(states) if now[name] != before.get(name)]
        looks += [_told(name, state) for name, state in sorted(over.items())]
        if self._known is None:
            looks.append(Look("ready", json.dumps({"open": len(now)})))
        self._known = now
        return looks


def _told(impersonation_id: str, state: str) -> Look:
    return Look("impersonation", json.dumps({"id": impersonation_id, "state": state}))
