"""`/api/v1/impersonations/{id}/timeline`: what happened, from the trail and the performed actions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

from flask_openapi.blueprint import APIBlueprint

from authserver.api import cursors
from authserver.api.call import Call, call
from authserver.api.happenings import OF_SUBJECT, OTHER, TELLINGS, Sight
from authserver.api.schemas import IdPath, PageQuery, problems
from authserver.api.schemas_evidence import ByOut, HappeningOut, TimelineOut
from authserver.audit.chain import CHAIN
from authserver.audit.events.readings import TrailRead
from authserver.audit.export import instant, payload_of
from authserver.protocol.access import Relation, may_call
from authserver.storage import actions, people, trail
from authserver.storage.impersonations import Record
from authserver.storage.tables import PerformedAction
from authserver.storage.trail import EventRow, Selection

_MAX_DIGITS = 9
_SHORT = 8
_SHORTENED = ("jti", "digest")


@dataclass(frozen=True, slots=True)
class _Told:
    """One thing that the caller is told; at one instant, events come before actions."""

    at_ms: int
    row: EventRow | PerformedAction


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended: an instant, and how many of its events and actions the reader was told.

    It counts what the reader sees, so that it gives away neither places in the trail nor what is not shown.
    """

    at_ms: int = 0
    events: int = 0
    actions: int = 0

    @classmethod
    def read(cls, cursor: str) -> Self:
        """Read a cursor. Raises InvalidRequest for what was never given out."""
        at_ms, counts = cursors.read(cursor, identifiers=2)
        if not all(count.isdigit() and len(count) <= _MAX_DIGITS for count in counts):
            raise cursors.malformed()
        return cls(at_ms, *map(int, counts))

    def after(self, shown: Sequence[_Told]) -> str:
        """Write the place behind a page that began here and holds something."""
        at_ms = shown[-1].at_ms
        base = self if at_ms == self.at_ms else _Place(at_ms)
        actions = [isinstance(told.row, PerformedAction) for told in shown if told.at_ms == at_ms]
        return cursors.write(at_ms, str(base.events + actions.count(False)), str(base.actions + actions.count(True)))


def add_timeline(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/impersonations/<string:id>/timeline", responses={200: TimelineOut, **problems(404)})
    def read_timeline(path: IdPath, query: PageQuery) -> tuple[dict[str, Any], int]:
        """Read what happened in an impersonation, the oldest first; its subject is told less of it."""
        present = call()
        record = present.impersonation(path.id)
        sight = _sight(present, record)
        place = _Place() if query.cursor is None else _Place.read(query.cursor)
        shown = _timeline(present, record, sight, place, query.limit)
        if sight >= Sight.STAFF:
            _note_reading(present, record, place)
        return shown.model_dump(mode="json"), 200


def _note_reading(present: Call, record: Record, place: _Place) -> None:
    """Record that the caller reads, and of a further page since when."""
    query = {"impersonation_id": record.id} | ({"since": instant(place.at_ms)} if place.at_ms else {})
    present.parts.trail.record(present.work, TrailRead(reader=present.caller.user_id, how="timeline", query=query))


def _sight(present: Call, record: Record) -> Sight:
    """Return how much the caller sees; whoever has a part in it sees it as that, whatever their role."""
    relations = present.caller.relations(record)
    if Relation.SUBJECT in relations:
        return Sight.SUBJECT
    if Relation.ACTOR in relations:
        return Sight.ACTOR
    return Sight.EVIDENCE if may_call("api.list_audit_events", present.caller.caller) else Sight.STAFF


def _timeline(present: Call, record: Record, sight: Sight, place: _Place, limit: int) -> TimelineOut:
    session = present.work.session
    events = islice(_events(present, record.id, sight, place), limit + 1)
    performed = actions.since(session, record.id, place.at_ms, skip=place.actions, limit=limit + 1)
    told = [_Told(row.at_ms, row) for row in events] + [_Told(row.at_ms, row) for row in performed]
    told.sort(key=lambda each: each.at_ms)  # it is stable
    shown = told[:limit]
    personal = trail.personal_of(session, CHAIN, [told.row.seq for told in shown if isinstance(told.row, EventRow)])
    items = [
        _action(told.row, sight)
        if isinstance(told.row, PerformedAction)
        else _happening(told.row, personal[told.row.seq], sight)
        for told in shown
    ]
    parties = {record.actor_id, record.subject_id} if sight is Sight.SUBJECT else None
    following = place.after(shown) if len(told) > limit else None
    return TimelineOut(items=_named(present, items, parties), next_cursor=following)


def _events(present: Call, impersonation_id: str, sight: Sight, place: _Place) -> Iterator[EventRow]:
    """Give the events that the caller is told of, from the place on."""
    names = () if sight is Sight.EVIDENCE else tuple(name for name, each in TELLINGS.items() if sight >= each.since)
    wanted, known = Selection(impersonation_id=impersonation_id, from_ms=place.at_ms, names=names), place.events
    looked_at = 0
    while rows := trail.by_time(present.work.session, CHAIN, wanted, skip=looked_at):
        looked_at += len(rows)
        for row in rows:
            if not _is_told(row, sight):
                continue
            if known and row.at_ms == place.at_ms:
                known -= 1
                continue
            yield row


def _is_told(row: EventRow, sight: Sight) -> bool:
    """Tell whether whoever sees so much is told of an event; messages to others are for staff."""
    if row.name == "notice:sent" and sight < Sight.STAFF:
        return _payload(row).get("kind") in OF_SUBJECT
    return sight >= TELLINGS.get(row.name, OTHER).since


def _payload(row: EventRow) -> dict[str, Any]:
    payload = payload_of(row)
    return payload if isinstance(payload, dict) else {}


def _happening(row: EventRow, personal: Mapping[str, str | None], sight: Sight) -> HappeningOut:
    """Tell an event to whoever sees so much. What was erased is null."""
    payload, telling = _payload(row), TELLINGS.get(row.name, OTHER)
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
