"""Who and which client an event names: an index beside the trail, made of its payload alone and so never of a secret.

Personal values are commitments in a payload: nothing that can be erased is ever in the index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from authserver.storage.selection import MAX_ID, PEOPLE, Selection
from authserver.storage.tables import AuditMention

Kind = Literal["person", "client"]
_KINDS: Mapping[str, Kind] = {**dict.fromkeys(PEOPLE, "person"), "client_id": "client"}


class Mention(NamedTuple):
    """An id that an event names."""

    kind: str
    value: str


def mentioned(payload: object) -> frozenset[Mention]:
    """Return what a payload names, at whatever depth."""
    return frozenset(_mentions(payload))


def _mentions(found: object) -> Iterator[Mention]:
    if isinstance(found, dict):
        for name, value in found.items():
            kind = _KINDS.get(name)
            if kind is not None and isinstance(value, str) and 0 < len(value) <= MAX_ID:
                yield Mention(kind, value)
            elif isinstance(value, (dict, list)):
                yield from _mentions(value)
    elif isinstance(found, list):
        for value in found:
            yield from _mentions(value)


def wanted_of(wanted: Selection) -> list[Mention]:
    """Return what the index can tell of a selection."""
    asked = ((wanted.person, "person"), (wanted.client_id, "client"))
    return [Mention(kind, value) for value, kind in asked if value is not None and len(value) <= MAX_ID]


def naming(  # noqa: PLR0913 - a range, its order and its size
    session: Session,
    chain_id: str,
    mentions: Sequence[Mention],
    *,
    above: int,
    below: int,
    newest: bool,
    limit: int,
) -> Sequence[int]:
    """Return the events that name every one of `mentions`, between two that are not included, in order."""
    first, *others = mentions
    query = select(AuditMention.seq).where(
        AuditMention.chain_id == chain_id,
        AuditMention.kind == first.kind,
        AuditMention.value == first.value,
        AuditMention.seq > above,
        AuditMention.seq < below,
    )
    for mention in others:
        other = aliased(AuditMention)
        same = select(other.seq).where(
            other.chain_id == chain_id,
            other.kind == mention.kind,
            other.value == mention.value,
            other.seq == AuditMention.seq,
        )
        query = query.where(same.exists())
    return session.scalars(query.order_by(AuditMention.seq.desc() if newest else AuditMention.seq).limit(limit)).all()


def stored(session: Session, chain_id: str, first: int, last: int) -> dict[int, set[Mention]]:
    """Return what the index says of the events from `first` to `last`."""
    query = select(AuditMention.seq, AuditMention.kind, AuditMention.value).where(
        AuditMention.chain_id == chain_id, AuditMention.seq >= first, AuditMention.seq <= last
    )
    found: dict[int, set[Mention]] = {}
    for seq, kind, value in session.execute(query):
        found.setdefault(seq, set()).add(Mention(kind, value))
    return found


def rows(chain_id: str, seq: int, mentions: Iterable[Mention]) -> list[dict[str, object]]:
    """Return the rows that an event has in the index."""
    return [{"chain_id": chain_id, "seq": seq, "kind": kind, "value": value} for kind, value in sorted(mentions)]
