"""The customer's consent: to one request, in each of its ways, or standing (design section 4)."""

from dataclasses import dataclass, replace
from typing import Literal

from authserver.audit.chain import Trail
from authserver.audit.events import ConsentDecided, ConsentGranted, ConsentWithdrawn
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation import consent_words, number_match
from authserver.impersonation.decisions import Choice, Decider, Decisions
from authserver.impersonation.extension import Extension
from authserver.impersonation.words import Words
from authserver.protocol.names import OPEN_STATES, State
from authserver.protocol.refusals import Conflict, Forbidden, InvalidRequest, NotFound
from authserver.settings import Settings
from authserver.storage import DbSession, clients, impersonations, people, resources
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Consent
from authserver.tokens.secret_hashes import SecretHasher

Surface = Literal["account", "app"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a customer says, where, and which number they picked, if they were asked for one."""

    choice: Choice
    surface: Surface
    number: int | None = None


class Consents:
    """Records what customers decide. A `deny` of what is active withdraws, and so revokes."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        decisions: Decisions,
        extension: Extension,
        rules: Settings,
        *,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Decide through `decisions`."""
        self._decisions = decisions
        self._extension = extension
        self._rules = rules.consent
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def decide(self, work: Work, record: Record, decider: Decider, answer: Answer) -> Record:
        """Record the customer's decision; nobody else can give it."""
        if decider.user_id != record.subject_id:
            raise Forbidden("consent.not_the_subject")
        held = self._decisions.hold(work, record)
        wanted = self._decisions.extending(held)
        known = impersonations.consent_of(work.session, held.id)
        if wanted is not None and (known is None or known.digest != wanted.digest):
            return self._decide_extension(work, held, wanted, decider, answer)
        if known is not None:
            return self._decide_again(work, held, known, decider, answer.choice)
        if held.state is not State.AWAITING_CONSENT:
            raise Conflict("consent.not_awaited")
        if self._mismatched(held, answer):
            self._trail.record(work, self._event(work, held, decider, "mismatch", answer))
            return self._decisions.end(work, held, decider.user_id, State.DENIED, "number_mismatch")
        row = self._row(work, held, decider, answer)
        impersonations.add_consent(work.session, row)
        self._trail.record(work, self._event(work, held, decider, answer.choice, answer))
        if answer.choice == "deny":
            return self._decisions.end(work, held, decider.user_id, State.DENIED, "consent_denied")
        return self._decisions.go_on(work, held, decider.user_id)

    def withdraw(self, work: Work, record: Record, decider: Decider) -> Record:
        """Take back the consent to one request: what rests on it ends."""
        held = self._decisions.hold(work, record)
        known = impersonations.consent_of(work.session, held.id)
        if known is None or known.subject_id != decider.user_id:
            raise Conflict("consent.none")
        return self._decide_again(work, held, known, decider, "deny")

    def words(self, session: DbSession, record: Record) -> Words:
        """Return what the customer is shown of a request, or of the extension that it waits for."""
        wanted = self._decisions.extending(record) or record
        names = people.named(session, {wanted.actor_id})
        client = clients.find(session, wanted.client_id)
        described = resources.descriptions(session)
        return consent_words.of_request(
            wanted,
            actor=names.get(wanted.actor_id, ""),
            client=wanted.client_id if client is None else client.name,
            scopes=tuple(described.get(name) or name for name in wanted.scopes),
            lifetime=wanted.lifetime,
        )

    def choices(self, record: Record) -> tuple[int, ...]:
        """Return the numbers that the customer picks from; none where they are asked by mail, or not asked."""
        if not self.asked(record) or record.consent_way != "account":
            return ()
        return number_match.choices(self._hasher, self._decisions.extending(record) or record)

    def number(self, record: Record) -> int | None:
        """Return the number that the actor reads out, while the customer is asked for it."""
        if not self.asked(record) or record.consent_way != "account":
            return None
        return number_match.number(self._hasher, self._decisions.extending(record) or record)

    def asked(self, record: Record) -> bool:
        """Tell whether the customer is being asked now."""
        return record.state is State.AWAITING_CONSENT or self._decisions.extending(record) is not None

    def grant_standing(self, work: Work, decider: Decider, *, expires_in: int) -> Consent:
        """Record a standing consent of the customer's own; longer than allowed is `invalid_request`."""
        if expires_in > self._rules.standing_max_seconds:
            raise InvalidRequest("consent.too_long", "expires_in is longer than a standing consent may last.")
        work.lock()
        now = self._clock.now()
        words = consent_words.of_standing()
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

    def withdraw_standing(self, work: Work, consent_id: str, decider: Decider) -> Consent:
        """Take a standing consent back; what rests on it is revoked at once. Twice is once."""
        work.lock()
        people.hold(work.session, decider.user_id)
        row = impersonations.consent(work.session, consent_id, hold=True)
        if row is None or row.subject_id != decider.user_id or row.kind != "standing":
            raise NotFound("consent.unknown")
        if row.withdrawn_at is not None:
            return row
        row.withdrawn_at = self._clock.now()
        event = ConsentWithdrawn(consent_id=row.id, subject=row.subject_id, session_id=decider.session_id)
        self._trail.record(work, event)
        for record in impersonations.resting_on(work.session, row.id):
            self._decisions.withdraw(work, record, decider.user_id, "consent_withdrawn")
        return row

    def _decide_again(self, work: Work, held: Record, known: Consent, decider: Decider, choice: Choice) -> Record:
        """Take the same decision once more as said already, and a `deny` after an `approve` as a withdrawal."""
        if known.decision == choice and known.withdrawn_at is None:
            return held
        if known.decision != "approve" or known.withdrawn_at is not None or held.state not in OPEN_STATES:
            raise Conflict("decision.made")
        known.withdrawn_at = self._clock.now()
        self._trail.record(work, _event(held, decider, "withdraw", known))
        return self._decisions.withdraw(work, held, decider.user_id, "consent_withdrawn")

    def _decide_extension(self, work: Work, held: Record, wanted: Record, decider: Decider, answer: Answer) -> Record:
        """Decide on a longer life; a no, or a wrong number, leaves what is active as it is."""
        mismatched = self._mismatched(wanted, answer)
        decision = "mismatch" if mismatched else answer.choice
        self._trail.record(work, self._event(work, wanted, decider, decision, answer))
        if mismatched or answer.choice == "deny":
            return self._extension.drop(work, held)
        impersonations.put_consent(work.session, self._row(work, wanted, decider, answer))
        return self._extension.go_on(work, held, wanted)

    def _mismatched(self, wanted: Record, answer: Answer) -> bool:
        if answer.choice == "deny" or wanted.consent_way != "account":
            return False
        if answer.number is None:
            if answer.surface == "account" or self._rules.number_match_required:
                raise InvalidRequest("consent.number_missing", "The number that the agent reads out is wanted.")
            return False
        return answer.number != number_match.number(self._hasher, wanted)

    def _row(self, work: Work, wanted: Record, decider: Decider, answer: Answer) -> Consent:
        words = self.words(work.session, replace(wanted, extension_until=None))
        return Consent(
            id=self._entropy.identifier("con"),
            kind="request",
            subject_id=decider.user_id,
            impersonation_id=wanted.id,
            digest=wanted.digest,
            decision=answer.choice,
            session_id=decider.session_id,
            given_at=self._clock.now(),
            expires_at=None,
            withdrawn_at=None,
            way=_way(wanted, answer),
            basis=self._rules.basis,
            words_version=words.version,
            words_language=words.language,
            words_hash=words.hash,
        )

    def _event(self, work: Work, wanted: Record, decider: Decider, decision: str, answer: Answer) -> ConsentDecided:
        return _event(wanted, decider, decision, self._row(work, wanted, decider, answer))


def _way(wanted: Record, answer: Answer) -> str:
    if answer.number is not None:
        return "number_match"
    return "mail" if wanted.consent_way == "mail" else answer.surface


def _event(held: Record, decider: Decider, decision: str, row: Consent) -> ConsentDecided:
    return ConsentDecided(
        impersonation_id=held.id,
        subject=decider.user_id,
        session_id=decider.session_id,
        decision=decision,
        digest=held.digest,
        way=row.way,
        basis=row.basis,
        words_version=row.words_version,
        words_language=row.words_language,
        words_hash=row.words_hash,
    )
