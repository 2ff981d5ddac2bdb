"""Whether a ticket is one: the ticket system is asked by a signed call, and only its clear yes counts.

The call is a POST of JSON, signed as Standard Webhooks have it: `webhook-signature` is `v1,` and the base64 of
HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. The yes is status 200 with `{"valid": true}`. Anything
else, late, redirected, too long or unreadable, is a no.
"""

import base64
import hashlib
import hmac
import json
import threading
import time

import requests

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import Ask
from authserver.settings_governance import TicketHook
from authserver.telemetry import logger

_MAX_ANSWER_BYTES = 65536
_REMEMBERED = 1024


class Tickets:
    """Asks the configured ticket system; without one every ticket is vouched for by its form alone."""

    def __init__(self, hook: TicketHook, issuer: str, clock: Clock, entropy: Entropy) -> None:
        """Ask at `hook`, as `issuer`."""
        self._hook = hook
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy
        self._http = requests.Session()
        self._http.trust_env = False
        self._lock = threading.Lock()
        self._vouched: dict[tuple[str, ...], int] = {}
        self._log = logger(__name__)

    def vouch_for(self, ask: Ask) -> bool:
        """Tell whether the ticket of an ask is good; a yes is remembered for a moment, a no never."""
        if not self._hook.url or not ask.ticket_id:
            return True
        question = (ask.ticket_id, ask.actor.user_id, ask.subject_id, ask.client.client_id, ask.reason_code)
        now = self._clock.now()
        with self._lock:
            if self._vouched.get(question, 0) > now:
                return True
        if not self._asked(ask, now):
            return False
        with self._lock:
            if len(self._vouched) >= _REMEMBERED:
                self._vouched.clear()
            self._vouched[question] = now + self._hook.remember_seconds
        return True

    def _asked(self, ask: Ask, now: int) -> bool:
        body = json.dumps(
            {
                "issuer": self._issuer,
                "ticket_id": ask.ticket_id,
                "reason_code": ask.reason_code,
                "actor": ask.actor.user_id,
                "subject": ask.subject_id,
                "client_id": ask.client.client_id,
            }
        ).encode()
        deadline = time.monotonic() + self._hook.timeout_seconds
        headers = signed_headers(self._hook.secret, self._entropy.identifier("msg"), now, body)
        try:
            answer = self._http.post(
                self._hook.url,
                data=body,
                headers=headers,
                timeout=self._hook.timeout_seconds,
                allow_redirects=False,
                stream=True,
            )
            with answer:
                content = _content(answer, deadline)
            said = json.loads(content) if answer.status_code == requests.codes.ok else None
        except (requests.RequestException, OSError, ValueError) as error:
            self._log.warning("the ticket system could not be asked", error=type(error).__name__)
            return False
        return isinstance(said, dict) and said.get("valid") is True


def _content(answer: requests.Response, deadline: float) -> bytes:
    """Read an answer, or raise OSError for one that is too long or trickles in too slowly."""
    content = b""
    for chunk in answer.iter_content(4096):
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
            msg = "too long, or too slow"
            raise OSError(msg)
    return content


def signed_headers(secret: str, message_id: str, now: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed call (Standard Webhooks 1.0.0)."""
    signed = b".".join([message_id.encode(), str(now).encode(), body])
    signature = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
