"""The proof: a chain, its signed heads and its anchor file, and everything that does not fit is named (ADR 3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from authserver.audit import approval_rows, heads
from authserver.audit.approvals import Approvals
from authserver.audit.chain import CHAIN
from authserver.audit.heads import HeadVerifier
from authserver.audit.walk import Findings, Walk, span
from authserver.storage import DbSession, mentions, search, trail
from authserver.storage.trail import Head, SignedHead

_BATCH = 500
_PUBLIC = ("kty", "crv", "x", "y", "n", "e")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification went over, and what it found, in plain words."""

    ok: bool
    events: int
    heads: int
    anchors: int
    findings: tuple[str, ...]
    first_seq: int = field(default=0, compare=False)
    last_seq: int = field(default=0, compare=False)
    signed: SignedHead | None = field(default=None, compare=False)
    """The newest signed head of the database, as it is stored."""


class _Witness(NamedTuple):
    """Somebody who says that the chain stood so."""

    title: str
    source: str
    signed: SignedHead


def verify(
    session: DbSession,
    verifier: HeadVerifier,
    keys: Mapping[str, Mapping[str, Any]],
    *,
    anchor_lines: Iterable[str] = (),
    progress: Callable[[int], object] = bool,
) -> Report:
    """Verify the whole trail, in constant memory; the server may go on recording meanwhile.

    `keys` are the trusted public JWKs by `kid`, those that `verifier` uses. `progress` is told how many
    events were gone over since it was last told. `session` has nothing unsaved.
    """
    findings = Findings()
    _compare_keys(findings, keys, trail.audit_keys(session))
    stored = trail.head(session, CHAIN)
    walk = _walk(session, findings, stored, progress, verifier, keys)
    witnesses = _Witnesses(session, findings, walk, verifier, keys)
    signed = witnesses.heads()
    anchored = witnesses.anchors(anchor_lines)
    witnesses.conclude(stored)
    approval_rows.compare(session, findings)
    words = findings.words()
    return Report(
        ok=not words,
        events=walk.count,
        heads=signed,
        anchors=anchored,
        findings=words,
        first_seq=walk.first_seq,
        last_seq=walk.head.seq,
        signed=witnesses.newest,
    )


def _compare_keys(
    findings: Findings, trusted: Mapping[str, Mapping[str, Any]], stored: Mapping[str, Mapping[str, Any]]
) -> None:
    for kid in sorted(trusted.keys() & stored.keys()):
        if any(trusted[kid].get(part) != stored[kid].get(part) for part in _PUBLIC):
            findings.add(0, f"the audit key {kid} in the database is not the trusted one: it was replaced")


def _walk(  # noqa: PLR0913, PLR0917 - everything that is gone over, and what it is held against
    session: DbSession,
    findings: Findings,
    stored: Head | None,
    progress: Callable[[int], object],
    verifier: HeadVerifier,
    keys: Mapping[str, Mapping[str, Any]],
) -> Walk:
    walk, approvals = Walk(findings), Approvals(findings, verifier, keys)
    for rows in search.batches(session, CHAIN):
        after_seq = walk.last.seq if walk.last else None
        approvals.take(rows)
        index = mentions.stored(session, CHAIN, rows[0].seq, rows[-1].seq)
        walk.take(rows, trail.personal(session, CHAIN, after_seq=after_seq, up_to=rows[-1].seq), index)
        progress(len(rows))
    walk.finish(stored)
    grown = trail.head(session, CHAIN)
    if stored and grown and grown.seq < walk.head.seq:
        findings.add(walk.head.seq, f"{span(grown.seq + 1, walk.head.seq)} added behind the end of the chain")
    late = trail.personal(session, CHAIN, after_seq=max(grown.seq if grown else 0, walk.head.seq), limit=_BATCH)
    recorded_meanwhile = trail.digests(session, CHAIN, {row.seq for row in late})
    walk.orphans(row for row in late if row.seq not in recorded_meanwhile)
    return walk


class _Witnesses:
    """Compares what signed heads and anchor lines say with the chain."""

    def __init__(
        self,
        session: DbSession,
        findings: Findings,
        walk: Walk,
        verifier: HeadVerifier,
        keys: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._session = session
        self._findings = findings
        self._walk = walk
        self._verifier = verifier
        self._keys = keys
        self.newest: SignedHead | None = None
        self._agreed = 0
        self._beyond: dict[str, int] = {}

    def heads(self) -> int:
        """Compare every signed head of the database; return how many there are."""
        count, after_seq = 0, None
        while batch := trail.heads(self._session, CHAIN, after_seq=after_seq, limit=_BATCH):
            self._compare([_Witness(f"the signed head at event {row.seq}", "a signed head", row) for row in batch])
            count, after_seq, self.newest = count + len(batch), batch[-1].seq, batch[-1]
            self._session.rollback()  # signatures are slow: no snapshot is held over all of them
        return count

    def anchors(self, lines: Iterable[str]) -> int:
        """Compare every line of an anchor file with the chain and the database's heads; return how many there are."""
        count = 0
        for batch in _batched(heads.read(lines), _BATCH):
            self._session.rollback()  # what is in the file by now must be seen in the database
            count += len(batch)
            readable: list[_Witness] = []
            for line in batch:
                if line.signed is None:
                    self._findings.add(0, f"anchor line {line.number} cannot be read")
                elif line.signed.chain_id == CHAIN:
                    title = f"anchor line {line.number} (event {line.signed.seq})"
                    readable.append(_Witness(title, "the anchor file", line.signed))
            self._compare(readable)
            self._compare_with_heads(readable)
        return count

    def _compare(self, witnesses: list[_Witness]) -> None:
        digests = trail.digests(self._session, CHAIN, [witness.signed.seq for witness in witnesses])
        for title, source, signed in witnesses:
            doubt = self._doubt(signed)
            if doubt:
                self._findings.add(signed.seq, f"{title} {doubt}")
            elif signed.seq not in digests:
                if signed.seq > self._walk.head.seq:
                    self._beyond[source] = max(signed.seq, self._beyond.get(source, 0))
                else:
                    self._findings.add(signed.seq, f"{title} names an event that was removed")
            elif digests[signed.seq] == signed.digest:
                self._agreed = max(self._agreed, signed.seq)
            else:
                since = self._agreed if self._agreed < signed.seq else 0
                words = f"{title} contradicts the chain: {_among(since + 1, signed.seq)} altered or replaced"
                self._findings.add(signed.seq, words)

    def _doubt(self, signed: SignedHead) -> str | None:
        """Say why a head proves nothing, or None."""
        if signed.kid not in self._keys:
            return f"is signed with the unknown key {signed.kid!r}"
        payload = self._verifier.verify(signed.kid, signed.signature)
        if payload is None:
            return "has a bad signature"
        try:
            return None if payload == heads.statement(signed) else "was altered: its signature is over something else"
        except ValueError:
            return "was altered: its numbers are impossible"

    def _compare_with_heads(self, witnesses: list[_Witness]) -> None:
        stored = trail.heads_at(self._session, CHAIN, [witness.signed.seq for witness in witnesses])
        for title, _, signed in witnesses:
            found = stored.get(signed.seq)
            if found is None and signed.seq <= self._walk.head.seq:
                self._findings.add(signed.seq, f"the signed head at event {signed.seq} was removed; {title} has it")
            elif found is not None and found != signed:
                self._findings.add(signed.seq, f"{title} and the signed head at event {signed.seq} differ")

    def conclude(self, stored: Head | None) -> None:
        """Say which events must have been cut off the end."""
        last = self._walk.head.seq
        if stored and stored.seq > last:
            self._beyond = {"the chain's own row": stored.seq, **self._beyond}
        if self._beyond:
            known = ", ".join(self._beyond)
            words = f"{span(last + 1, max(self._beyond.values()))} removed from the end, as is known from {known}"
            self._findings.add(last + 1, words)


def _among(first: int, last: int) -> str:
    return f"event {first} was" if first == last else f"one of the events {first} to {last} was"


def _batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Split into lists of `size`; itertools has it from Python 3.12 on."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
