"""Whether an approval in the database is what a second person decided: its signature has to say so (section 4)."""

import json
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from authserver.audit.approvals import statement
from authserver.storage import DbSession
from authserver.storage.tables import Approval

_REMEMBERED = 4096

Signed = Callable[[DbSession, str, str], bytes | None]
"""Returns what an audit key of this server, known by its `kid`, signed; None where it did not."""


class ApprovalProofs:
    """Compares rows with what was signed. A signature is verified once; who may write to the database has no key."""

    def __init__(self, signed: Signed, trusted: Callable[[DbSession, str], bool]) -> None:
        """Verify by `signed`, and each time ask whether the key is `trusted` still."""
        self._signed = signed
        self._trusted = trusted
        self._lock = Lock()
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def stand(self, session: DbSession, row: Approval) -> bool:
        """Tell whether the signature of a row is over its decision, approver, session, time, lifetime and digest.

        What was approved for a longer life holds for the present one too, and the approver signed both.
        """
        if row.kid is None or row.signature is None or not self._trusted(session, row.kid):
            return False
        signed = self._payload(session, row.kid, row.signature)
        if signed is None:
            return False
        said = json.loads(signed)
        told = {
            "impersonation_id": row.impersonation_id,
            "approver": row.approver_id,
            "session_id": row.session_id,
            "decision": row.decision,
            "decided_at": row.decided_at,
            "lifetime": row.lifetime,
            "digest": said.get("digest"),
            "covers": said.get("covers"),
        }
        return row.digest in {told["digest"], told["covers"]} and statement(told) == signed

    def _payload(self, session: DbSession, kid: str, signature: str) -> bytes | None:
        """Return what was signed; only what a key did sign is remembered, so that forgeries push nothing out."""
        key = (kid, signature)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        payload = self._signed(session, kid, signature)
        if payload is not None:
            with self._lock:
                self._known[key] = payload
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return payload
