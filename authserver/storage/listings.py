"""Listing impersonations: who may know of which, by what they are filtered, a page at a time."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, or_, select, true, tuple_
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.storage.impersonations import Record, as_record
from authserver.storage.tables import Approval, Consent, Impersonation


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who lists: `person` sees their own, as actor or as a subject who may know; without one it is everything.

    A subject does not know of what is withheld from them still, or may yet be for one of the reasons `withholding`.
    """

    person: str | None = None
    now: int = 0
    withholding: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Which decisions are waited for; the ids are of extensions that wait for one too, None asks for none of the kind.

    With `me` only those that this person may make, `by_code` also those whose code they may enter.
    """

    approval: Collection[str] | None = None
    consent: Collection[str] | None = None
    by_code: bool = False
    me: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which are wanted; whatever is left out does not matter. `since_ms` and `until_ms` are of the start."""

    states: Collection[str] | None = None
    actor: str | None = None
    subject: str | None = None
    reason_code: str | None = None
    mode: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    waiting: Waiting | None = None


def page(
    session: DbSession,
    viewer: Viewer,
    filters: Filters | None = None,
    *,
    before: tuple[int, str] | None = None,
    limit: int,
) -> list[Record]:
    """Return a page, newest first; `before` is the place of the last one of the page before."""
    query = select(Impersonation).where(*_visible(viewer), *_wanted(filters or Filters(), viewer.now))
    if before is not None:
        created_ms, identifier = before
        earlier = (Impersonation.created_ms == created_ms) & (Impersonation.id < identifier)
        query = query.where(or_(Impersonation.created_ms < created_ms, earlier))
    query = query.order_by(Impersonation.created_ms.desc(), Impersonation.id.desc()).limit(limit)
    return [as_record(row) for row in session.scalars(query.execution_options(populate_existing=True)).all()]


def extending(session: DbSession, viewer: Viewer, *, limit: int) -> list[Record]:
    """Return active ones that are asked to live longer, and wait for a decision on that."""
    query = select(Impersonation).where(
        *_visible(viewer), Impersonation.state == State.ACTIVE, Impersonation.extension_until > viewer.now
    )
    return [as_record(row) for row in session.scalars(query.order_by(Impersonation.id).limit(limit)).all()]


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
    return [as_record(row) for row in session.scalars(query).all()]


def states(session: DbSession, viewer: Viewer, impersonation_ids: Collection[str]) -> dict[str, str]:
    """Return the states of those that the viewer may know of."""
    query = select(Impersonation.id, Impersonation.state).where(
        *_visible(viewer), Impersonation.id.in_(impersonation_ids)
    )
    return {row.id: row.state for row in session.execute(query)}


def open_states(session: DbSession, viewer: Viewer, *, limit: int) -> dict[str, str]:
    """Return the states of the newest open ones that the viewer may know of."""
    query = select(Impersonation.id, Impersonation.state).where(*_visible(viewer), Impersonation.state.in_(OPEN_STATES))
    query = query.order_by(Impersonation.created_ms.desc(), Impersonation.id.desc()).limit(limit)
    return {row.id: row.state for row in session.execute(query)}


def approvals_of(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, Approval]:
    """Return approvers' decisions by impersonation."""
    query = select(Approval).where(Approval.impersonation_id.in_(impersonation_ids))
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    return {row.impersonation_id: row for row in rows}


def consents_of(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, Consent]:
    """Return customers' decisions on these very impersonations."""
    query = select(Consent).where(Consent.impersonation_id.in_(impersonation_ids))
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    return {row.impersonation_id or "": row for row in rows}


def _visible(viewer: Viewer) -> list[ColumnElement[bool]]:
    if viewer.person is None:
        return []
    known = or_(Impersonation.notice_withheld_until.is_(None), Impersonation.notice_withheld_until <= viewer.now)
    known &= (Impersonation.state != State.AWAITING_APPROVAL) | Impersonation.reason_code.not_in(viewer.withholding)
    return [or_(Impersonation.actor_id == viewer.person, (Impersonation.subject_id == viewer.person) & known)]


def _wanted(filters: Filters, now: int) -> list[ColumnElement[bool]]:
    exact = (
        (Impersonation.actor_id, filters.actor),
        (Impersonation.subject_id, filters.subject),
        (Impersonation.reason_code, filters.reason_code),
        (Impersonation.mode, filters.mode),
    )
    found = [column == value for column, value in exact if value is not None]
    if filters.states is not None:
        found.append(Impersonation.state.in_(set(filters.states)))
    if filters.since_ms is not None:
        found.append(Impersonation.created_ms >= filters.since_ms)
    if filters.until_ms is not None:
        found.append(Impersonation.created_ms < filters.until_ms)
    if filters.waiting is not None:
        found.append(_waited_for(filters.waiting, now))
    return found


def _waited_for(waiting: Waiting, now: int) -> ColumnElement[bool]:
    me = waiting.me
    found: list[ColumnElement[bool]] = []
    if waiting.approval is not None:
        approval = _awaiting(State.AWAITING_APPROVAL, waiting.approval, now)
        second = true() if me is None else and_(Impersonation.actor_id != me, Impersonation.subject_id != me)
        found.append(and_(approval, second))
    if waiting.consent is not None:
        consent = _awaiting(State.AWAITING_CONSENT, waiting.consent, now)
        found.append(and_(consent, true() if me is None else Impersonation.subject_id == me))
    if waiting.by_code:
        by_code = and_(Impersonation.consent_way == "code", Impersonation.actor_id == me)
        found.append(and_(_awaiting(State.AWAITING_CONSENT, (), now), by_code))
    return or_(false(), *found)


def _awaiting(state: State, extensions: Collection[str], now: int) -> ColumnElement[bool]:
    waits = (Impersonation.state == state) & (Impersonation.pending_until > now)
    return or_(waits, Impersonation.id.in_(extensions))


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
    return [as_record(row) for row in session.scalars(query).all()]
