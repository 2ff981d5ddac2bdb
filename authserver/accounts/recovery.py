"""Recovery codes: ten one-time codes of 60 bits for who has lost the second factor (NIST SP 800-63B-4 §3.1.2)."""

from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import CredentialChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.storage import accounts, people
from authserver.storage.database import Work
from authserver.tokens import typed_codes
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

COUNT = 10


class RecoveryCodes:
    """Makes and consumes a person's recovery codes."""

    def __init__(self, hasher: SecretHasher, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Keep them hashed by `hasher`."""
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def regenerate(self, work: Work, user_id: str, *, by: str) -> list[str]:
        """Return ten new codes, such as `7K2M-9QXT-0B4D`, to be shown once; all earlier ones are void."""
        work.lock()
        people.find(work.session, user_id, hold=True)  # of two calls at once one comes after the other
        codes = [typed_codes.new(self._entropy) for _ in range(COUNT)]
        hashes = [self._hash(user_id, code) for code in codes]
        accounts.replace_recovery_codes(work.session, user_id, hashes, now=self._clock.now())
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="recovery_codes", action="set", by=by))
        return codes

    def verify(self, work: Work, user_id: str, code: str) -> bool:
        """Use up a code; case, spaces and dashes do not matter. False when there is none such, or it was used."""
        work.lock()
        used = accounts.consume_recovery_code(
            work.session, user_id, self._hash(user_id, code[:64]), now=self._clock.now()
        )
        if used:
            event = CredentialChanged(user_id=user_id, kind="recovery_codes", action="used", by=user_id)
            self._trail.record(work, event)
        return used

    def remove(self, work: Work, user_id: str, *, by: str) -> None:
        """Void all codes of a person."""
        work.lock()
        people.find(work.session, user_id, hold=True)
        accounts.replace_recovery_codes(work.session, user_id, (), now=self._clock.now())
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="recovery_codes", action="removed", by=by))

    def _hash(self, user_id: str, code: str) -> str:
        return self._hasher.hash(SecretKind.RECOVERY_CODE, f"{user_id}\0{typed_codes.read(code)}")
