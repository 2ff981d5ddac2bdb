"""The server's signature over a second person's decision: who decided what, when, and on which digest."""

from collections.abc import Iterable, Mapping
from typing import Any

from authserver.audit.canonical import canonical
from authserver.audit.events.governance import ApprovalDecided
from authserver.audit.heads import HeadVerifier
from authserver.audit.walk import Findings, read_payload, title
from authserver.storage.trail import EventRow

_SIGNED = ("impersonation_id", "digest", "approver", "session_id", "decision", "decided_at", "lifetime")


def statement(said: Mapping[str, Any]) -> bytes:
    """Return what the signature is made over, from an event's payload or from values of the same names."""
    signed = {name: said.get(name) for name in _SIGNED}
    if said.get("covers") is not None:
        signed["covers"] = said["covers"]
    return canonical({"statement": ApprovalDecided.name, **signed})


class Approvals:
    """Checks the server's own signature over each approval of a chain, in the order of its events."""

    def __init__(self, findings: Findings, verifier: HeadVerifier, keys: Mapping[str, Mapping[str, Any]]) -> None:
        """Verify by `keys`, the trusted public JWKs by `kid`, and tell `findings`."""
        self._findings = findings
        self._verifier = verifier
        self._keys = keys
        self._signed = False

    def take(self, rows: Iterable[EventRow]) -> None:
        """Go over the next events."""
        for row in rows:
            payload = read_payload(row.payload) if row.name == ApprovalDecided.name else None
            if isinstance(payload, dict):
                words = self._doubt({**payload, "impersonation_id": row.impersonation_id})
                if words:
                    self._findings.add(row.seq, f"{title(row)} {words}")

    def _doubt(self, payload: Mapping[str, Any]) -> str | None:
        """Say why an approval is not proved; those of before there were signatures pass until the first signed one."""
        if not self._signed and not {"kid", "signature", "decided_at"} & payload.keys():
            return None
        self._signed = True
        return doubt(payload, self._verifier, self._keys)


def doubt(payload: Mapping[str, Any], verifier: HeadVerifier, keys: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say why the signature in an event's payload proves nothing, or None."""
    kid, signature = payload.get("kid"), payload.get("signature")
    if not isinstance(kid, str) or not isinstance(signature, str):
        return "holds an approval without a signature"
    if kid not in keys:
        return f"holds an approval signed with the unknown key {kid!r}"
    signed = verifier.verify(kid, signature)
    if signed is None:
        return "holds an approval with a bad signature"
    try:
        same = signed == statement(payload)
    except (TypeError, ValueError):  # what the trail's JSON does not have
        same = False
    return None if same else "holds an approval whose signature is over something else"
