"""`/api/v1/impersonations/{id}/timeline`: what happened, from the trail and the performed actions."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.happenings import OF_SUBJECT, OTHER, TELLINGS, Sight
from authserver.api.schemas import IdPath, problems
from authserver.api.schemas_evidence import ByOut, HappeningOut, TimelineOut
from authserver.audit.chain import CHAIN
from authserver.audit.events import TrailRead
from authserver.audit.export import instant, payload_of
from authserver.protocol.access import Relation, may_call
from authserver.storage import actions, people, trail
from authserver.storage.impersonations import Record
from authserver.storage.tables import PerformedAction
from authserver.storage.trail import EventRow, Selection

_FIRST = 1_000
_LAST = 100
_ACTIONS = 1_000
_SHORT = 8
_SHORTENED = ("jti", "digest")


def add_timeline(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/impersonations/<string:id>/timeline", responses={200: TimelineOut, **problems(404)})
    def read_timeline(path: IdPath) -> tuple[dict[str, Any], int]:
        """Read what happened in an impersonation, the oldest first; its subject is told less of it."""
        present = call()
        record = present.impersonation(path.id)
        sight = _sight(present, record)
        shown = _timeline(present, record, sight)
        if sight >= Sight.STAFF:
            query = {"impersonation_id": record.id}
            present.parts.trail.record(
                present.work, TrailRead(reader=present.caller.user_id, how="timeline", query=query)
            )
        return shown.model_dump(mode="json"), 200


def _sight(present: Call, record: Record) -> Sight:
    """Return how much the caller sees; whoever has a part in it sees it as that, whatever their role."""
    relations = present.caller.relations(record)
    if Relation.SUBJECT in relations:
        return Sight.SUBJECT
    if Relation.ACTOR in relations:
        return Sight.ACTOR
    return Sight.EVIDENCE if may_call("api.list_audit_events", present.caller.caller) else Sight.STAFF


def _timeline(present: Call, record: Record, sight: Sight) -> TimelineOut:
    session = present.work.session
    rows, complete = _events(present, record.id)
    performed = actions.page(session, record.id, after=None, limit=_ACTIONS + 1)
    personal = trail.personal_of(session, CHAIN, [row.seq for row in rows])
    told = [
        (row.at_ms, row.seq, happening)
        for row in rows
        if (happening := _happening(row, personal[row.seq], sight)) is not None
    ]
    after = rows[-1].seq + 1 if rows else 0
    told += [(action.at_ms, after, _action(action, sight)) for action in performed[:_ACTIONS]]
    items = [happening for _, _, happening in sorted(told, key=lambda entry: entry[:2])]
    parties = {record.actor_id, record.subject_id} if sight is Sight.SUBJECT else None
    complete = complete and len(performed) <= _ACTIONS
    return TimelineOut(items=_named(present, items, parties), complete=complete)


def _events(present: Call, impersonation_id: str) -> tuple[list[EventRow], bool]:
    """Return its events; of too many the first and the last, for how it ended is never left out."""
    session, wanted = present.work.session, Selection(impersonation_id=impersonation_id)
    rows = trail.events(session, CHAIN, wanted, limit=_FIRST)
    if len(rows) < _FIRST:
        return rows, True
    last = trail.newest(session, CHAIN, wanted, limit=_LAST)[::-1]
    further = [row for row in last if row.seq > rows[-1].seq]
    return rows + further, not further or len(further) < _LAST


def _happening(row: EventRow, personal: Mapping[str, str | None], sight: Sight) -> HappeningOut | None:
    """Tell an event to whoever sees so much; None where they do not see it. What was erased is null."""
    payload = payload_of(row)
    payload = payload if isinstance(payload, dict) else {}
    telling = TELLINGS.get(row.name, OTHER)
    to_others = sight < Sight.STAFF and row.name == "notice:sent" and payload.get("kind") not in OF_SUBJECT
    if sight < telling.since or to_others:
        return None
    known = {**payload, **personal}
    if sight is Sight.EVIDENCE:
        details = {"event": row.name, **known}
    else:
        wanted = telling.plain if sight is Sight.SUBJECT else (*telling.plain, *telling.more)
        details = {name: _shortened(name, known[name]) for name in wanted if known.get(name) is not None}
    who = payload.get(telling.by)
    by = ByOut(id=who, name="") if isinstance(who, str) and who else None
    return HappeningOut(
        at=instant(row.at_ms),
        kind=telling.kind,
        title=telling.title(payload),
        by=by,
        details=details,
        seq=None if sight is Sight.SUBJECT else row.seq,
    )


def _shortened(name: str, value: object) -> object:
    """Cut what is only to be recognised again."""
    return value[:_SHORT] if name in _SHORTENED and isinstance(value, str) else value


def _action(row: PerformedAction, sight: Sight) -> HappeningOut:
    """Tell a performed action, as it was reported."""
    by = ByOut(id=row.reported_by, name="")
    details: dict[str, Any] = {"kind": row.kind, "details": dict(row.details)}
    if sight > Sight.SUBJECT:
        details |= {"id": row.id, "received_at": instant(row.received_ms)}
    return HappeningOut(at=instant(row.at_ms), kind="action", title=row.kind, by=by, details=details, seq=None)


def _named(present: Call, items: Sequence[HappeningOut], parties: set[str] | None) -> list[HappeningOut]:
    """Give everyone their name; to the customer nobody is named but themselves and who acted."""
    names = people.named(present.work.session, {item.by.id for item in items if item.by is not None})

    def named(by: ByOut | None) -> ByOut | None:
        if by is None or (parties is not None and by.id not in parties):
            return None
        return ByOut(id=by.id, name=names.get(by.id, ""))

    return [item.model_copy(update={"by": named(item.by)}) for item in items]
