"""Whether a ticket is one: the ticket system is asked by a signed call, and only its clear yes counts.

The call is a POST of JSON, signed as Standard Webhooks have it: `webhook-signature` is `v1,` and the base64 of
HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. The yes is status 200 with `{"valid": true}`. Anything
else, late, redirected, too long or unreadable, is a no.
"""

import base64
import hashlib
import hmac
import json
import queue
import threading
import time

import requests

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.asks import Ask
from authserver.settings_governance import WEBHOOK_SECRET, TicketHook
from authserver.telemetry import logger

_MAX_ANSWER_BYTES = 65536
_REMEMBERED = 1024
_AT_ONCE = 16
"""How many calls may be under way in a process; a further one is not made, and its ticket is not vouched for."""


class Tickets:
    """Asks the configured ticket system; without one every ticket is vouched for by its form alone."""

    def __init__(self, hook: TicketHook, issuer: str, clock: Clock, entropy: Entropy) -> None:
        """Ask at `hook`, as `issuer`."""
        self._hook = hook
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(_AT_ONCE)
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
        if not self._in_time(self._body(ask), now):
            return False
        with self._lock:
            if len(self._vouched) >= _REMEMBERED:
                self._vouched.clear()
            self._vouched[question] = now + self._hook.remember_seconds
        return True

    def _body(self, ask: Ask) -> bytes:
        asked = {
            "issuer": self._issuer,
            "ticket_id": ask.ticket_id,
            "reason_code": ask.reason_code,
            "actor": ask.actor.user_id,
            "subject": ask.subject_id,
            "client_id": ask.client.client_id,
        }
        return json.dumps(asked).encode()

    def _in_time(self, body: bytes, now: int) -> bool:
        """Ask in a thread of its own: no time-out of a socket bounds a look-up, or an answer that trickles."""
        if not self._room.acquire(blocking=False):
            self._log.warning("the ticket system is asked too much at once")
            return False
        said: queue.SimpleQueue[bool] = queue.SimpleQueue()
        headers = signed_headers(self._hook.secret, self._entropy.identifier("msg"), now, body)
        deadline = time.monotonic() + self._hook.timeout_seconds

        def ask() -> None:
            valid = False
            try:
                valid = self._asked(body, headers, deadline)
            finally:
                self._room.release()
                said.put(valid)

        threading.Thread(target=ask, name="ticket", daemon=True).start()
        try:
            return said.get(timeout=self._hook.timeout_seconds)
        except queue.Empty:
            self._log.warning("the ticket system did not answer in time")
            return False

    def _asked(self, body: bytes, headers: dict[str, str], deadline: float) -> bool:
        try:
            with requests.Session() as http:
                http.trust_env = False
                answer = http.post(
                    self._hook.url,
                    data=body,
                    headers={**headers, "Accept-Encoding": "identity"},
                    timeout=self._hook.timeout_seconds,
                    allow_redirects=False,
                    stream=True,
                )
                with answer:
                    if answer.status_code != requests.codes.ok:
                        self._log.warning("the ticket system did not say yes or no", status=answer.status_code)
                        return False
                    said = json.loads(_content(answer, deadline))
        except (requests.RequestException, OSError, ValueError, RecursionError) as error:
            self._log.warning("the ticket system could not be asked", error=type(error).__name__)
            return False
        return isinstance(said, dict) and said.get("valid") is True


def _content(answer: requests.Response, deadline: float) -> bytes:
    """Read an answer, or raise OSError for one that is too long or comes too slowly."""
    content = b""
    for chunk in answer.iter_content(1024):
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
            msg = "too long, or too slow"
            raise OSError(msg)
    return content


def signed_headers(secret: str, message_id: str, now: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed call (Standard Webhooks 1.0.0)."""
    signed = b".".join([message_id.encode(), str(now).encode(), body])
    signature = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }


def _key(secret: str) -> bytes:
    """Return the key of a secret: its bytes, or what stands in base64 after `whsec_`, as libraries write it."""
    if secret.startswith(WEBHOOK_SECRET):
        return base64.b64decode(secret.removeprefix(WEBHOOK_SECRET))
    return secret.encode()
