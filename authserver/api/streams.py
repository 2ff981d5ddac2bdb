"""`GET /api/v1/impersonations/{id}/stream`: one impersonation, and each change of it."""

from flask import Response, json
from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.event_stream import EventStream, documented
from authserver.api.schemas import IdPath, problems
from authserver.protocol.names import OPEN_STATES
from authserver.protocol.refusals import Refusal
from authserver.storage.database import unit_of_work
from authserver.web.event_stream import Look
from authserver.web.watch import Watch, Watched

_DOCUMENTED = documented(
    "Server-sent events, each as the schema describes. The data of `impersonation` is what reading the "
    "impersonation answers: it comes at once, and after each change; with a final state the stream ends. The data "
    "of `problem` is problem details: the caller may hear no more, and the stream ends.",
    ["impersonation", "problem"],
    "ImpersonationOut",
    "Problem",
)


def add_streams(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/impersonations/<string:id>/stream", responses={"200": _DOCUMENTED, **problems(404, 429, 503)})
    def stream_impersonation(path: IdPath) -> Response:
        """Hear of every change of one impersonation within a second, as server-sent events."""
        present = call()
        return Stream(present, present.impersonation(path.id).id).response()


class Stream(EventStream):
    """The events of one impersonation for one caller, whose token, role and relation are decided on with each."""

    def __init__(self, present: Call, impersonation_id: str) -> None:
        """Take a slot for the caller, and begin to watch. Raises the refusal where there are too many."""
        self._impersonation_id = impersonation_id
        self._shown = ""
        super().__init__(present)

    def _begin(self, watch: Watch) -> Watched:
        return watch.begin(self._impersonation_id)

    def _news(self) -> list[Look]:
        look = self._look()
        if look.data == self._shown and not look.last:
            return []
        self._shown = look.data
        return [look]

    def _look(self) -> Look:
        """Decide on the caller anew and read what they see, in a unit of work of its own."""
        with self._parts.app.app_context(), unit_of_work() as work:
            try:
                present = self._call(work)
                record = present.impersonation(self._impersonation_id)
            except Refusal as refusal:
                return self._over(work, refusal)
            return Look("impersonation", json.dumps(present.shown(record)), last=record.state not in OPEN_STATES)
