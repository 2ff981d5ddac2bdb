"""Where in the trail what is wanted may stand, as an index tells it; whether it does is seen in the events."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from authserver.storage import mentions
from authserver.storage.selection import Selection
from authserver.storage.tables import AuditEvent


class Range(NamedTuple):
    """What lies between two events, neither included."""

    above: int
    below: int


class Index(Protocol):
    """Tells the first or last so many events of a range that may be wanted, in order."""

    def __call__(self, within: Range, *, newest: bool, limit: int) -> Sequence[int]:
        """Return places."""


def index_of(session: Session, chain_id: str, wanted: Selection) -> Index:
    """Return the index that tells most: of the impersonation, of who and what is named, of the events' names."""
    if wanted.impersonation_id is not None:
        return _Column(session, chain_id, (AuditEvent.impersonation_id == wanted.impersonation_id,))
    named = mentions.wanted_of(wanted)
    if named:
        return _Mentions(session, chain_id, named)
    names = list(wanted.names or ((wanted.name,) if wanted.name is not None else ()))
    if wanted.name is not None and wanted.name.endswith(":"):
        names = [name for name in _names(session, chain_id) if name.startswith(wanted.name)]
    return _Column(session, chain_id, [AuditEvent.name == name for name in names])


class _Mentions:
    """What names people and clients."""

    def __init__(self, session: Session, chain_id: str, named: Sequence[mentions.Mention]) -> None:
        self._session, self._chain_id, self._named = session, chain_id, named

    def __call__(self, within: Range, *, newest: bool, limit: int) -> Sequence[int]:
        return mentions.naming(
            self._session,
            self._chain_id,
            self._named,
            above=within.above,
            below=within.below,
            newest=newest,
            limit=limit,
        )


class _Column:
    """What has one of some values in a column: each is a search of its own in the index, and all are merged."""

    def __init__(self, session: Session, chain_id: str, values: Iterable[ColumnElement[bool]]) -> None:
        self._session, self._values = session, tuple(values)
        self._chain = func.coalesce(AuditEvent.chain_id, "") == chain_id  # or SQLite would go over the chain

    def __call__(self, within: Range, *, newest: bool, limit: int) -> Sequence[int]:
        order = AuditEvent.seq.desc() if newest else AuditEvent.seq
        found: set[int] = set()
        for value in self._values:
            between = (AuditEvent.seq > within.above, AuditEvent.seq < within.below)
            found.update(
                self._session.scalars(
                    select(AuditEvent.seq).where(value, *between, self._chain).order_by(order).limit(limit)
                )
            )
        return list(islice(sorted(found, reverse=newest), limit))


def _names(session: Session, chain_id: str) -> list[str]:
    """Return the names that events have: the index is asked for the next one, and not gone over."""
    chain = func.coalesce(AuditEvent.chain_id, "") == chain_id
    first = select(func.min(AuditEvent.name).label("name")).where(chain)
    found = first.cte("names", recursive=True)
    following = select(func.min(AuditEvent.name)).where(AuditEvent.name > found.c.name, chain).scalar_subquery()
    found = found.union_all(select(following).where(found.c.name.is_not(None)))
    return [name for name in session.scalars(select(found.c.name)) if name is not None]
