"""A sign-in under way: what has been proved so far, bound to one browser by a cookie."""

from dataclasses import dataclass

from authserver.accounts.authentication import PASSKEYS, Authenticated, Factors, Method, authenticated, suffices
from authserver.accounts.refusals import Busy, LoginExpired
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.settings import Accounts
from authserver.storage import DbSession, accounts, sign_ins
from authserver.storage.database import Work
from authserver.storage.sign_ins import StoredLogin
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_MAX_UNDER_WAY = 20_000
_FIRST = frozenset({Method.PASSWORD, *PASSKEYS})


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way as read; `methods` is what `user_id` has proved."""

    user_id: str | None
    methods: tuple[Method, ...]
    return_to: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A person has proved enough: start or renew their session, and send them to `return_to`."""

    user_id: str
    authenticated: Authenticated
    return_to: str


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """The first factor was right; `factors` is what the person can go on with."""

    user_id: str
    factors: Factors


class PendingLogins:
    """Begins, adds to and finishes sign-ins."""

    def __init__(self, settings: Accounts, hasher: SecretHasher, clock: Clock, entropy: Entropy) -> None:
        """Keep cookies hashed by `hasher`."""
        self._seconds = settings.login_seconds
        self._hasher = hasher
        self._clock = clock
        self._entropy = entropy

    def begin(self, work: Work, return_to: str) -> str:
        """Begin a sign-in and return the browser's cookie; `return_to` has been checked by the caller."""
        work.lock()
        cookie, now = self._entropy.token(), self._clock.now()
        until = now + self._seconds
        sign_ins.add_login(work.session, self._hash(cookie), return_to=return_to, now=now, expires_at=until)
        return cookie

    def new_cookie(self) -> str:
        """Return a cookie for a browser that may begin a sign-in; nothing is stored before it proves something."""
        return self._entropy.token()

    def ensure(self, work: Work, cookie: str, return_to: str) -> None:
        """Begin a sign-in for a browser that holds `cookie`, or point the one under way to `return_to`.

        Raises Busy when more are under way than a server ever needs: whoever begins them proves nothing.
        """
        work.lock()
        stored = self._stored(work.session, cookie, hold=True)
        if stored is not None:
            if stored.return_to != return_to:
                sign_ins.set_return(work.session, stored.cookie_hash, return_to)
            return
        now = self._clock.now()
        if sign_ins.count_logins(work.session, now=now) >= _MAX_UNDER_WAY:
            raise Busy("login.too_many")
        sign_ins.replace_login(
            work.session, self._hash(cookie), return_to=return_to, now=now, until=now + self._seconds
        )

    def find(self, session: DbSession, cookie: str) -> Pending | None:
        """Return the sign-in that a browser is at."""
        stored = self._stored(session, cookie)
        return (
            None if stored is None else Pending(stored.user_id, _methods(stored), stored.return_to, stored.expires_at)
        )

    def prove(self, work: Work, cookie: str, user_id: str, method: Method) -> Finished | SecondFactorNeeded:
        """Note what a person has proved, and finish when that is enough. Raises LoginExpired.

        Another person's first factor begins anew: proofs of two people never add up. A second factor needs a password
        of the same person before it. The caller holds the person.
        """
        work.lock()
        stored = self._stored(work.session, cookie, hold=True)
        if stored is None:
            raise LoginExpired("login.expired")
        methods = _methods(stored) if stored.user_id == user_id else ()
        if method not in _FIRST and Method.PASSWORD not in methods:
            raise LoginExpired("login.order")
        methods = tuple(dict.fromkeys((*methods, method)))
        factors = factors_of(work.session, user_id)
        if not suffices(methods, factors):
            sign_ins.set_proofs(work.session, stored.cookie_hash, user_id, methods)
            return SecondFactorNeeded(user_id, factors)
        if not sign_ins.consume_login(work.session, stored.cookie_hash, now=self._clock.now()):
            raise LoginExpired("login.finished")
        return Finished(user_id, authenticated(methods, self._clock.now()), stored.return_to)

    def cancel(self, work: Work, cookie: str) -> None:
        """Forget a sign-in."""
        work.lock()
        sign_ins.consume_login(work.session, self._hash(cookie), now=self._clock.now())

    def set_challenge(self, work: Work, cookie: str, challenge: str) -> None:
        """Keep the challenge that an authenticator is asked to sign, and no earlier one. Raises LoginExpired."""
        work.lock()
        if not sign_ins.set_challenge(work.session, self._hash(cookie), challenge, now=self._clock.now()):
            raise LoginExpired("login.expired")

    def take_challenge(self, work: Work, cookie: str) -> str:
        """Use up the challenge and make that durable, whatever the answer to it is worth. Raises LoginExpired."""
        work.lock()
        stored = self._stored(work.session, cookie, hold=True)
        challenge = None if stored is None else stored.challenge
        if challenge is None or not sign_ins.consume_challenge(
            work.session, self._hash(cookie), challenge, now=self._clock.now()
        ):
            raise LoginExpired("login.challenge")
        work.commit()
        return challenge

    def _stored(self, session: DbSession, cookie: str, *, hold: bool = False) -> StoredLogin | None:
        return sign_ins.find_login(session, self._hash(cookie), now=self._clock.now(), hold=hold)

    def _hash(self, cookie: str) -> str:
        return self._hasher.hash(SecretKind.LOGIN, cookie)


def factors_of(session: DbSession, user_id: str) -> Factors:
    """Return what a person has to sign in with."""
    totp, passkeys = sign_ins.second_factors(session, user_id)
    return Factors(
        password=accounts.password_hash(session, user_id) is not None,
        totp=totp,
        passkeys=passkeys,
        recovery_codes=accounts.recovery_codes_left(session, user_id),
    )


def _methods(stored: StoredLogin) -> tuple[Method, ...]:
    return tuple(Method(method) for method in stored.methods)
