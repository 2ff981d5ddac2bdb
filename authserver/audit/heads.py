"""Signed heads: statements of where the chain stood, kept in the database and in a file outside it (ADR 3)."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from authserver.audit.canonical import canonical
from authserver.audit.chain import CHAIN
from authserver.clock import Clock
from authserver.storage import trail
from authserver.storage.database import Work
from authserver.storage.trail import SignedHead

_TAIL = 65_536
"""How many bytes at the end of an anchor file are searched for its last line."""


class HeadSigner(Protocol):
    """The dedicated audit key."""

    def sign(self, payload: bytes) -> tuple[str, str]:
        """Return the `kid` and a compact JWS of `payload` (RFC 7515 §7.1)."""


class HeadVerifier(Protocol):
    """The public audit keys."""

    def verify(self, kid: str, signature: str) -> bytes | None:
        """Return the payload of a compact JWS that key `kid` made, or None where it did not."""


def statement(signed: SignedHead) -> bytes:
    """Return what a head's signature is made over."""
    return canonical({"chain_id": signed.chain_id, "seq": signed.seq, "digest": signed.digest, "at_ms": signed.at_ms})


def sign_head(work: Work, clock: Clock, signer: HeadSigner, anchor: Path) -> SignedHead | None:
    """Sign where the chain stands, commit `work`, and bring the anchor file up to date.

    Returns None where the chain has not moved or another process was first: several may do it at once.
    Raises OSError where the file cannot be written; the next call makes up for it.
    """
    signed = _signed(work, clock, signer)
    if signed:
        work.lock()
        added = trail.add_head(work.session, signed)
        work.commit()
        signed = signed if added else None
    _anchor(work, anchor)
    return signed


def _signed(work: Work, clock: Clock, signer: HeadSigner) -> SignedHead | None:
    """Sign outside the writing transaction, for a signature is slow."""
    head = trail.head(work.session, CHAIN)
    if head is None or head.seq == 0 or trail.heads_at(work.session, CHAIN, [head.seq]):
        return None
    unsigned = SignedHead(CHAIN, head.seq, head.digest, clock.now_ms(), "", "")
    kid, signature = signer.sign(statement(unsigned))
    return unsigned._replace(kid=kid, signature=signature)


def _anchor(work: Work, anchor: Path) -> None:
    """Append every head that the file lacks: each process with a file of its own keeps a full one."""
    head = trail.head(work.session, CHAIN)
    if head is None:
        return
    created = not anchor.exists()
    descriptor = os.open(anchor, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        last, torn = _last_anchored(descriptor)
        while missing := trail.heads(work.session, CHAIN, after_seq=last, up_to=head.seq):
            lines = b"".join(canonical(signed._asdict()) + b"\n" for signed in missing)
            file.write(b"\n" + lines if torn else lines)
            os.fsync(descriptor)
            last, torn = missing[-1].seq, False
    if created:
        _sync_folder(anchor)


def _last_anchored(descriptor: int) -> tuple[int, bool]:
    """Return the last event that the file has a head of, and whether its last line was cut off by a crash."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    for line in reversed(tail.splitlines()):
        signed = parse(line.decode(errors="replace"))
        if signed:
            return signed.seq, not tail.endswith(b"\n")
    return 0, bool(tail) and not tail.endswith(b"\n")


def _sync_folder(path: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse(line: str) -> SignedHead | None:
    """Read a line of an anchor file; None for one that is no signed head."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != set(SignedHead._fields):
        return None
    signed = SignedHead(**found)
    words = (signed.chain_id, signed.digest, signed.kid, signed.signature)
    numbers = (signed.seq, signed.at_ms)
    sound = all(isinstance(word, str) for word in words) and all(type(number) is int for number in numbers)
    return signed if sound and all(0 <= number < 2**53 for number in numbers) else None


class AnchorLine(NamedTuple):
    """A line of an anchor file; `signed` is None where it cannot be read."""

    number: int
    signed: SignedHead | None


def read(lines: Iterable[str]) -> Iterator[AnchorLine]:
    """Read an anchor file; a line that a crash cut off and the next one repeats is passed over."""
    torn: tuple[int, str] | None = None
    for number, line in enumerate(lines, 1):
        bare = line.rstrip("\n")
        if torn and not bare.startswith(torn[1]):
            yield AnchorLine(torn[0], None)
        signed = parse(bare)
        torn = None if signed else (number, bare)
        if signed:
            yield AnchorLine(number, signed)
    if torn:
        yield AnchorLine(torn[0], None)
