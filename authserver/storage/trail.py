"""The audit trail's rows: appended under the chain's lock, read in order; personal values can be erased."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from authserver.storage.selection import EVERYTHING, Selection, matching
from authserver.storage.tables import AuditChain, AuditEvent, AuditHead, AuditMention, AuditPersonal, SigningKey

_BATCH = 500
__all__ = ["EVERYTHING", "Selection"]


class Head(NamedTuple):
    """Where a chain stands: its last event and that event's digest."""

    seq: int
    digest: str


START = Head(0, "0" * 64)
"""Where every chain begins."""


class EventRow(NamedTuple):
    """An event as it is stored; `payload` is canonical JSON."""

    chain_id: str
    seq: int
    prev: str
    digest: str
    at_ms: int
    name: str
    version: int
    impersonation_id: str | None
    payload: str


_COLUMNS = tuple(getattr(AuditEvent, field) for field in EventRow._fields)


class PersonalRow(NamedTuple):
    """A personal value beside its event; value and salt are None once erased."""

    chain_id: str
    seq: int
    field: str
    salt: str | None
    value: str | None


class SignedHead(NamedTuple):
    """A signed statement that the chain stood so; `signature` is a compact JWS."""

    chain_id: str
    seq: int
    digest: str
    at_ms: int
    kid: str
    signature: str


class Addition(NamedTuple):
    """What one append adds."""

    events: Sequence[EventRow]
    personal: Sequence[PersonalRow]
    mentions: Sequence[dict[str, object]] = ()
    """The rows of the index, as `mentions.rows` makes them."""


class ChainBrokenError(RuntimeError):
    """The chain's row is not where its lock left it: nothing may be appended."""


def append(session: Session, chain_id: str, build: Callable[[Head], Addition]) -> Head:
    """Lock the chain, store what `build` makes of its head, and return the new head.

    The caller is in a writing transaction and commits soon: every other append waits.
    """
    before = _locked(session, chain_id)
    added = build(before)
    if not added.events:
        return before
    options = {"render_nulls": True}  # or rows without an impersonation would be sent apart
    session.execute(insert(AuditEvent), [row._asdict() for row in added.events], execution_options=options)
    if added.personal:
        session.execute(insert(AuditPersonal), [row._asdict() for row in added.personal])
    if added.mentions:
        session.execute(insert(AuditMention), added.mentions)
    after = Head(added.events[-1].seq, added.events[-1].digest)
    advance = (
        update(AuditChain)
        .where(AuditChain.chain_id == chain_id, AuditChain.seq == before.seq, AuditChain.digest == before.digest)
        .values(seq=after.seq, digest=after.digest)
        .returning(AuditChain.seq)
    )
    if session.scalar(advance, execution_options={"synchronize_session": False}) is None:
        raise ChainBrokenError(chain_id)
    return after


def hold(session: Session, chain_id: str) -> None:
    """Keep others from appending until the commit, for what depends on what has been appended."""
    _locked(session, chain_id)


def _locked(session: Session, chain_id: str) -> Head:
    """Lock and read the chain's row; whoever comes first makes it, and a second maker waits for the first."""
    locking = select(AuditChain.seq, AuditChain.digest).where(AuditChain.chain_id == chain_id).with_for_update()
    row = session.execute(locking).first()
    if row is None:
        values = {"chain_id": chain_id, "seq": START.seq, "digest": START.digest}
        _insert_new(session, AuditChain, values)
        row = session.execute(locking).one()
    return Head(row.seq, row.digest)


def _insert_new(session: Session, table: type[AuditChain | AuditHead], values: dict[str, Any]) -> bool:
    """Insert a row unless one with its key is there; tell whether it was inserted."""
    # The two dialects have one syntax for it and SQLAlchemy two constructs.
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = make(table).values(**values).on_conflict_do_nothing().returning(table.seq)
    return session.execute(statement).first() is not None


def head(session: Session, chain_id: str) -> Head | None:
    """Return where the chain stands, without locking it; None for a chain that was never begun."""
    query = select(AuditChain.seq, AuditChain.digest).where(AuditChain.chain_id == chain_id)
    row = session.execute(query).first()
    return Head(row.seq, row.digest) if row else None


def events(
    session: Session,
    chain_id: str,
    selection: Selection = EVERYTHING,
    *,
    after_seq: int | None = None,
    limit: int = _BATCH,
) -> list[EventRow]:
    """Return the oldest events that are wanted, in their order, from behind `after_seq` on."""
    wanted = matching(session, chain_id, selection)
    query = select(*_COLUMNS).where(*wanted).order_by(AuditEvent.seq).limit(limit)
    if after_seq is not None:
        query = query.where(AuditEvent.seq > after_seq)
    return [EventRow(*row) for row in session.execute(query)]


def newest(
    session: Session,
    chain_id: str,
    selection: Selection = EVERYTHING,
    *,
    before_seq: int | None = None,
    limit: int = _BATCH,
) -> list[EventRow]:
    """Return the newest events that are wanted, the newest first, from before `before_seq` on."""
    wanted = matching(session, chain_id, selection)
    query = select(*_COLUMNS).where(*wanted).order_by(AuditEvent.seq.desc()).limit(limit)
    if before_seq is not None:
        query = query.where(AuditEvent.seq < before_seq)
    return [EventRow(*row) for row in session.execute(query)]


def by_time(
    session: Session, chain_id: str, selection: Selection, *, skip: int = 0, limit: int = _BATCH
) -> list[EventRow]:
    """Return events that are wanted in the order of their times, within an instant in that of the chain."""
    wanted = matching(session, chain_id, selection)
    order = (AuditEvent.at_ms, AuditEvent.seq)
    query = select(*_COLUMNS).where(*wanted).order_by(*order).offset(skip).limit(limit)
    return [EventRow(*row) for row in session.execute(query)]


def event_count(session: Session, chain_id: str) -> int:
    """Count the events of a chain."""
    return session.scalar(select(func.count()).where(AuditEvent.chain_id == chain_id)) or 0


def digests(session: Session, chain_id: str, seqs: Iterable[int]) -> dict[int, str]:
    """Return the stored digests of the events that there are among `seqs`."""
    query = select(AuditEvent.seq, AuditEvent.digest).where(AuditEvent.chain_id == chain_id, AuditEvent.seq.in_(seqs))
    return {seq: digest for seq, digest in session.execute(query)}  # noqa: C416 - rows are no tuples to mypy


def personal(
    session: Session,
    chain_id: str,
    *,
    after_seq: int | None = None,
    up_to: int | None = None,
    limit: int | None = None,
) -> list[PersonalRow]:
    """Return the personal rows behind `after_seq`, up to and with `up_to`, in the order of their events."""
    query = select(*[getattr(AuditPersonal, field) for field in PersonalRow._fields])
    query = query.where(AuditPersonal.chain_id == chain_id).order_by(AuditPersonal.seq, AuditPersonal.field)
    if after_seq is not None:
        query = query.where(AuditPersonal.seq > after_seq)
    if up_to is not None:
        query = query.where(AuditPersonal.seq <= up_to)
    return [PersonalRow(*row) for row in session.execute(query.limit(limit))]


def personal_of(session: Session, chain_id: str, seqs: Sequence[int]) -> dict[int, dict[str, str | None]]:
    """Return the personal values of each event of `seqs` by field; an erased one is None."""
    query = select(AuditPersonal.seq, AuditPersonal.field, AuditPersonal.value).where(
        AuditPersonal.chain_id == chain_id, AuditPersonal.seq.in_(seqs)
    )
    values: dict[int, dict[str, str | None]] = {seq: {} for seq in seqs}
    for seq, field, value in session.execute(query):
        values[seq][field] = value
    return values


def erase_personal(session: Session, chain_id: str, seq: int, field: str) -> bool:
    """Erase a personal value and its salt for ever; False where there is none. The chain stays whole."""
    statement = (
        update(AuditPersonal)
        .where(AuditPersonal.chain_id == chain_id, AuditPersonal.seq == seq, AuditPersonal.field == field)
        .where(AuditPersonal.value.is_not(None))
        .values(salt=None, value=None)
        .returning(AuditPersonal.seq)
    )
    return session.scalar(statement, execution_options={"synchronize_session": False}) is not None


def heads(
    session: Session,
    chain_id: str,
    *,
    after_seq: int | None = None,
    up_to: int | None = None,
    limit: int = _BATCH,
) -> list[SignedHead]:
    """Return signed heads in their order, from behind `after_seq` on, up to and with `up_to`."""
    query = select(*[getattr(AuditHead, field) for field in SignedHead._fields])
    query = query.where(AuditHead.chain_id == chain_id).order_by(AuditHead.seq).limit(limit)
    if after_seq is not None:
        query = query.where(AuditHead.seq > after_seq)
    if up_to is not None:
        query = query.where(AuditHead.seq <= up_to)
    return [SignedHead(*row) for row in session.execute(query)]


def heads_at(session: Session, chain_id: str, seqs: Iterable[int]) -> dict[int, SignedHead]:
    """Return the signed heads that there are at `seqs`."""
    query = select(*[getattr(AuditHead, field) for field in SignedHead._fields])
    query = query.where(AuditHead.chain_id == chain_id, AuditHead.seq.in_(seqs))
    return {row.seq: row for row in (SignedHead(*found) for found in session.execute(query))}


def add_head(session: Session, signed: SignedHead) -> bool:
    """Store a signed head; False where another process has signed that event already."""
    return _insert_new(session, AuditHead, signed._asdict())


def audit_keys(session: Session) -> dict[str, dict[str, Any]]:
    """Return the public JWKs that heads are signed with, by `kid`; they are kept for ever."""
    query = select(SigningKey.kid, SigningKey.public_jwk).where(SigningKey.use == "audit")
    return {kid: dict(jwk) for kid, jwk in session.execute(query)}
