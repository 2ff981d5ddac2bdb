"""Passwords: Argon2id (RFC 9106), bounded in number, never inside a transaction, and strong by zxcvbn."""

import base64
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from authserver.accounts.refusals import Busy, WeakPassword
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import CredentialChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.settings import Accounts
from authserver.storage import accounts, people
from authserver.storage.database import Work

MAX_CHARS = 128
_SCORED_CHARS = 40
_LEET, _MAX_LEET = frozenset("4@8({[<369&#!1/|0$5+7%2"), 8
"""zxcvbn takes seconds for what is long and full of signs that stand for letters; scored lower, it takes a moment."""
_HASH_BYTES = 32
_scoring = threading.Lock()
"""zxcvbn keeps the person's own words in a table that all threads share."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a password was right; `rehashed` is it under today's parameters, None where that is what is stored."""

    right: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and verifies passwords; call it while nothing is locked."""

    def __init__(self, settings: Accounts, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Hash with the parameters in `settings`, no more at once than they say."""
        self._settings = settings
        self._trail = trail
        self._clock = clock
        self._entropy = entropy
        self._argon2 = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            hash_len=_HASH_BYTES,
            type=Type.ID,
        )
        self._admitted = threading.BoundedSemaphore(settings.password_concurrency + settings.password_waiting)
        self._working = threading.BoundedSemaphore(settings.password_concurrency)
        self._nobodys = self._unmatchable()

    def verify(self, stored: str | None, password: str) -> Verification:
        """Verify a password; without a stored one it takes as long and is wrong. Raises Busy."""
        normal = normalised(password)
        against = self._nobodys if stored is None or normal is None else stored
        with self._turn():
            try:
                self._argon2.verify(against, normal or "")
            except (VerificationError, InvalidHashError):
                return Verification(right=False)
            if normal is None or stored is None:
                return Verification(right=False)
            stale = self._argon2.check_needs_rehash(stored)
            return Verification(right=True, rehashed=self._hash(normal) if stale else None)

    def hash(self, password: str) -> str:
        """Return what is stored of a password, without judging it. Raises WeakPassword if it is too long, or Busy."""
        normal = normalised(password)
        if normal is None:
            raise WeakPassword("password.length")
        with self._turn():
            return self._hash(normal)

    def check_strength(self, password: str, own_words: Iterable[str]) -> None:
        """Raise WeakPassword for what is too short, too long, or easy to guess for who knows `own_words`; or Busy.

        `extra["advice"]` is a list of fixed sentences (NIST SP 800-63B-4 §3.1.1.2 asks for a reason).
        """
        normal = normalised(password)
        if normal is None or len(normal) < self._settings.password_min_chars:
            advice = [f"Use {self._settings.password_min_chars} to {MAX_CHARS} characters."]
            raise WeakPassword("password.length", extra={"advice": advice})
        score, advice = self._score(normal, own_words)
        if score < self._settings.password_min_score:
            raise WeakPassword("password.guessable", extra={"advice": advice})

    def change(self, work: Work, user_id: str, password: str, *, by: str) -> None:
        """Judge, hash and store a person's new password; their sign-ins under way are void. Raises WeakPassword, Busy.

        Ending their other sessions is the caller's, who knows which one is in use. `work` may not be locked yet.
        """
        person = people.find(work.session, user_id)
        own_words = () if person is None else (person.name, person.email, person.username)
        work.rollback()  # no connection is held meanwhile
        self.check_strength(password, own_words)
        hashed = self.hash(password)
        work.lock()
        people.find(work.session, user_id, hold=True)
        accounts.put_password(work.session, user_id, hashed, now=self._clock.now())
        accounts.forget_proofs(work.session, user_id)
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="password", action="set", by=by))

    def _hash(self, normal: str) -> str:
        return self._argon2.hash(normal, salt=self._entropy.salt())

    def _score(self, normal: str, own_words: Iterable[str]) -> tuple[int, list[str]]:
        # Imported when first needed: its word lists take memory that most processes can spare.
        from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415

        words = [part for word in own_words for part in (word, *re.split(r"\W+", word)) if part]
        if not _scoring.acquire(timeout=self._settings.password_wait_seconds):
            raise Busy("password.scoring")
        try:
            result = zxcvbn(_scored(normal), words)
        finally:
            _scoring.release()
        feedback = result["feedback"]
        return int(result["score"]), [line for line in (feedback["warning"], *feedback["suggestions"]) if line]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait, not for long and not with too many, until one more may be hashed."""
        if not self._admitted.acquire(blocking=False):
            raise Busy("password.queue")
        try:
            if not self._working.acquire(timeout=self._settings.password_wait_seconds):
                raise Busy("password.wait")
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._admitted.release()

    def _unmatchable(self) -> str:
        """Return an encoded hash of today's cost that no password is known to give."""
        salt, digest = self._entropy.salt(), self._entropy.salt() + self._entropy.salt()
        cost = f"m={self._argon2.memory_cost},t={self._argon2.time_cost},p={self._argon2.parallelism}"
        return f"$argon2id$v=19${cost}${_plain(salt)}${_plain(digest)}"


def normalised(password: str) -> str | None:
    """Return a password in the form that is hashed, NFKC (NIST SP 800-63B-4 §3.1.1.2); None where it is too long."""
    if len(password) > MAX_CHARS:
        return None
    normal = unicodedata.normalize("NFKC", password)
    if len(normal) > MAX_CHARS or any("\ud800" <= char <= "\udfff" for char in normal):
        return None
    return normal


def _scored(normal: str) -> str:
    beginning = normal[:_SCORED_CHARS]
    signs = [char for char in dict.fromkeys(beginning) if char in _LEET]
    return beginning.translate({ord(char): "~" for char in signs[_MAX_LEET:]})


def _plain(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
