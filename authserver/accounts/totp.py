"""Authenticator apps: time-based one-time passwords (RFC 6238), each time step good for one."""

import base64
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pyotp

from authserver.accounts.refusals import CredentialRefused
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import CredentialChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.storage import accounts, people
from authserver.storage.accounts import StoredTotp
from authserver.storage.database import Work
from authserver.tokens.sealing import Sealer

_PURPOSE = "totp-secret"
_STEP_SECONDS = 30
_DIGITS = 6
_DRIFTS = (0, -1, 1)
"""One step either way, for clocks and transport (RFC 6238 §5.2)."""
_SECRET_BYTES = 20
"""The length of the HMAC that authenticator apps know (RFC 4226 §4, R6)."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person's app has to be told, once: the secret in base32, and the same as an otpauth URI."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class TotpApps:
    """Enrols and verifies authenticator apps, one a person."""

    def __init__(self, issuer: str, sealer: Sealer, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Name the server in people's apps by the host of `issuer`."""
        self._name = urlsplit(issuer).hostname or issuer
        self._sealer = sealer
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def enrol(self, work: Work, user_id: str, label: str) -> Enrolment:
        """Begin an enrolment, `label` being the person's user name; it counts once confirmed.

        Raises CredentialRefused while a confirmed app is there: it has to be removed first.
        """
        raw = base64.urlsafe_b64decode(self._entropy.token() + "=")[:_SECRET_BYTES]
        work.lock()
        sealed = self._sealer.seal(_PURPOSE, user_id, raw)
        if not accounts.put_totp(work.session, user_id, sealed, now=self._clock.now()):
            raise CredentialRefused("totp.already_enrolled")
        secret = base64.b32encode(raw).decode()
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=label, issuer_name=self._name))

    def pending(self, work: Work, user_id: str, label: str) -> Enrolment | None:
        """Return the enrolment that waits to be confirmed, to be shown again."""
        stored = accounts.totp(work.session, user_id)
        if stored is None or stored.confirmed_at is not None:
            return None
        app = self._app(user_id, stored)
        return Enrolment(app.secret, app.provisioning_uri(name=label, issuer_name=self._name))

    def confirm(self, work: Work, user_id: str, code: str, *, by: str) -> bool:
        """Confirm an enrolment by the app's first code, which then has been used; False when it does not match."""
        stored = accounts.totp(work.session, user_id)
        step = None if stored is None else self._step(user_id, stored, code)
        if stored is None or step is None:
            return False
        work.lock()
        people.find(work.session, user_id, hold=True)
        now = self._clock.now()
        if not accounts.confirm_totp(work.session, user_id, stored.sealed_secret, step=step, now=now):
            return False
        accounts.forget_proofs(work.session, user_id)
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="totp", action="added", by=by))
        return True

    def verify(self, work: Work, user_id: str, code: str) -> bool:
        """Use up a code; False when it does not match, or its step or a later one was used before."""
        stored = accounts.totp(work.session, user_id)
        step = None if stored is None or stored.confirmed_at is None else self._step(user_id, stored, code)
        if stored is None or step is None:
            return False
        work.lock()
        return accounts.consume_totp_step(work.session, user_id, stored.sealed_secret, step=step)

    def remove(self, work: Work, user_id: str, *, by: str) -> bool:
        """Remove a person's app; tell whether there was a confirmed one."""
        work.lock()
        people.find(work.session, user_id, hold=True)
        removed = accounts.remove_totp(work.session, user_id)
        if removed:
            self._trail.record(work, CredentialChanged(user_id=user_id, kind="totp", action="removed", by=by))
        return removed

    def _step(self, user_id: str, stored: StoredTotp, code: str) -> int | None:
        """Return the time step whose code this is, if it has not been used."""
        digits = "".join(unicodedata.normalize("NFKC", code[:32]).split())
        if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
            return None
        app, present = self._app(user_id, stored), self._clock.now() // _STEP_SECONDS
        steps = (present + drift for drift in _DRIFTS)
        fitting = [step for step in steps if pyotp.utils.strings_equal(app.generate_otp(step), digits)]
        return next((step for step in fitting if step > stored.last_step), None)

    def _app(self, user_id: str, stored: StoredTotp) -> pyotp.TOTP:
        raw = self._sealer.unseal(_PURPOSE, user_id, stored.sealed_secret)
        return pyotp.TOTP(base64.b32encode(raw).decode(), digits=_DIGITS, interval=_STEP_SECONDS)
