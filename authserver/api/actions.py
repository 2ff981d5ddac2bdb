"""`/api/v1/impersonations/{id}/actions`: what was done while impersonating, reported and read."""

from datetime import datetime
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api import cursors, shapes
from authserver.api.call import Call, call
from authserver.api.schemas import (
    ActionIn,
    ActionOut,
    ActionsBody,
    ActionsOut,
    IdPath,
    PageQuery,
    ReportedOut,
    problems,
)
from authserver.impersonation.actions import Performed
from authserver.protocol.refusals import InvalidRequest
from authserver.storage import actions
from authserver.storage.actions import Place
from authserver.storage.impersonations import Record

Answer = tuple[dict[str, Any], int]
_REPORTERS: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]


def add_actions(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post(
        "/impersonations/<string:id>/actions",
        responses={200: ReportedOut, **problems(404, 409)},
        security=_REPORTERS,
    )
    def report_actions(path: IdPath, body: ActionsBody) -> Answer:
        """Report performed actions, as the impersonation's own token or as a resource server that it names."""
        present = call()
        record = present.impersonation(path.id)
        batch = [_performed(action) for action in body.actions]
        reported = present.parts.actions.report(present.work, record, _reporter(present, record), batch)
        return ReportedOut(accepted=reported.accepted, known=reported.known).model_dump(mode="json"), 200

    @blueprint.get("/impersonations/<string:id>/actions", responses={200: ActionsOut, **problems(404)})
    def list_actions(path: IdPath, query: PageQuery) -> Answer:
        """List performed actions, in the order in which they were received."""
        present = call()
        return _page(present, present.impersonation(path.id), query), 200


def _reporter(present: Call, record: Record) -> str:
    """Name the reporter: a resource server's client, or the actor, for whom the token speaks."""
    return record.actor_id if present.client is None else present.client.client_id


def _performed(action: ActionIn) -> Performed:
    try:
        at_ms = int(datetime.fromisoformat(action.at.upper()).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("actions.at", "at is not an instant.") from error
    return Performed(action.id, action.kind, at_ms, action.details)


def _page(present: Call, record: Record, query: PageQuery) -> dict[str, Any]:
    after = None
    if query.cursor is not None:
        received_ms, (identifier, reported_by) = cursors.read(query.cursor, identifiers=2)
        after = Place(received_ms, identifier, reported_by)
    rows = actions.page(present.work.session, record.id, after=after, limit=query.limit + 1)
    shown = [
        ActionOut(
            id=row.id,
            kind=row.kind,
            at=shapes.moment(row.at_ms / 1000),
            details=row.details,
            reported_by=row.reported_by,
            received_at=shapes.moment(row.received_ms / 1000),
        )
        for row in rows[: query.limit]
    ]
    following = None
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        following = cursors.write(last.received_ms, last.id, last.reported_by)
    return ActionsOut(items=shown, next_cursor=following).model_dump(mode="json")
