"""`/api/v1/impersonations`: list them, and end them all."""

from datetime import datetime
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api import cursors
from authserver.api.call import Call, call
from authserver.api.schemas import ImpersonationsOut
from authserver.api.schemas_listing import AllEndedOut, EndAllBody, ImpersonationsQuery
from authserver.audit.events.impersonations import ImpersonationsEnded
from authserver.protocol.access import Relation, may_call
from authserver.protocol.names import OPEN_STATES, State
from authserver.protocol.refusals import InvalidRequest
from authserver.storage import listings
from authserver.storage.listings import Filters, Waiting

Answer = tuple[dict[str, Any], int]
_MOST_EXTENSIONS = 200
_BY_STAFF = "staff"


def add_listing(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/impersonations", responses={200: ImpersonationsOut})
    def list_impersonations(query: ImpersonationsQuery) -> Answer:
        """List impersonations, newest first: one's own, as actor or subject, or all for who may see all."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return _page(present, query).model_dump(mode="json"), 200

    @blueprint.post("/impersonations/end", responses={200: AllEndedOut})
    def end_impersonations(body: EndAllBody) -> Answer:
        """End every impersonation, active or pending; all their tokens are dead at once."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        by, work = present.caller.user_id, present.work
        ended = [record.id for record in present.parts.lifecycle.end_everything(work, by=by, reason=_BY_STAFF)]
        present.parts.trail.record(work, ImpersonationsEnded(by=by, reason=body.reason, count=len(ended)))
        return AllEndedOut(ended=len(ended), ids=ended).model_dump(mode="json"), 200


def _page(present: Call, query: ImpersonationsQuery) -> ImpersonationsOut:
    records = listings.page(
        present.work.session,
        present.viewer,
        _filters(present, query),
        before=_cursor(query.cursor),
        limit=query.limit + 1,
    )
    shown = records[: query.limit]
    following = cursors.write(shown[-1].created_ms, shown[-1].id) if len(records) > query.limit else None
    return ImpersonationsOut(items=present.shapes(shown), next_cursor=following)


def _filters(present: Call, query: ImpersonationsQuery) -> Filters:
    named = None if query.state is None else frozenset(map(State, query.state.split(",")))
    if query.open is not None:
        wanted = OPEN_STATES if query.open else frozenset(State) - OPEN_STATES
        named = wanted if named is None else named & wanted
    return Filters(
        states=named,
        actor=query.actor,
        subject=query.subject,
        reason_code=query.reason_code,
        mode=query.mode,
        since_ms=_ms(query.since),
        until_ms=_ms(query.until),
        waiting=None if query.waiting_for is None else _waiting(present, query.waiting_for),
    )


def _waiting(present: Call, what: str) -> Waiting:
    """Return what waits; of an extension the policy says for whom, as things stand."""
    approval, consent = _extensions(present)
    if what == "approval":
        return Waiting(approval=approval)
    if what == "consent":
        return Waiting(consent=consent)
    caller = present.caller.caller
    return Waiting(
        me=present.caller.user_id,
        approval=approval if may_call("api.decide_approval", caller) else None,
        consent=consent if may_call("api.decide_consent", caller, {Relation.SUBJECT}) else None,
        by_code=may_call("api.enter_consent_code", caller, {Relation.ACTOR}),
    )


def _extensions(present: Call) -> tuple[list[str], list[str]]:
    """Return the ids of the extensions that wait for an approval, and of those that wait for a consent."""
    session, waiting = present.work.session, present.parts.decisions.waiting
    found = listings.extending(session, present.viewer, limit=_MOST_EXTENSIONS)
    return (
        [record.id for record in found if waiting(session, record, State.AWAITING_APPROVAL) is not None],
        [record.id for record in found if waiting(session, record, State.AWAITING_CONSENT) is not None],
    )


def _cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    created_ms, (identifier,) = cursors.read(text, identifiers=1)
    return created_ms, identifier


def _ms(text: str | None) -> int | None:
    """Read an instant (RFC 3339), in milliseconds."""
    try:
        return None if text is None else int(datetime.fromisoformat(text.upper()).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("instant.malformed", "since and until are instants.") from error
