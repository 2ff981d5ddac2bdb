"""The customer's consent to one request, in each of its ways (design section 4)."""

from dataclasses import dataclass
from typing import Literal

from authserver.audit.chain import Trail
from authserver.audit.events.governance import ConsentCodeTried, ConsentDecided
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation import consent_words, number_match
from authserver.impersonation.consent_codes import ConsentCodes
from authserver.impersonation.decisions import Choice, Decider, Decisions
from authserver.impersonation.extension import Extension
from authserver.impersonation.words import Words
from authserver.protocol.names import OPEN_STATES, State
from authserver.protocol.refusals import Conflict, Forbidden, InvalidRequest
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
    words_hash: str | None = None
    """The hash of the words that they were shown; the account page always says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """How a decision came: `session_id` is the customer's, None where a code speaks for them."""

    decision: Literal["approve", "deny", "mismatch"]
    way: str
    session_id: str | None


class Consents:
    """Records what customers decide. A `deny` of what is active withdraws, and so revokes."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        decisions: Decisions,
        extension: Extension,
        codes: ConsentCodes,
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
        self._codes = codes
        self._rules = rules.consent
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def decide(self, work: Work, record: Record, decider: Decider, answer: Answer) -> Record:
        """Record the customer's decision; nobody else can give it."""
        if decider.user_id != record.subject_id:
            raise Forbidden("consent.not_the_subject")
        held = self._decisions.hold(work, record, decider)
        wanted = self._decisions.waiting(work.session, held, State.AWAITING_CONSENT, hold=True)
        if wanted is not None:
            self._check_shown(work.session, wanted, answer)
            matched = self._matched(wanted, answer)
            given = _Given(
                decision=answer.choice if matched else "mismatch",
                way=_way(wanted, answer),
                session_id=decider.session_id,
            )
            return self._write(work, held, wanted, given)
        known = impersonations.consent_of(work.session, held.id)
        if known is None:
            raise Conflict("consent.not_awaited")
        return self._decide_again(work, held, known, decider, answer.choice)

    def _check_shown(self, session: DbSession, wanted: Record, answer: Answer) -> None:
        """Refuse a yes to something else than what was shown: another request, or another life, may wait by now."""
        if answer.choice == "deny" or (answer.words_hash is None and answer.surface == "app"):
            return
        if answer.words_hash != self.words(session, wanted).hash:
            raise Conflict("consent.shown_something_else")

    def withdraw(self, work: Work, record: Record, decider: Decider) -> Record:
        """Take back the consent to one request: what rests on it ends."""
        held = self._decisions.hold(work, record, decider)
        known = impersonations.consent_of(work.session, held.id)
        if known is None or known.subject_id != decider.user_id:
            raise Conflict("consent.none")
        return self._decide_again(work, held, known, decider, "deny")

    def enter_code(self, work: Work, record: Record, actor: Decider, code: str) -> Record:
        """Take the code that the customer was sent and read to the actor; the last wrong try ends the request."""
        held = self._decisions.hold(work, record, actor)
        wanted = self._decisions.waiting(work.session, held, State.AWAITING_CONSENT, hold=True)
        if wanted is None or wanted.consent_way != "code":
            raise Conflict("consent_code.not_awaited")
        tried = self._codes.attempt(work, wanted, code)
        event = ConsentCodeTried(impersonation_id=held.id, actor=actor.user_id, correct=tried.correct, left=tried.left)
        self._trail.record(work, event)
        if tried.correct:
            return self._write(work, held, wanted, _Given(decision="approve", way="code", session_id=None))
        if not tried.left and wanted.state is State.ACTIVE:
            self._extension.drop(work, held)
        elif not tried.left:
            self._decisions.end(work, held, actor.user_id, State.DENIED, "consent_code_tries")
        raise InvalidRequest("consent_code.wrong", "The code is not right.", extra={"tries_left": tried.left})

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

    def asked(self, session: DbSession, record: Record) -> bool:
        """Tell whether the customer is being asked now."""
        return self._decisions.waiting(session, record, State.AWAITING_CONSENT) is not None

    def choices(self, record: Record) -> tuple[int, ...]:
        """Return the numbers that the customer who is being asked picks from; none where they are asked by message."""
        if record.consent_way != "account":
            return ()
        return number_match.choices(self._hasher, self._decisions.extending(record) or record)

    def number(self, record: Record) -> int | None:
        """Return the number that the actor reads out while the customer is being asked for it."""
        if record.consent_way != "account":
            return None
        return number_match.number(self._hasher, self._decisions.extending(record) or record)

    def _matched(self, wanted: Record, answer: Answer) -> bool:
        """Tell whether the number is right, where one is wanted. Raises InvalidRequest where it is missing."""
        if answer.choice == "deny":
            return True
        if wanted.consent_way != "account":
            if answer.number is not None:
                raise InvalidRequest("consent.number_unasked", "No number is asked for.")
            return True
        if answer.number is None:
            if answer.surface == "account" or self._rules.number_match_required:
                raise InvalidRequest("consent.number_missing", "The number that the agent reads out is wanted.")
            return True
        return answer.number == number_match.number(self._hasher, wanted)

    def _write(self, work: Work, held: Record, wanted: Record, given: _Given) -> Record:
        """Record a decision and go on; a no, or a wrong number, ends what was asked and leaves what is active."""
        row = self._row(work.session, wanted, given)
        self._trail.record(work, _event(wanted, given.decision, row))
        extending = held.state is State.ACTIVE
        if given.decision == "approve":
            impersonations.put_consent(work.session, row)
            if extending:
                return self._extension.go_on(work, held, wanted)
            return self._decisions.go_on(work, held, row.subject_id)
        if extending:
            return self._extension.drop(work, held)
        if given.decision == "deny":
            impersonations.put_consent(work.session, row)
        reason = "consent_denied" if given.decision == "deny" else "number_mismatch"
        return self._decisions.end(work, held, row.subject_id, State.DENIED, reason)

    def _decide_again(self, work: Work, held: Record, known: Consent, decider: Decider, choice: Choice) -> Record:
        """Take the same decision once more as said already, and a `deny` after an `approve` as a withdrawal."""
        stands = known.withdrawn_at is None
        if (known.decision == choice and stands) or (choice == "deny" and not stands):
            return held
        if choice == "approve" or known.decision != "approve" or held.state not in OPEN_STATES:
            raise Conflict("decision.made")
        known.withdrawn_at = self._clock.now()
        event = _event(held, "withdraw", known, session_id=decider.session_id)
        self._trail.record(work, event)
        return self._decisions.withdraw(work, held, decider.user_id, "consent_withdrawn")

    def _row(self, session: DbSession, wanted: Record, given: _Given) -> Consent:
        words = self.words(session, wanted)
        return Consent(
            id=self._entropy.identifier("con"),
            kind="request",
            subject_id=wanted.subject_id,
            impersonation_id=wanted.id,
            digest=wanted.digest,
            decision=given.decision,
            session_id=given.session_id,
            given_at=self._clock.now(),
            expires_at=None,
            withdrawn_at=None,
            way=given.way,
            basis=self._rules.basis,
            words_version=words.version,
            words_language=words.language,
            words_hash=words.hash,
        )


def _way(wanted: Record, answer: Answer) -> str:
    """Name the way of an answer: a number counts only where one was asked for."""
    if wanted.consent_way == "account" and answer.number is not None and answer.choice == "approve":
        return "number_match"
    return "mail" if wanted.consent_way == "mail" else answer.surface


def _event(record: Record, decision: str, row: Consent, *, session_id: str | None = None) -> ConsentDecided:
    return ConsentDecided(
        impersonation_id=record.id,
        subject=row.subject_id,
        session_id=session_id or row.session_id,
        decision=decision,
        digest=row.digest or record.digest,
        way=row.way,
        basis=row.basis,
        words_version=row.words_version,
        words_language=row.words_language,
        words_hash=row.words_hash,
    )
