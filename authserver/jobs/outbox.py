"""The outbox's own loop: a slow mail server keeps no other job waiting. Several processes may run it at once."""

import threading

from flask import Flask

from authserver.impersonation.notify.delivery import Delivery
from authserver.telemetry import logger

_TICK_SECONDS = 1.0
_BATCH = 20


class OutboxLoop:
    """Delivers what is due in a thread of its own until it is stopped."""

    def __init__(self, app: Flask, delivery: Delivery) -> None:
        """Work for `app`."""
        self._app = app
        self._delivery = delivery
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._log = logger(__name__)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; what it is handing over just now is sent again by the next process, as the same message."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def tick(self) -> int:
        """Deliver what is due, a bounded number; return how many were tried."""
        with self._app.app_context():
            return self._delivery.deliver(_BATCH)

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            try:
                while self.tick() == _BATCH and not self._stop.is_set():
                    pass
            except Exception:  # noqa: BLE001 - the loop outlives any one failure
                self._log.exception("the outbox failed; it runs again")
