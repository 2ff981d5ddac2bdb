"""Which events of the trail are wanted: what an index finds, and what is looked for in the events themselves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import Session

from authserver.storage.dialect import holds
from authserver.storage.tables import AuditEvent

PEOPLE = ("actor", "subject", "by", "approver", "user_id", "reader", "ended_by", "reported_by", "target")
"""The members of a payload that name a person by id."""

MAX_ID = 64
"""How long an id is at most that the index of mentions has."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted; what is None selects all. `from_ms` is included, `until_ms` is not.

    A `name` that ends in a colon is the beginning of names. `names` are alternatives. `person` takes any part in an
    event. `text` stands in a payload as it is; personal values are never searched. `after_seq` is not included.
    """

    name: str | None = None
    impersonation_id: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None
    names: tuple[str, ...] = ()
    person: str | None = None
    client_id: str | None = None
    text: str | None = None
    after_seq: int | None = None
    up_to: int | None = None
    among: tuple[int, ...] | None = None
    """The events that alone may be wanted, as an index told."""

    @property
    def indexed(self) -> bool:
        """Tell whether an index tells where to look."""
        ids = (self.person, self.client_id)
        named = any(value is not None and len(value) <= MAX_ID for value in ids)
        return named or bool(self.names) or self.name is not None or self.impersonation_id is not None

    @property
    def narrowed(self) -> bool:
        """Tell whether not everything of a range is wanted."""
        return self.indexed or any(
            value is not None for value in (self.person, self.client_id, self.text, self.from_ms, self.until_ms)
        )


EVERYTHING = Selection()


def matching(session: Session, chain_id: str, wanted: Selection) -> tuple[ColumnElement[bool], ...]:
    """Return what is true of the events that are wanted."""
    return tuple(_conditions(session, chain_id, wanted))


def _conditions(session: Session, chain_id: str, wanted: Selection) -> Iterator[ColumnElement[bool]]:
    yield AuditEvent.chain_id == chain_id
    if wanted.name is not None and wanted.name.endswith(":"):
        yield AuditEvent.name.startswith(wanted.name, autoescape=True)
    elif wanted.name is not None:
        yield AuditEvent.name == wanted.name
    if wanted.names:
        yield AuditEvent.name.in_(wanted.names)
    if wanted.impersonation_id is not None:
        yield AuditEvent.impersonation_id == wanted.impersonation_id
    if wanted.from_ms is not None:
        yield AuditEvent.at_ms >= wanted.from_ms
    if wanted.until_ms is not None:
        yield AuditEvent.at_ms < wanted.until_ms
    if wanted.after_seq is not None:
        yield AuditEvent.seq > wanted.after_seq
    if wanted.among is not None:
        yield AuditEvent.seq.in_(wanted.among)
    if wanted.up_to is not None:
        yield AuditEvent.seq <= wanted.up_to
    yield from _within(session, wanted)


def _within(session: Session, wanted: Selection) -> Iterator[ColumnElement[bool]]:
    """Look into payloads, which are canonical JSON: a member has one spelling, and no string can imitate it."""
    if wanted.person is not None:
        named = [_member(field, wanted.person) for field in PEOPLE]
        yield holds(session, AuditEvent.payload, _json(wanted.person))  # most have nothing to do with them
        yield or_(*(holds(session, AuditEvent.payload, member) for member in named))
    if wanted.client_id is not None:
        yield holds(session, AuditEvent.payload, _member("client_id", wanted.client_id))
    if wanted.text is not None:
        yield holds(session, AuditEvent.payload, _json(wanted.text)[1:-1])


def _member(name: str, value: str) -> str:
    return f"{_json(name)}:{_json(value)}"


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
