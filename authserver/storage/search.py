"""Going over the trail for what is wanted: a part at a time, each seen in its own snapshot.

A reader that held one snapshot for an hour would keep SQLite's log growing, and PostgreSQL from cleaning up. Where an
index knows which events may be wanted (`places`), those alone are read; one search is bounded either way.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authserver.storage import places
from authserver.storage.places import Range
from authserver.storage.selection import EVERYTHING, Selection
from authserver.storage.tables import AuditEvent
from authserver.storage.trail import EventRow, events, newest

BATCH = 500
PART = 20_000
"""How many events are looked into at a time, where no index finds what is wanted."""
SEARCHED = 5 * PART
"""How many events one search looks into."""


class Found(NamedTuple):
    """What a search found, the newest first, and before which event it goes on; None where nothing is left."""

    rows: list[EventRow]
    before_seq: int | None


def search(session: Session, chain_id: str, wanted: Selection, *, before_seq: int | None, limit: int) -> Found:
    """Return the newest events that are wanted; what is rare takes several searches. `session` has nothing unsaved."""
    if not wanted.narrowed:
        rows = newest(session, chain_id, wanted, before_seq=before_seq, limit=limit + 1)
        return Found(rows[:limit], rows[limit - 1].seq if len(rows) > limit else None)
    first, last = _reach(session, chain_id, wanted)
    top = last if before_seq is None else min(last, before_seq - 1)
    if wanted.indexed:
        return _by_index(session, chain_id, wanted, Range(first - 1, top + 1), limit)
    return _by_walking(session, chain_id, wanted, Range(first - 1, top + 1), limit)


def _by_index(session: Session, chain_id: str, wanted: Selection, within: Range, limit: int) -> Found:
    """Read what an index names, BATCH at a time."""
    rows: list[EventRow] = []
    index = places.index_of(session, chain_id, wanted)
    for _ in range(max(1, SEARCHED // BATCH)):
        session.rollback()
        named = index(within, newest=True, limit=BATCH)
        rows += newest(session, chain_id, replace(wanted, among=tuple(named)), limit=limit + 1 - len(rows))
        if len(rows) > limit:
            return Found(rows[:limit], rows[limit - 1].seq)
        if len(named) < BATCH:
            return Found(rows, None)
        within = within._replace(below=named[-1])
    return Found(rows, within.below)


def _by_walking(session: Session, chain_id: str, wanted: Selection, within: Range, limit: int) -> Found:
    """Read everything, PART at a time."""
    rows: list[EventRow] = []
    top = within.below - 1
    floor = max(within.above, top - SEARCHED)
    for upper in range(top, floor, -PART):
        session.rollback()
        part = replace(wanted, after_seq=max(upper - PART, floor), up_to=upper)
        rows += newest(session, chain_id, part, limit=limit + 1 - len(rows))
        if len(rows) > limit:
            return Found(rows[:limit], rows[limit - 1].seq)
    return Found(rows, floor + 1 if floor > within.above else None)


def batches(session: Session, chain_id: str, wanted: Selection = EVERYTHING) -> Iterator[list[EventRow]]:
    """Yield the wanted events in batches, the oldest first; `session` has nothing unsaved."""
    place: int | None = wanted.after_seq
    while True:
        session.rollback()
        rows, place = next_batch(session, chain_id, wanted, after_seq=place)
        if rows:
            yield rows
        if place is None:
            return


def next_batch(
    session: Session, chain_id: str, wanted: Selection, *, after_seq: int | None
) -> tuple[list[EventRow], int | None]:
    """Return the oldest wanted events behind an event, and behind which to go on; None where nothing is left."""
    if not wanted.narrowed:
        rows = events(session, chain_id, wanted, after_seq=after_seq, limit=BATCH)
        return rows, rows[-1].seq if rows else None
    first, last = _reach(session, chain_id, wanted)
    lower = max(after_seq or 0, first - 1)
    if wanted.indexed:
        named = places.index_of(session, chain_id, wanted)(Range(lower, last + 1), newest=False, limit=BATCH)
        rows = events(session, chain_id, replace(wanted, among=tuple(named)), limit=BATCH)
        return rows, named[-1] if len(named) == BATCH else None
    upper = min(lower + PART, last)
    part = replace(wanted, after_seq=lower, up_to=upper)
    rows = events(session, chain_id, part, limit=BATCH)
    if len(rows) == BATCH:
        return rows, rows[-1].seq
    return rows, upper if upper < last else None


def last_seq(session: Session, chain_id: str) -> int:
    """Return the last event that there is; 0 where there is none."""
    return session.scalar(select(func.max(AuditEvent.seq)).where(AuditEvent.chain_id == chain_id)) or 0


def _reach(session: Session, chain_id: str, wanted: Selection) -> tuple[int, int]:
    """Return between which events to look. Clocks differ a little, and are set: one part more on either side."""
    first, last = 1, last_seq(session, chain_id)
    if wanted.up_to is not None:
        last = min(last, wanted.up_to)
    chain = func.coalesce(AuditEvent.chain_id, "")  # by its name alone SQLite would go over the chain, not the instants
    of_chain = select(AuditEvent.seq).where(chain == chain_id).limit(1)
    if wanted.from_ms is not None:
        since = of_chain.where(AuditEvent.at_ms >= wanted.from_ms).order_by(AuditEvent.at_ms)
        first = max(first, (session.scalar(since) or last) - PART)
    if wanted.until_ms is not None:
        until = of_chain.where(AuditEvent.at_ms < wanted.until_ms).order_by(AuditEvent.at_ms.desc())
        last = min(last, (session.scalar(until) or 0) + PART)
    return first, last
