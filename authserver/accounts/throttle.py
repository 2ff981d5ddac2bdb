"""Guessing is slowed down: by account, known or not, and by address, each failure doubling the wait."""

import unicodedata
from dataclasses import replace
from enum import StrEnum

from authserver.accounts.refusals import Throttled
from authserver.accounts.sites import site
from authserver.clock import Clock
from authserver.settings import Accounts
from authserver.storage import accounts
from authserver.storage.accounts import Backoff
from authserver.storage.database import Work
from authserver.tokens.secret_hashes import SecretHasher, SecretKind


class Guess(StrEnum):
    """What is guessed at; each is counted by itself, so that a known password does not clear the codes tried."""

    PASSWORD = "password"
    SECOND_FACTOR = "second-factor"
    PASSKEY = "passkey"
    USER_CODE = "user-code"
    SUPPORT_CODE = "support-code"
    CONSENT_CODE = "consent-code"
    HANDOFF_CODE = "handoff-code"
    CUSTOMER = "customer"
    UPSTREAM = "upstream"


class Throttle:
    """Counts attempts as failures before they are made, so that many at once are counted like one after another."""

    def __init__(self, settings: Accounts, hasher: SecretHasher, clock: Clock) -> None:
        """Wait as `settings` say."""
        self._hasher = hasher
        self._clock = clock
        waits, forget = (
            _doubling(settings.backoff_seconds, settings.backoff_max_seconds),
            settings.backoff_forget_seconds,
        )
        self._by_account = Backoff(settings.account_free_failures, waits, forget)
        self._by_address = Backoff(settings.address_free_failures, waits, forget)

    def claim(self, work: Work, guess: Guess, account: str | None, address: str) -> None:
        """Count an attempt and make that durable; raise Throttled when account or address have to wait.

        `account` is what was typed, or an id; None counts by address alone. Call it before `work` has written.
        """
        work.lock()
        if account is not None:
            self._claim(work, self._account(guess, account), self._by_account, "throttle.account")
        self._claim(work, self._address(address), self._by_address, "throttle.address")
        work.commit()

    def claim_by(self, work: Work, guess: Guess, account: str, *, free: int, forget: int) -> None:
        """Count an attempt by an account alone, for an address that says nothing; raise Throttled when it has to wait.

        `free` of them do not wait, and they are forgotten `forget` seconds after the last. The count is durable when
        `work` is committed, as it is when what was tried is refused.
        """
        work.lock()
        backoff = replace(self._by_account, free=free, forget=forget)
        wait = accounts.claim_attempt(work.session, self._account(guess, account), backoff, now=self._clock.now())
        if wait:
            raise Throttled("throttle.account", wait)

    def give_back(self, work: Work, guess: Guess, account: str) -> None:
        """Uncount the attempt just claimed by `claim_by`: it was no failure. Those before it still count."""
        accounts.give_back_attempt(work.session, self._account(guess, account))

    def forgive(self, work: Work, guess: Guess, account: str) -> None:
        """Begin to count anew what `claim_by` counts: the account has shown that it knows."""
        accounts.forget_failures(work.session, self._account(guess, account))

    def succeeded(self, work: Work, guess: Guess, account: str | None, address: str) -> None:
        """Begin to count the account's failures anew; of the address only this one attempt is uncounted."""
        work.lock()
        if account is not None:
            accounts.forget_failures(work.session, self._account(guess, account))
        accounts.give_back_attempt(work.session, self._address(address))

    def withdraw(self, work: Work, guess: Guess, account: str | None, address: str) -> None:
        """Uncount an attempt that could not be made."""
        work.lock()
        keys = [] if account is None else [self._account(guess, account)]
        for key in (*keys, self._address(address)):
            accounts.give_back_attempt(work.session, key)

    def _claim(self, work: Work, key: str, backoff: Backoff, reason: str) -> None:
        wait = accounts.claim_attempt(work.session, key, backoff, now=self._clock.now())
        if wait:
            work.rollback()
            raise Throttled(reason, wait)

    def _account(self, guess: Guess, account: str) -> str:
        folded = unicodedata.normalize("NFKC", account[:512]).casefold().strip()
        return self._hasher.hash(SecretKind.THROTTLE, f"{guess}\0{folded}")

    def _address(self, address: str) -> str:
        return self._hasher.hash(SecretKind.THROTTLE, f"address\0{site(address)}")


def _doubling(first: int, last: int) -> tuple[int, ...]:
    waits = [min(first, last)]
    while waits[-1] < last:
        waits.append(min(2 * waits[-1], last))
    return tuple(waits)
