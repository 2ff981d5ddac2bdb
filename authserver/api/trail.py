"""`/api/v1/audit/events`: reading the trail, which is itself an event."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.schemas import EventsOut, EventsQuery
from authserver.audit.chain import CHAIN
from authserver.audit.events import TrailRead
from authserver.audit.export import as_record
from authserver.protocol.refusals import InvalidRequest
from authserver.storage import trail

_MAX_DIGITS = 18


def add_trail(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/audit/events", responses={200: EventsOut})
    def list_audit_events(query: EventsQuery) -> tuple[dict[str, Any], int]:
        """List audit events, newest first."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        session = present.work.session
        selection = trail.Selection(name=query.name, impersonation_id=query.impersonation_id)
        rows = trail.newest(session, CHAIN, selection, before_seq=_seq(query.cursor), limit=query.limit + 1)
        shown = rows[: query.limit]
        personal = trail.personal_of(session, CHAIN, [row.seq for row in shown])
        asked = query.model_dump(exclude_none=True)
        present.parts.trail.record(present.work, TrailRead(reader=present.caller.user_id, how="api", query=asked))
        following = str(shown[-1].seq) if len(rows) > query.limit else None
        return {"items": [as_record(row, personal[row.seq]) for row in shown], "next_cursor": following}, 200


def _seq(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise InvalidRequest("cursor.malformed", "cursor is not one that was given out.")
    return int(cursor)
