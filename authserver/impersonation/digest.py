"""The one digest that consent and approval bind (design section 4)."""

import hashlib
import json
from dataclasses import replace

from authserver.impersonation.asks import Ask
from authserver.protocol.names import BREAK_GLASS
from authserver.storage.impersonations import Record


def digest(record: Record, *, code_id: str | None = None) -> str:
    """Return SHA-256 (hex) over what is asked: change anything and it is another.

    What a support code opens is bound to that code, so that its consent is never another request's.
    """
    bound = [
        "impersonation/1",
        record.actor_id,
        record.subject_id,
        record.client_id,
        sorted(record.resources),
        sorted(record.scopes),
        record.mode,
        record.reason_code,
        record.reason,
        record.ticket_id,
        record.lifetime,
    ]
    if record.override is not None:
        bound.append(record.override)
    if code_id is not None:
        bound.append(code_id)
    return hashlib.sha256(json.dumps(bound, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def asked_again(record: Record, ask: Ask) -> bool:
    """Tell whether an ask of the same actor for the same subject is this one once more, its scopes aside."""
    as_asked = replace(
        record,
        client_id=ask.client.client_id,
        resources=ask.resources,
        mode=ask.mode,
        reason=ask.reason,
        reason_code=ask.reason_code,
        ticket_id=ask.ticket_id,
        lifetime=ask.lifetime,
        override=BREAK_GLASS if ask.break_glass else None,
    )
    return digest(as_asked) == record.digest
