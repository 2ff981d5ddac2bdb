"""Standing consent: the customer is not asked each time, until it ends or is taken back (design section 4)."""

from authserver.audit.chain import Trail
from authserver.audit.events.governance import ConsentGranted, ConsentWithdrawn
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation import consent_words
from authserver.impersonation.decisions import Decider, Decisions
from authserver.protocol.refusals import InvalidRequest, NotFound
from authserver.settings_governance import ConsentWays
from authserver.storage import impersonations, people
from authserver.storage.database import Work
from authserver.storage.tables import Consent


class StandingConsents:
    """Records standing consents, and takes them back with all that rests on them."""

    def __init__(self, decisions: Decisions, rules: ConsentWays, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Work within `rules`."""
        self._decisions = decisions
        self._rules = rules
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def grant(self, work: Work, decider: Decider, *, expires_in: int, words_version: str | None = None) -> Consent:
        """Record a standing consent of the customer's own; longer than allowed is `invalid_request`.

        `words_version` is what an app says it has shown; other words than the present ones are refused.
        """
        if expires_in > self._rules.standing_max_seconds:
            raise InvalidRequest("consent.too_long", "expires_in is longer than a standing consent may last.")
        words = consent_words.of_standing()
        if words_version not in {None, words.version}:
            raise InvalidRequest("words.not_present", "words_version is not the version of the present words.")
        self._hold(work, decider)
        now = self._clock.now()
        row = Consent(
            id=self._entropy.identifier("con"),
            kind="standing",
            subject_id=decider.user_id,
            impersonation_id=None,
            digest=None,
            decision="approve",
            session_id=decider.session_id,
            given_at=now,
            expires_at=now + expires_in,
            withdrawn_at=None,
            way="standing",
            basis=self._rules.basis,
            words_version=words.version,
            words_language=words.language,
            words_hash=words.hash,
        )
        impersonations.add_consent(work.session, row)
        event = ConsentGranted(
            consent_id=row.id,
            subject=row.subject_id,
            expires_at=row.expires_at,
            session_id=decider.session_id,
            basis=row.basis,
            words_version=words.version,
            words_language=words.language,
            words_hash=words.hash,
        )
        self._trail.record(work, event)
        return row

    def withdraw(self, work: Work, consent_id: str, decider: Decider) -> Consent:
        """Take a standing consent back; what rests on it is revoked at once. Twice is once."""
        self._hold(work, decider)
        row = impersonations.consent(work.session, consent_id, hold=True)
        if row is None or row.subject_id != decider.user_id or row.kind != "standing":
            raise NotFound("consent.unknown")
        if row.withdrawn_at is None:
            self._withdraw(work, row, decider)
        return row

    def withdraw_all(self, work: Work, decider: Decider) -> None:
        """Take every standing consent back that a customer has given: after that they are asked each time."""
        self._hold(work, decider)
        for row in impersonations.standing_of(work.session, decider.user_id, now=self._clock.now()):
            self._withdraw(work, row, decider)

    def _hold(self, work: Work, decider: Decider) -> None:
        """Lock the customer, whom whoever starts with this consent locks too, and their session."""
        work.lock()
        people.hold(work.session, decider.user_id)
        people.find_session(work.session, decider.session_id, hold=True)
        self._decisions.check(work.session, decider)

    def _withdraw(self, work: Work, row: Consent, decider: Decider) -> None:
        row.withdrawn_at = self._clock.now()
        event = ConsentWithdrawn(consent_id=row.id, subject=row.subject_id, session_id=decider.session_id)
        self._trail.record(work, event)
        work.session.flush()
        self._decisions.revoke_resting_on(work, row.id, decider.user_id, "consent_withdrawn")
