"""`/api/v1/audit/export`: the trail as a file, a batch at a time; between batches nothing of the database is held."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_evidence import ExportQuery
from authserver.api.trail import note_reading, selected
from authserver.audit.chain import CHAIN
from authserver.audit.export import CSV, JSON_LINES, Form, records, stopped
from authserver.protocol.refusals import Refusal
from authserver.storage import search
from authserver.storage.database import unit_of_work
from authserver.storage.selection import Selection
from authserver.telemetry import logger
from authserver.web.refusals import NO_STORE

_FORMS: dict[str, Form] = {"jsonl": JSON_LINES, "csv": CSV}
_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
_DOCUMENTED: dict[str, Any] = {
    "description": "One line an event, the oldest first (jsonlines.org), or a header and one record each (RFC 4180).",
    "content": {"application/jsonl": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}},
}


def add_exports(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/audit/export", responses={"200": _DOCUMENTED, **problems(429, 503)})
    def export_audit_events(query: ExportQuery) -> Response:
        """Download audit events, up to the newest of now, the oldest first."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        wanted = replace(selected(query), up_to=search.last_seq(present.work.session, CHAIN))
        export = Export(present, wanted, _FORMS[query.format], request.headers.get("Authorization"))
        note_reading(present, "export", query)
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="audit.{query.format}"'}
        response = Response(export, headers=headers, content_type=_TYPES[query.format])
        response.call_on_close(export.close)
        return response


class Export:
    """The lines of an export for one caller, whose token and role are decided on again with every batch.

    It holds a thread of the server as a stream does, and counts as one.
    """

    def __init__(self, present: Call, wanted: Selection, form: Form, header: str | None) -> None:
        """Take a slot for the caller. Raises the refusal where there are too many."""
        self._parts = present.parts
        self._trace = replace(present.trace)
        self._wanted = wanted
        self._form = form
        self._header = header
        self._parts.slots.claim(present.caller.user_id)
        self._leave = weakref.finalize(self, self._parts.slots.release, present.caller.user_id)

    def close(self) -> None:
        """Give the slot back; once is as good as twice."""
        self._leave()

    def __iter__(self) -> Iterator[str]:
        """Give the text as it is read."""
        try:
            if self._form.beginning:
                yield self._form.beginning
            place: int | None = None
            while self._leave.alive:
                text, following = self._part(place)
                if text:
                    yield text
                if following is None:
                    return
                place = following
        except Exception:  # noqa: BLE001 - the answer has begun: all that can be done is to say that it is not the whole
            logger(__name__).exception("an export failed")
            yield self._form.write(stopped("server_error"))
        finally:
            self.close()

    def _part(self, place: int | None) -> tuple[str, int | None]:
        """Read the next batch in a unit of work of its own; None as the next place when there is no more."""
        with self._parts.app.app_context(), unit_of_work() as work:
            present = Call(self._parts, work, self._trace)
            try:
                present.authenticate(self._header).demand(self._trace.endpoint)
            except Refusal as refusal:
                self._parts.refusals.refuse(work, self._trace, refusal)
                return self._form.write(stopped(refusal.error)), None
            rows, following = search.next_batch(work.session, CHAIN, self._wanted, after_seq=place)
            return "".join(map(self._form.write, records(work.session, rows))), following
