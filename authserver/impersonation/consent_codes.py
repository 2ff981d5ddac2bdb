"""A code sent to the customer's verified address, who reads it to the agent (design section 4).

A code has six digits, lives for minutes and dies after a few wrong tries; the request dies with it.
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.protocol.refusals import Conflict, InvalidRequest
from authserver.settings_governance import ConsentWays
from authserver.storage import DbSession, consent_codes, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import ConsentCode
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_DIGITS = 6

SendCode = Callable[[Work, Record, str], None]
"""Has a code sent to the subject's verified address, with the transaction that makes it: never before its commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a try came to; `left` is how many tries remain."""

    correct: bool
    left: int


class ConsentCodes:
    """Makes, sends and tries codes. Without a `send` nobody can be asked in this way."""

    def __init__(
        self,
        rules: ConsentWays,
        send: SendCode | None,
        *,
        hasher: SecretHasher,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Work by `rules`."""
        self.send = send
        self._rules = rules
        self._hasher = hasher
        self._clock = clock
        self._entropy = entropy

    def check(self, session: DbSession, subject_id: str) -> None:
        """Raise InvalidRequest unless this customer can be sent a code."""
        subject = people.find(session, subject_id)
        if self.send is None:
            raise InvalidRequest("consent_way.no_channel", "consent_way: no code can be sent.")
        if subject is None or not subject.email_verified:
            raise InvalidRequest("consent_way.address_not_verified", "consent_way: no code can be sent to them.")

    def issue(self, work: Work, record: Record) -> None:
        """Make a code for what is asked now, in place of an earlier one, and have it sent."""
        self.check(work.session, record.subject_id)
        bits = int.from_bytes(base64.urlsafe_b64decode(self._entropy.token() + "="))
        code, now = f"{bits % 10**_DIGITS:0{_DIGITS}}", self._clock.now()
        row = ConsentCode(
            impersonation_id=record.id,
            code_hash=self._hash(record, code),
            digest=record.digest,
            tries=0,
            created_at=now,
            expires_at=now + self._rules.code_seconds,
            used_at=None,
        )
        consent_codes.put(work.session, row)
        if self.send is not None:
            self.send(work, record, code)

    def attempt(self, work: Work, record: Record, code: str) -> Tried:
        """Count a try and compare; the right code is used up. Raises Conflict where no code lives."""
        most, now = self._rules.code_tries, self._clock.now()
        counted = consent_codes.count_try(work.session, record.id, digest=record.digest, most=most, now=now)
        if counted is None:
            raise Conflict("consent_code.none_lives")
        correct = hmac.compare_digest(counted.code_hash, self._hash(record, code))
        if correct and not consent_codes.use(work.session, record.id, now=now):
            raise Conflict("consent_code.used")
        return Tried(correct=correct, left=most - counted.tries)

    def _hash(self, record: Record, code: str) -> str:
        return self._hasher.hash(SecretKind.CONSENT_CODE, f"{record.id}.{record.digest}.{code}")
