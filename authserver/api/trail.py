"""`/api/v1/audit/events`: reading the trail, which is itself an event."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api import names
from authserver.api.call import Call, call
from authserver.api.instants import read_ms
from authserver.api.schemas import EventsOut
from authserver.api.schemas_evidence import EventsFilter, EventsQuery
from authserver.audit.chain import CHAIN
from authserver.audit.events.readings import TrailRead
from authserver.audit.events.refusals import REFUSALS
from authserver.audit.export import records
from authserver.protocol.access import may_call
from authserver.protocol.refusals import InvalidRequest
from authserver.storage import search
from authserver.storage.selection import Selection

_MAX_DIGITS = 18


def add_trail(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/audit/events", responses={200: EventsOut})
    def list_audit_events(query: EventsQuery) -> tuple[dict[str, Any], int]:
        """List audit events, newest first."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        session, before_seq = present.work.session, _seq(query.cursor)
        found = search.search(session, CHAIN, selected(query), before_seq=before_seq, limit=query.limit)
        items = records(session, found.rows)
        note_reading(present, "api", query)
        cursor = None if found.before_seq is None else str(found.before_seq)
        everybody = may_call("api.list_users", present.caller.caller)
        shown = names.of_people(session, items, everybody=everybody)
        return {"items": items, "names": shown, "next_cursor": cursor}, 200


def selected(query: EventsFilter) -> Selection:
    """Return which events a filter wants."""
    return Selection(
        name=query.name,
        impersonation_id=query.impersonation_id,
        from_ms=read_ms(query.since),
        until_ms=read_ms(query.until),
        names=REFUSALS if query.outcome == "refusals" else (),
        person=query.person,
        client_id=query.client_id,
        text=query.q,
    )


def note_reading(present: Call, how: str, query: EventsFilter) -> None:
    """Record that the caller reads; what they look for may be a name, and is kept as one."""
    asked = query.model_dump(exclude_none=True, exclude={"q"})
    present.parts.trail.record(
        present.work, TrailRead(reader=present.caller.user_id, how=how, query=asked, looked_for=query.q)
    )


def _seq(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise InvalidRequest("cursor.malformed", "cursor is not one that was given out.")
    return int(cursor)
