"""The server's signature over a second person's decision: who decided what, when, and on which digest."""

from collections.abc import Mapping
from typing import Any

from authserver.audit.canonical import canonical
from authserver.audit.events import ApprovalDecided
from authserver.audit.heads import HeadVerifier

_SIGNED = ("impersonation_id", "digest", "approver", "session_id", "decision", "decided_at", "lifetime")


def statement(said: Mapping[str, Any]) -> bytes:
    """Return what the signature is made over, from an event's payload or from values of the same names."""
    return canonical({"statement": ApprovalDecided.name, **{name: said.get(name) for name in _SIGNED}})


def doubt(payload: Mapping[str, Any], verifier: HeadVerifier, keys: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say why the signature in an event's payload proves nothing, or None; a payload of before there was one passes."""
    kid, signature = payload.get("kid"), payload.get("signature")
    if kid is None and signature is None and "decided_at" not in payload:
        return None
    if not isinstance(kid, str) or not isinstance(signature, str):
        return "holds an approval without a signature"
    if kid not in keys:
        return f"holds an approval signed with the unknown key {kid!r}"
    signed = verifier.verify(kid, signature)
    if signed is None:
        return "holds an approval with a bad signature"
    return None if signed == statement(payload) else "holds an approval whose signature is over something else"
