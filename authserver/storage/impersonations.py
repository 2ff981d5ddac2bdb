"""Impersonations, their handles, decisions, standing consents and the quota."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import func, or_, select, tuple_, update
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.storage.dialect import insert_for
from authserver.storage.tables import Approval, Consent, Handle, Impersonation, TargetAttempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An impersonation as it stood when read; frozen, so that it outlives its transaction. Instants in seconds."""

    id: str
    state: State
    digest: str
    actor_id: str
    actor_session_id: str
    subject_id: str
    client_id: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    asked_scopes: tuple[str, ...]
    mode: str
    reason: str
    reason_code: str
    ticket_id: str
    lifetime: int
    client_address: str
    policies: tuple[str, ...]
    created_ms: int
    pending_until: int | None
    activated_at: int | None
    expires_at: int | None
    ended_at: int | None
    ended_by: str | None
    end_reason: str | None
    override: str | None = None
    consent_way: str = "account"
    consent_id: str | None = None
    notice: str | None = None
    notice_withheld_until: int | None = None
    grace_until: int | None = None
    extension_lifetime: int | None = None
    extension_digest: str | None = None
    extension_until: int | None = None

    def row(self) -> Impersonation:
        """Return the row that stores it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Impersonation(**{name: list(v) if isinstance(v, tuple) else v for name, v in values.items()})

    def hidden_from(self, person: str, now: int, withholding: Collection[str]) -> bool:
        """Tell whether its subject is not to know of it yet.

        The notice is withheld; or it may yet be, for its reason code is one of `withholding` and nobody has decided.
        """
        undecided = self.state is State.AWAITING_APPROVAL and self.reason_code in withholding
        return person == self.subject_id and (undecided or (self.notice_withheld_until or 0) > now)

    def overdue(self, now: int) -> bool:
        """Tell whether its clock, or the wait for a decision, has run out."""
        if self.state is State.ACTIVE:
            limits = [limit for limit in (self.expires_at, self.grace_until) if limit is not None]
        else:
            limits = [] if self.pending_until is None else [self.pending_until]
        return self.state in OPEN_STATES and any(now >= limit for limit in limits)


def _record(row: Impersonation) -> Record:
    values = {field.name: getattr(row, field.name) for field in fields(Record)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Record(**{**values, "state": State(row.state)})


def _one(row: Impersonation | None) -> Record | None:
    return None if row is None else _record(row)


def add(session: DbSession, record: Record) -> None:
    """Add an impersonation; a second open one of the same digest violates the index."""
    session.add(record.row())
    session.flush()


def find(session: DbSession, impersonation_id: str, *, hold: bool = False) -> Record | None:
    """Return an impersonation; `hold` keeps others from changing it until the commit."""
    query = select(Impersonation).where(Impersonation.id == impersonation_id)
    query = query.execution_options(populate_existing=True)
    return _one(session.scalars(query.with_for_update(key_share=True) if hold else query).one_or_none())


def open_of_digest(session: DbSession, digest: str) -> Record | None:
    """Return the one that is open or active under this digest."""
    query = select(Impersonation).where(Impersonation.digest == digest, Impersonation.state.in_(OPEN_STATES))
    return _one(session.scalars(query.execution_options(populate_existing=True)).one_or_none())


def open_between(session: DbSession, actor_id: str, subject_id: str) -> list[Record]:
    """Return the open ones by which this actor acts, or would act, for this subject."""
    query = select(Impersonation).where(
        Impersonation.actor_id == actor_id,
        Impersonation.subject_id == subject_id,
        Impersonation.state.in_(OPEN_STATES),
    )
    query = query.order_by(Impersonation.id).execution_options(populate_existing=True)
    return [_record(row) for row in session.scalars(query).all()]


def move(
    session: DbSession,
    impersonation_id: str,
    *,
    sources: Iterable[State],
    to: State,
    **values: int | str | list[str] | None,
) -> Record | None:
    """Move an impersonation to a state if it is in one of `sources`; None when another call was first."""
    statement = (
        update(Impersonation)
        .where(Impersonation.id == impersonation_id, Impersonation.state.in_(set(sources)))
        .values(state=to, **values)
        .returning(Impersonation)
        .execution_options(populate_existing=True)
    )
    return _one(session.scalars(statement).one_or_none())


def page(  # noqa: PLR0913 - the filters of a page
    session: DbSession,
    *,
    person: str | None,
    states: Iterable[str],
    before: tuple[int, str] | None,
    limit: int,
    now: int = 0,
    withholding: Collection[str] = (),
) -> list[Record]:
    """Return a page, newest first: everybody's, or those of one person, as actor or as subject who may know."""
    query = select(Impersonation).order_by(Impersonation.created_ms.desc(), Impersonation.id.desc()).limit(limit)
    if person is not None:
        known = or_(Impersonation.notice_withheld_until.is_(None), Impersonation.notice_withheld_until <= now)
        known &= (Impersonation.state != State.AWAITING_APPROVAL) | Impersonation.reason_code.not_in(withholding)
        query = query.where(or_(Impersonation.actor_id == person, (Impersonation.subject_id == person) & known))
    if wanted := set(states):
        query = query.where(Impersonation.state.in_(wanted))
    if before is not None:
        created_ms, identifier = before
        query = query.where(
            or_(
                Impersonation.created_ms < created_ms,
                (Impersonation.created_ms == created_ms) & (Impersonation.id < identifier),
            )
        )
    return [_record(row) for row in session.scalars(query).all()]


def overdue(session: DbSession, *, now: int, limit: int) -> list[Record]:
    """Return those whose clock has run out while they are still open, in the order in which they are locked."""
    query = (
        select(Impersonation)
        .where(
            or_(
                Impersonation.state.in_(PENDING_STATES) & (Impersonation.pending_until <= now),
                (Impersonation.state == State.ACTIVE)
                & or_(Impersonation.expires_at <= now, Impersonation.grace_until <= now),
            )
        )
        .order_by(Impersonation.id)
        .limit(limit)
    )
    return [_record(row) for row in session.scalars(query).all()]


def open_of(
    session: DbSession,
    *,
    person: str | None = None,
    client_id: str | None = None,
    sessions: Sequence[str] | None = None,
) -> list[Record]:
    """Return the open ones of a person (as actor, subject or approver), of a client, of some actor sessions, or all.

    They come in the order in which they are locked.
    """
    query = select(Impersonation).where(Impersonation.state.in_(OPEN_STATES)).order_by(Impersonation.id)
    if person is not None:
        approved = select(Approval.impersonation_id).where(
            Approval.approver_id == person, Approval.decision == "approve"
        )
        of_theirs = or_(Impersonation.actor_id == person, Impersonation.subject_id == person)
        query = query.where(or_(of_theirs, Impersonation.id.in_(approved)))
    if client_id is not None:
        query = query.where(Impersonation.client_id == client_id)
    if sessions is not None:
        query = query.where(Impersonation.actor_session_id.in_(sessions))
    return [_record(row) for row in session.scalars(query).all()]


def active_of_actor(session: DbSession, actor_id: str, *, but: str, now: int) -> int:
    """Count the active impersonations of an actor, other than `but`."""
    query = select(func.count()).where(
        Impersonation.actor_id == actor_id,
        Impersonation.id != but,
        Impersonation.state == State.ACTIVE,
        Impersonation.expires_at > now,
    )
    return session.scalar(query) or 0


def add_handle(session: DbSession, handle_hash: str, impersonation_id: str, *, now: int) -> None:
    """Let one more handle live."""
    session.add(Handle(handle_hash=handle_hash, impersonation_id=impersonation_id, created_at=now))
    session.flush()


def of_handle(session: DbSession, handle_hash: str) -> Record | None:
    """Return the impersonation that a handle stands for."""
    query = (
        select(Impersonation)
        .join(Handle, Handle.impersonation_id == Impersonation.id)
        .where(Handle.handle_hash == handle_hash)
        .execution_options(populate_existing=True)
    )
    return _one(session.scalars(query).one_or_none())


def poll(session: DbSession, handle_hash: str, *, now_ms: int, interval_ms: int) -> bool:
    """Note a poll; False when the one before was less than `interval_ms` ago."""
    statement = (
        update(Handle)
        .where(
            Handle.handle_hash == handle_hash,
            or_(Handle.polled_ms.is_(None), Handle.polled_ms <= now_ms - interval_ms),
        )
        .values(polled_ms=now_ms)
        .returning(Handle.handle_hash)
    )
    return session.execute(statement).one_or_none() is not None


def approval_of(session: DbSession, impersonation_id: str) -> Approval | None:
    """Return the decision of the approver, if one was made."""
    return session.get(Approval, impersonation_id, populate_existing=True)


def consent_of(session: DbSession, impersonation_id: str) -> Consent | None:
    """Return the customer's decision on this very impersonation, if one was made."""
    query = select(Consent).where(Consent.impersonation_id == impersonation_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def standing_consent(session: DbSession, subject_id: str, *, now: int, hold: bool = False) -> Consent | None:
    """Return a standing consent of the customer that is valid now."""
    query = (
        select(Consent)
        .where(
            Consent.kind == "standing",
            Consent.subject_id == subject_id,
            Consent.decision == "approve",
            Consent.withdrawn_at.is_(None),
            or_(Consent.expires_at.is_(None), Consent.expires_at > now),
        )
        .order_by(Consent.given_at.desc(), Consent.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query.with_for_update(read=True) if hold else query).one_or_none()


def change(session: DbSession, impersonation_id: str, **values: int | str | None) -> Record | None:
    """Change what is held of an active or pending impersonation; None when it is open no more."""
    statement = (
        update(Impersonation)
        .where(Impersonation.id == impersonation_id, Impersonation.state.in_(OPEN_STATES))
        .values(**values)
        .returning(Impersonation)
        .execution_options(populate_existing=True)
    )
    return _one(session.scalars(statement).one_or_none())


def standing_of(session: DbSession, subject_id: str, *, now: int) -> list[Consent]:
    """Return every standing consent of a customer that is valid now."""
    query = select(Consent).where(
        Consent.kind == "standing",
        Consent.subject_id == subject_id,
        Consent.decision == "approve",
        Consent.withdrawn_at.is_(None),
        or_(Consent.expires_at.is_(None), Consent.expires_at > now),
    )
    return list(session.scalars(query.order_by(Consent.given_at, Consent.id)).all())


def resting_on(session: DbSession, consent_id: str) -> list[Record]:
    """Return the active ones that rest on a consent, in the order in which they are locked."""
    query = select(Impersonation).where(Impersonation.consent_id == consent_id, Impersonation.state == State.ACTIVE)
    return [_record(row) for row in session.scalars(query.order_by(Impersonation.id)).all()]


def add_approval(session: DbSession, row: Approval) -> None:
    """Record an approver's decision; a second one violates the key."""
    session.add(row)
    session.flush()


def add_consent(session: DbSession, row: Consent) -> None:
    """Record a consent; a second one to the same impersonation violates the constraint."""
    session.add(row)
    session.flush()


def put_approval(session: DbSession, row: Approval) -> None:
    """Record an approver's decision in place of the one that an earlier, shorter request had."""
    session.merge(row)
    session.flush()


def put_consent(session: DbSession, row: Consent) -> None:
    """Record a consent in place of the one that an earlier, shorter request had."""
    known = consent_of(session, row.impersonation_id or "")
    if known is not None:
        session.delete(known)
        session.flush()
    add_consent(session, row)


def bind_again(session: DbSession, impersonation_id: str, *, before: str, digest: str) -> None:
    """Bind what was decided on one digest of an impersonation to another one of it."""
    for table in (Approval, Consent):
        bound = update(table).where(table.impersonation_id == impersonation_id, table.digest == before)
        session.execute(bound.values(digest=digest).execution_options(synchronize_session=False))


def consent(session: DbSession, consent_id: str, *, hold: bool = False) -> Consent | None:
    """Return a consent by its id."""
    query = select(Consent).where(Consent.id == consent_id).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update() if hold else query).one_or_none()


def consents_of(session: DbSession, subject_id: str, *, limit: int) -> list[Consent]:
    """Return a customer's consents, standing or given to a request, newest first."""
    query = select(Consent).where(Consent.subject_id == subject_id).order_by(Consent.given_at.desc(), Consent.id)
    return list(session.scalars(query.limit(limit)).all())


def note_attempt(session: DbSession, actor_id: str, target_hash: str, *, now: int) -> None:
    """Note that an actor tried a target, real or not."""
    statement = insert_for(session, TargetAttempt).values(actor_id=actor_id, target_hash=target_hash, last_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["actor_id", "target_hash"], set_={"last_at": now}))


def attempts(session: DbSession, actor_id: str, *, but: str, since: int) -> int:
    """Count the distinct targets, other than `but`, that an actor tried since an instant."""
    query = select(func.count()).where(
        TargetAttempt.actor_id == actor_id, TargetAttempt.target_hash != but, TargetAttempt.last_at > since
    )
    return session.scalar(query) or 0


def told_to_subject(  # noqa: PLR0913 - the filters of a page
    session: DbSession,
    subject_id: str,
    *,
    over: bool,
    told_by: Collection[str] = (),
    before: Record | None = None,
    limit: int,
    now: int,
    withholding: Collection[str],
) -> list[Record]:
    """Return a page of what a customer may know of, newest first: what is open, or what is over.

    What never began is over for them only where they were part of its end, for one of the reasons `told_by`.
    """
    query = select(Impersonation).where(Impersonation.subject_id == subject_id)
    query = query.where(
        or_(Impersonation.notice_withheld_until.is_(None), Impersonation.notice_withheld_until <= now),
        (Impersonation.state != State.AWAITING_APPROVAL) | Impersonation.reason_code.not_in(withholding),
    )
    if over:
        theirs = or_(Impersonation.activated_at.is_not(None), Impersonation.end_reason.in_(told_by))
        query = query.where(Impersonation.state.not_in(OPEN_STATES), theirs)
    else:
        query = query.where(Impersonation.state.in_(OPEN_STATES))
    if before is not None:
        place = tuple_(Impersonation.created_ms, Impersonation.id)
        query = query.where(place < (before.created_ms, before.id))
    query = query.order_by(Impersonation.created_ms.desc(), Impersonation.id.desc()).limit(limit)
    return [_record(row) for row in session.scalars(query).all()]
