"""Signing in, step by step: throttle → verify → prove → finished, or the next factor. No step can forget another."""

from dataclasses import dataclass
from typing import NoReturn

from authserver.accounts.authentication import Method
from authserver.accounts.local_methods import LocalMethods
from authserver.accounts.passkeys import Options, Passkeys
from authserver.accounts.passwords import Passwords
from authserver.accounts.pending import Finished, PendingLogins, SecondFactorNeeded
from authserver.accounts.recovery import RecoveryCodes
from authserver.accounts.refusals import Busy, LoginExpired, WrongCredentials
from authserver.accounts.throttle import Guess, Throttle
from authserver.accounts.totp import TotpApps
from authserver.audit.chain import Trail
from authserver.audit.events.refusals import SignInFailed
from authserver.storage import accounts, people
from authserver.storage.accounts import Account
from authserver.storage.database import Work

_MAX_USERNAME = 255

Step = Finished | SecondFactorNeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The steps of a sign-in under way, which `cookie` names.

    Each takes a `work` that has written nothing yet, commits what must outlive a failure (attempts, failures, used
    challenges), and leaves what it proved to the caller's commit. Each raises WrongCredentials, Throttled, Busy or
    LoginExpired.
    """

    passwords: Passwords
    totp: TotpApps
    recovery: RecoveryCodes
    passkeys: Passkeys
    throttle: Throttle
    pending: PendingLogins
    local_methods: LocalMethods
    trail: Trail

    def with_password(self, work: Work, cookie: str, *, username: str, password: str, address: str) -> Step:
        """Prove a password; who is unknown, disabled or has none takes as long and gets the same answer."""
        self._under_way(work, cookie)
        self.throttle.claim(work, Guess.PASSWORD, username, address)
        account = _account(work, username)
        work.rollback()  # no connection is held while hashing
        try:
            verification = self.passwords.verify(account.password_hash if account else None, password)
        except Busy:
            self.throttle.withdraw(work, Guess.PASSWORD, username, address)
            work.commit()
            raise
        if account is None or account.password_hash is None or not verification.right:
            self._fail(work, "password.unknown" if account is None else "password.wrong", account, address)
        work.lock()
        self._hold(work, account.user_id, address)
        becomes = verification.rehashed or account.password_hash
        if not accounts.confirm_password(work.session, account.user_id, account.password_hash, becomes=becomes):
            self._fail(work, "password.changed", account, address)
        self.throttle.succeeded(work, Guess.PASSWORD, username, address)
        return self.pending.prove(work, cookie, account.user_id, Method.PASSWORD)

    def with_totp(self, work: Work, cookie: str, *, code: str, address: str) -> Step:
        """Prove an authenticator app's code, after a password."""
        user_id = self._after_password(work, cookie)
        self.throttle.claim(work, Guess.SECOND_FACTOR, user_id, address)
        self._hold(work, user_id, address)
        if not self.totp.verify(work, user_id, code):
            self._fail(work, "totp.wrong", user_id, address)
        self.throttle.succeeded(work, Guess.SECOND_FACTOR, user_id, address)
        return self.pending.prove(work, cookie, user_id, Method.OTP)

    def with_recovery_code(self, work: Work, cookie: str, *, code: str, address: str) -> Step:
        """Prove a recovery code, after a password."""
        user_id = self._after_password(work, cookie)
        self.throttle.claim(work, Guess.SECOND_FACTOR, user_id, address)
        self._hold(work, user_id, address)
        if not self.recovery.verify(work, user_id, code):
            self._fail(work, "recovery_code.wrong", user_id, address)
        self.throttle.succeeded(work, Guess.SECOND_FACTOR, user_id, address)
        return self.pending.prove(work, cookie, user_id, Method.RECOVERY_CODE)

    def passkey_options(self, work: Work, cookie: str) -> Options:
        """Return what the browser's authenticator is asked, and keep the challenge."""
        found = self.pending.find(work.session, cookie)
        user_id = None if found is None else found.user_id
        options = self.passkeys.authentication_options(work.session, user_id)
        self.pending.set_challenge(work, cookie, options.challenge)
        return options

    def with_passkey(self, work: Work, cookie: str, *, response: str, address: str) -> Step:
        """Prove a passkey, first or after a password; `response` is the browser's answer as JSON."""
        self.throttle.claim(work, Guess.PASSKEY, None, address)
        challenge = self.pending.take_challenge(work, cookie)
        try:
            proof = self.passkeys.verify(work, challenge=challenge, response=response)
        except WrongCredentials as refusal:
            self._fail(work, refusal.reason, None, address)
        work.lock()
        self._hold(work, proof.user_id, address)
        if not self.passkeys.use(work, proof):
            self._fail(work, "passkey.counter", proof.user_id, address)
        self.throttle.succeeded(work, Guess.PASSKEY, None, address)
        return self.pending.prove(work, cookie, proof.user_id, proof.method)

    def _under_way(self, work: Work, cookie: str) -> None:
        if self.pending.find(work.session, cookie) is None:
            raise LoginExpired("login.expired")

    def _after_password(self, work: Work, cookie: str) -> str:
        found = self.pending.find(work.session, cookie)
        if found is None or found.user_id is None or Method.PASSWORD not in found.methods:
            raise LoginExpired("login.order")
        return found.user_id

    def _hold(self, work: Work, user_id: str, address: str) -> None:
        """Keep a person from being changed until the commit.

        Who is disabled gets no further, and who signs in at an issuer that keeps that to itself: nobody is told which.
        """
        work.lock()
        person = people.find(work.session, user_id, hold=True)
        if person is None or not person.enabled:
            self._fail(work, "account.disabled", user_id, address)
        if not self.local_methods.count_for(work.session, user_id):
            self._fail(work, "account.signs_in_elsewhere", user_id, address)

    def _fail(self, work: Work, reason: str, who: Account | str | None, address: str) -> NoReturn:
        """Leave the failure's evidence, and nothing else, and refuse."""
        work.rollback()
        user_id = who.user_id if isinstance(who, Account) else who
        self.trail.record(work, SignInFailed(user_id=user_id, reason=reason, address=address))
        work.commit()
        raise WrongCredentials(reason)


def _account(work: Work, username: str) -> Account | None:
    if len(username) > _MAX_USERNAME or not username.isprintable():
        return None
    return accounts.by_username(work.session, username)
