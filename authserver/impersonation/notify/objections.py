"""The link in a notice: whoever holds it may see what is done in their name, and end it (design section 4)."""

import hmac

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.lifecycle import Lifecycle
from authserver.protocol.names import State
from authserver.settings_governance import Notification
from authserver.storage import DbSession, impersonations
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

REASON = "subject_notice"


def notice_token(hasher: SecretHasher, impersonation_id: str) -> str:
    """Return what the link carries: the impersonation and the proof that we told it. Nothing is stored."""
    return f"{impersonation_id}.{hasher.hash(SecretKind.NOTICE, impersonation_id)}"


class Objections:
    """Finds the impersonation of a link, and ends it for its subject."""

    def __init__(
        self, lifecycle: Lifecycle, rules: Notification, hasher: SecretHasher, clock: Clock, entropy: Entropy
    ) -> None:
        """End through `lifecycle`; links live as `rules` say."""
        self._link_seconds = rules.link_seconds
        self._clock = clock
        self._lifecycle = lifecycle
        self._hasher = hasher
        self._entropy = entropy

    def new_cookie(self) -> str:
        """Return what binds the form to one browser; nobody is signed in."""
        return self._entropy.token()

    def find(self, session: DbSession, unverified_token: str) -> Record | None:
        """Return the impersonation that a link is about; None unless the link is ours."""
        impersonation_id = unverified_token.partition(".")[0]
        wanted = notice_token(self._hasher, impersonation_id)
        if not hmac.compare_digest(wanted.encode(), unverified_token.encode("utf-8", "surrogatepass")):
            return None
        return impersonations.find(session, impersonation_id)

    def expired(self, record: Record) -> bool:
        """Tell whether a link is too old to show anything: so long after the end, or after the withheld notice."""
        over = max(record.ended_at or 0, record.notice_withheld_until or 0)
        return record.ended_at is not None and self._clock.now() >= over + self._link_seconds

    def end(self, work: Work, record: Record) -> Record | None:
        """End it as its subject; None when it was over before."""
        return self._lifecycle.end(work, record, state=State.ENDED, by=record.subject_id, reason=REASON)
