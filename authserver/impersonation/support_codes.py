"""Support codes: a customer makes one within limits of their own, and an agent redeems it once (S1, way F).

A code has 60 random bits and lives for minutes. Presenting wrong ones is slowed down by client and actor, each wait
twice the one before: an agent has some 15 guesses in half an hour, and 4 more for each right code, which opens an
impersonation with its evidence. A thousand agents who do nothing else, while ten thousand codes live, find one with a
chance below 1 in 1,000 million.
"""

from dataclasses import dataclass, field

from authserver.audit.chain import Trail
from authserver.audit.events.governance import SupportCodeCreated, SupportCodeRevoked
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.consents import Consents
from authserver.impersonation.decisions import Decider
from authserver.impersonation.judge import Judge
from authserver.impersonation.words import PRESENT_SUPPORT_CODE
from authserver.protocol.names import OPEN_STATES, Mode, Role
from authserver.protocol.refusals import (
    AccessDenied,
    Busy,
    Conflict,
    InvalidEvidence,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    NotFound,
)
from authserver.protocol.scopes import Scope
from authserver.settings_governance import SupportCodes as Limits
from authserver.storage import DbSession, impersonations, people, resources, support_codes
from authserver.storage.database import Work
from authserver.storage.support_codes import StoredCode
from authserver.storage.tables import SupportCode, User
from authserver.tokens import typed_codes
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_TRIES = 4
_LISTED = 20
_MAX_CHARS = 64
_TOO_MANY = "There are too many codes that can still be used. Take one back first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A customer in a session of their own; `client_id` is the app that speaks for them, None for their own page."""

    user_id: str
    session_id: str
    client_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The limits that a customer chooses; None leaves one to the defaults. Times are seconds.

    `words_version` is what an app says it has shown.
    """

    mode: str | None = None
    scopes: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    lifetime: int | None = None
    expires_in: int | None = None
    words_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new code; `code` is the only copy of it, `expires_in` is seconds."""

    stored: StoredCode
    code: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A code as its maker sees it: never the code itself. `state` is live, used, active, revoked or expired."""

    stored: StoredCode
    state: str


class SupportCodes:
    """Makes, lists, finds and takes back support codes."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything it rests on, injected
        self,
        limits: Limits,
        judge: Judge,
        consents: Consents,
        hasher: SecretHasher,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Make codes within `limits`, and end through `decisions` what they opened."""
        self.limits = limits
        self._judge = judge
        self._consents = consents
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def make(self, work: Work, maker: Maker, wanted: Wanted) -> Made:
        """Make a code; it dies with the session that it was made in."""
        work.lock()
        now = self._clock.now()
        user = people.find(work.session, maker.user_id, hold=True)
        behind = people.find_session(work.session, maker.session_id, hold=True)
        if (
            user is None
            or not user.enabled
            or behind is None
            or behind.ended_at is not None
            or now >= behind.expires_at
        ):
            raise InvalidToken("session.ended")
        if Role.CUSTOMER not in user.roles:
            raise AccessDenied("support_code.not_a_customer")
        mode = self._mode(user, wanted.mode)
        scopes = self._scopes(work.session, user, wanted, mode)
        if support_codes.count_living(work.session, user.id, now=now) >= self.limits.max_live:
            raise Conflict("support_code.too_many", _TOO_MANY)
        code, code_seconds = typed_codes.new(self._entropy), wanted.expires_in or self.limits.code_seconds
        words = PRESENT_SUPPORT_CODE if _was_shown(maker, wanted) else None
        row = SupportCode(
            id=self._entropy.identifier("sup"),
            code_hash=self._hash(code),
            user_id=user.id,
            session_id=behind.id,
            client_id=maker.client_id,
            mode=mode,
            scopes=list(scopes),
            lifetime=min(wanted.lifetime or self.limits.lifetime, self.limits.max_lifetime),
            words_version="" if words is None else words.version,
            words_language="" if words is None else words.language,
            words_hash="" if words is None else words.hash,
            created_at=now,
            expires_at=min(now + min(code_seconds, self.limits.max_code_seconds), behind.expires_at),
        )
        support_codes.add(work.session, row)
        stored = self._find(work, row.id, user.id)
        self._trail.record(work, _created(stored))
        return Made(stored=stored, code=code, expires_in=row.expires_at - now)

    def modes(self, user: User) -> tuple[Mode, ...]:
        """Return the modes that a customer may choose: `full` only where the policy might allow it to anybody."""
        return tuple(mode for mode in Mode if mode is Mode.READ_ONLY or self._judge.conceivable(user, mode))

    def choices(self, session: DbSession, user: User) -> tuple[Scope, ...]:
        """Return the scopes that a customer may choose: what they have, but for what nobody can be given."""
        has = resources.scopes_of_roles(session, user.roles)
        every = resources.scopes_of(session).values()
        return tuple(scope for scope in every if scope.name in has and not scope.non_delegable)

    def listing(self, session: DbSession, user_id: str) -> list[Listed]:
        """Return a customer's codes, the newest first."""
        now = self._clock.now()
        living = set(support_codes.living_of(session, user_id, now=now))
        return [
            Listed(stored=stored, state="live" if stored.id in living else self._ended(session, stored, now))
            for stored in support_codes.newest_of(session, user_id, limit=_LISTED)
        ]

    def revoke(self, work: Work, code_id: str, maker: Maker) -> Listed:
        """Take a code back. Once it is used that withdraws the consent that it was, and ends what it opened.

        What has ended in whatever way stays as it is.
        """
        for _ in range(_TRIES):
            stored = self._find(work, code_id, maker.user_id)
            if stored.used_at is not None:
                self._withdraw(work, stored, maker)
                break
            work.lock()
            people.find(work.session, maker.user_id, hold=True)
            if support_codes.revoke(work.session, code_id, user_id=maker.user_id, now=self._clock.now()):
                event = SupportCodeRevoked(code_id=code_id, subject=maker.user_id, by=maker.user_id)
                self._trail.record(work, event)
                break
            if self._find(work, code_id, maker.user_id).used_at is None:
                break
            work.rollback()  # it was used meanwhile: what it opened is locked in an order of its own
        else:
            raise Busy("support_code.contended")
        found = self._find(work, code_id, maker.user_id)
        return Listed(stored=found, state=self._ended(work.session, found, self._clock.now()))

    def presented(self, session: DbSession, text: str) -> StoredCode:
        """Return the living code that an agent presents, or raise InvalidEvidence."""
        stored = support_codes.of_hash(session, self._hash(text[:_MAX_CHARS]))
        if stored is None:
            raise InvalidEvidence("support_code.unknown")
        if stored.used_at is not None:
            raise CodeReplayed(stored.impersonation_id)
        if not support_codes.living(session, stored.id, now=self._clock.now()):
            raise InvalidEvidence("support_code.dead")
        return stored

    def _mode(self, user: User, wanted: str | None) -> Mode:
        mode = Mode.READ_ONLY if wanted is None else next((mode for mode in Mode if mode == wanted), None)
        if mode is None:
            raise InvalidRequest("mode.unknown", "mode is read_only or full.")
        if mode not in self.modes(user):
            raise AccessDenied("support_code.mode_inconceivable")
        return mode

    def _scopes(self, session: DbSession, user: User, wanted: Wanted, mode: Mode) -> tuple[str, ...]:
        """Return the scopes chosen, without those that the mode cuts. Raises InvalidTarget or InvalidScope."""
        choices = {scope.name: scope for scope in self.choices(session, user)}
        if wanted.resources is not None and set(wanted.resources) - {scope.resource for scope in choices.values()}:
            raise InvalidTarget("support_code.resource_not_theirs")
        names = tuple(choices) if wanted.scopes is None else tuple(dict.fromkeys(wanted.scopes))
        if set(names) - set(choices):
            raise InvalidScope("support_code.scope_not_theirs")
        kept = tuple(
            name
            for name in names
            if (wanted.resources is None or choices[name].resource in wanted.resources)
            and (mode is Mode.FULL or choices[name].access == "read")
        )
        if not kept:
            raise InvalidScope("scope.nothing_left")
        return kept

    def _withdraw(self, work: Work, stored: StoredCode, maker: Maker) -> None:
        record = impersonations.find(work.session, stored.impersonation_id or "")
        if record is None or record.state not in OPEN_STATES or record.overdue(self._clock.now()):
            return
        decider = Decider(user_id=maker.user_id, session_id=maker.session_id)
        try:
            self._consents.withdraw(work, record, decider)
        except Conflict:  # it ended meanwhile, which is what was wanted
            return

    def _find(self, work: Work, code_id: str, user_id: str) -> StoredCode:
        stored = support_codes.find(work.session, code_id)
        if stored is None or stored.user_id != user_id:
            raise NotFound("support_code.unknown")
        return stored

    def _ended(self, session: DbSession, stored: StoredCode, now: int) -> str:
        if stored.used_at is not None:
            record = impersonations.find(session, stored.impersonation_id or "")
            open_still = record is not None and record.state in OPEN_STATES and not record.overdue(now)
            return "active" if open_still else "used"
        return "expired" if stored.revoked_at is None else "revoked"

    def _hash(self, code: str) -> str:
        return self._hasher.hash(SecretKind.SUPPORT_CODE, typed_codes.read(code))


class CodeReplayed(InvalidEvidence):
    """A code that was used already is presented again: it gives nothing."""

    def __init__(self, impersonation_id: str | None) -> None:
        """Refuse; `impersonation_id` is what it opened."""
        super().__init__("support_code.replayed")
        self.impersonation_id = impersonation_id


def _was_shown(maker: Maker, wanted: Wanted) -> bool:
    """Tell whether the present words were shown: our page shows them, an app says so by their version."""
    if wanted.words_version not in {None, PRESENT_SUPPORT_CODE.version}:
        raise InvalidRequest("words.not_present", "words_version is not the version of the present words.")
    return maker.client_id is None or wanted.words_version is not None


def _created(row: StoredCode) -> SupportCodeCreated:
    return SupportCodeCreated(
        code_id=row.id,
        subject=row.user_id,
        session_id=row.session_id,
        client_id=row.client_id,
        mode=row.mode,
        scopes=row.scopes,
        lifetime=row.lifetime,
        expires_at=row.expires_at,
        words_version=row.words_version,
        words_language=row.words_language,
        words_hash=row.words_hash,
        words_shown=row.words_shown,
    )
