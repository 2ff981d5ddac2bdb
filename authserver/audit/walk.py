"""The walk along a chain: each event against its digest, its neighbour and its personal values."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from authserver.audit.canonical import canonical
from authserver.audit.chain import commitment, digest, preimage
from authserver.storage.mentions import Mention, mentioned
from authserver.storage.trail import START, EventRow, Head, PersonalRow

_NOTHING: AbstractSet[Mention] = frozenset()
_MAX_FINDINGS = 1_000
_MAX_SUSPECTS = 20
"""For how many altered events it is tried whether they were reordered."""
_MAX_PLACES = 5_000_000
"""In how many places an event may have stood before."""


class Findings:
    """What does not fit, by its place in the chain; bounded, for everything may be broken."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        self._found: list[tuple[int, str]] = []
        self._more = 0

    def add(self, place: int, words: str) -> None:
        """Note a finding at an event."""
        if len(self._found) < _MAX_FINDINGS:
            self._found.append((place, words))
        else:
            self._more += 1

    def words(self) -> tuple[str, ...]:
        """Return all findings, in the order of the chain."""
        more = (f"and {self._more} further findings",) if self._more else ()
        return (*(words for _, words in sorted(self._found)), *more)


def title(row: EventRow) -> str:
    """Name an event."""
    return f"event {row.seq} ({row.name})"


def span(first: int, last: int) -> str:
    """Name one or several events and what was done to them: the sentence goes on with a participle."""
    return f"event {first} was" if first == last else f"events {first} to {last} were"


class Walk:
    """Takes the events in their order, in constant memory, and notes what does not fit."""

    def __init__(self, findings: Findings) -> None:
        """Begin before the first event."""
        self.last: EventRow | None = None
        self.first_seq = 0
        self.count = 0
        self._findings = findings
        self._intact = True
        self._suspects: list[EventRow] = []

    @property
    def head(self) -> Head:
        """Where the walk stands."""
        return Head(self.last.seq, self.last.digest) if self.last else START

    def take(
        self, rows: Iterable[EventRow], personal: Iterable[PersonalRow], index: Mapping[int, set[Mention]]
    ) -> None:
        """Go over a batch of events, the personal rows that lie among them, and what the index says of them."""
        beside: dict[int, dict[str, PersonalRow]] = {}
        for value in personal:
            beside.setdefault(value.seq, {})[value.field] = value
        for row in rows:
            self.first_seq = self.first_seq or row.seq
            self.count += 1
            self._event(row, beside.pop(row.seq, {}), index.get(row.seq, _NOTHING))
        for orphans in beside.values():
            self.orphans(orphans.values())

    def orphans(self, rows: Iterable[PersonalRow]) -> None:
        """Note personal rows that belong to no event."""
        for row in rows:
            self._findings.add(row.seq, f"personal value {row.field!r} of event {row.seq} belongs to no event")

    def _event(self, row: EventRow, personal: dict[str, PersonalRow], index: AbstractSet[Mention]) -> None:
        if row.seq <= self.head.seq:
            self._findings.add(row.seq, f"{title(row)} stands before the beginning of the chain")
            return
        payload = read_payload(row.payload)
        expected = "" if payload is None else _digest(row)
        intact = bool(expected) and expected == row.digest
        self._link(row, intact=intact)
        if intact:
            self._personal(row, payload, personal)
            self._index(row, mentioned(payload), index)
        elif not expected or len(self._suspects) >= _MAX_SUSPECTS:
            self._findings.add(row.seq, f"{title(row)} was altered")
        else:
            self._suspects.append(row)
        self.last, self._intact = row, intact

    def _link(self, row: EventRow, *, intact: bool) -> None:
        before = self.head
        if row.seq > before.seq + 1:
            self._findings.add(before.seq + 1, f"{span(before.seq + 1, row.seq - 1)} removed")
        elif intact and self._intact and row.prev != before.digest:
            if self.last:
                words = f"{title(self.last)} was altered or replaced: {title(row)} follows another digest"
            else:
                words = f"{title(row)} was altered or replaced: it does not begin the chain"
            self._findings.add(before.seq, words)

    def _personal(self, row: EventRow, payload: Any, personal: dict[str, PersonalRow]) -> None:  # noqa: ANN401 - JSON
        committed = _commitments(payload)
        for field in committed.keys() | personal.keys():
            found = personal.get(field)
            value = f"personal value {field!r} of {title(row)}"
            if found is None:
                self._findings.add(row.seq, f"{value} was removed, not erased")
            elif field not in committed:
                self._findings.add(row.seq, f"{value} was added afterwards")
            elif not _matches(found, committed[field]):
                self._findings.add(row.seq, f"{value} does not match its commitment")

    def _index(self, row: EventRow, named: AbstractSet[Mention], index: AbstractSet[Mention]) -> None:
        if named - index:
            lacking = ", ".join(f"{kind} {value}" for kind, value in sorted(named - index))
            self._findings.add(row.seq, f"the index lacks what {title(row)} names, and a search misses it: {lacking}")
        if index - named:
            self._findings.add(row.seq, f"the index says more than {title(row)} names")

    def finish(self, stored: Head | None) -> None:
        """Compare with the chain's row, and say what became of the events that do not match their digests.

        `stored` was read before the walk: the chain may have grown since.
        """
        for row in self._suspects:
            other = self._original(row)
            words = f"{title(row)} was altered"
            if other:
                words = f"event {row.seq} was reordered: event {other} ({row.name}) stands in its place"
            self._findings.add(row.seq, words)
        if stored is None:
            if self.last:
                self._findings.add(self.head.seq, "the chain's own row was removed")
        elif self.last and stored.seq == self.head.seq and self._intact and stored.digest != self.head.digest:
            self._findings.add(stored.seq, f"{title(self.last)} was altered or replaced: the chain ends otherwise")

    def _original(self, row: EventRow) -> int | None:
        """Find the place where an event that was moved, or whose content was exchanged, stood before."""
        for other in self._suspects:
            content = row._replace(seq=other.seq, prev=other.prev)
            if other is not row and _digest(content) == other.digest:
                return other.seq
        ending = f'{row.seq},"version":{row.version}}}'.encode()
        prefix = hashlib.sha256(preimage(row).removesuffix(ending))
        for place in range(1, min(self.head.seq, _MAX_PLACES) + 1):
            tried = prefix.copy()
            tried.update(b'%d,"version":%d}' % (place, row.version))
            if tried.hexdigest() == row.digest:
                return place
        return None


def read_payload(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read an event's payload; None for one that is not the canonical JSON that was written."""
    try:
        payload = json.loads(text)
        return payload if isinstance(payload, dict) and canonical(payload) == text.encode() else None
    except (ValueError, TypeError, RecursionError):
        return None


def _digest(row: EventRow) -> str:
    try:
        return digest(row)
    except ValueError:
        return ""  # a number or a text that no event of ours has


def _commitments(payload: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a payload that are commitments."""
    return {
        field: value["commitment"]
        for field, value in payload.items()
        if isinstance(value, dict) and value.keys() == {"commitment"} and isinstance(value["commitment"], str)
    }


def _matches(row: PersonalRow, committed: str) -> bool:
    """Tell whether a personal row is erased as a whole, or holds the value that was committed to."""
    if row.salt is None or row.value is None:
        return row.salt is None and row.value is None
    try:
        return commitment(bytes.fromhex(row.salt), row.value) == committed
    except ValueError:
        return False
