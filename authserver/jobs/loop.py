"""One loop a process. Several processes may run it at once: each verb lets only one of them win."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from authserver.appetize.devices import Devices
from authserver.audit.chain import Trail
from authserver.audit.heads import HeadSigner, sign_head
from authserver.audit.strangers import Strangers
from authserver.clock import Clock
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.policy_watch import PolicyWatch
from authserver.settings import Settings
from authserver.storage import (
    DbSession,
    accounts,
    authorizations,
    clients,
    devices,
    dpop,
    federation,
    handoff_codes,
    impersonations,
    listings,
    outbox,
    sign_ins,
    support_codes,
    tokens,
)
from authserver.storage.database import unit_of_work
from authserver.telemetry import logger

_TICK_SECONDS = 1.0
_FORGET_SECONDS = 600
_KEEP_DEAD_TOKENS_SECONDS = 86400
_KEEP_MESSAGES_SECONDS = 2_592_000
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class JobParts:
    """What the jobs work with."""

    settings: Settings
    clock: Clock
    trail: Trail
    strangers: Strangers
    lifecycle: Lifecycle
    head_signer: Callable[[DbSession], HeadSigner]
    policy_watch: PolicyWatch
    devices: Devices


class Loop:
    """Runs the jobs in a thread of their own until it is stopped."""

    def __init__(self, app: Flask, parts: JobParts) -> None:
        """Work for `app`."""
        self._app = app
        self._parts = parts
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._head_at = 0
        self._forget_at = 0
        self._log = logger(__name__)
        self.done_at: int | None = None
        """When everything that was due had been done last, in seconds."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and record what strangers did up to now."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        with self._app.app_context():
            self._record_strangers(everything=True)

    def tick(self) -> None:
        """Do once whatever is due."""
        now, parts = self._parts.clock.now(), self._parts
        with self._app.app_context():
            self._expire(now)
            with unit_of_work() as work:
                parts.devices.close_silent(work, limit=_BATCH)
            if parts.policy_watch.due(now):
                with unit_of_work() as work:
                    changed = parts.policy_watch.read(work)
                parts.policy_watch.take_up(changed)
            self._record_strangers(everything=False)
            if now >= self._head_at:
                self._head_at = now + parts.settings.audit.head_seconds
                with unit_of_work() as work:
                    signer = parts.head_signer(work.session)
                    sign_head(work, parts.clock, signer, parts.settings.audit.anchor_file)
            if now >= self._forget_at:
                self._forget_at = now + _FORGET_SECONDS
                self._forget(now)
        self.done_at = now

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - the loop outlives any one failure
                self._log.exception("jobs failed; they run again")

    def _expire(self, now: int) -> None:
        with unit_of_work() as work:
            overdue = listings.overdue(work.session, now=now, limit=_BATCH)
            for impersonation_id in sorted(record.id for record in overdue):  # one order, or two loops block each other
                work.lock()
                held = impersonations.find(work.session, impersonation_id, hold=True)
                if held is not None and held.overdue(now):
                    self._parts.lifecycle.expire(work, held)

    def _record_strangers(self, *, everything: bool) -> None:
        strangers = self._parts.strangers
        events = strangers.due(self._parts.clock.now(), everything=everything, limit=_BATCH)
        if not events:
            return
        try:
            with unit_of_work() as work:
                for event in events:
                    self._parts.trail.record(work, event)
        except BaseException:
            strangers.give_back(events)
            raise

    def _forget(self, now: int) -> None:
        with unit_of_work() as work:
            work.lock()
            clients.forget_assertions(work.session, before=now)
            federation.forget_logins(work.session, before=now)
            federation.forget_logout_tokens(work.session, before=now)
            dpop.forget(work.session, before=now)
            tokens.forget(work.session, before=now - _KEEP_DEAD_TOKENS_SECONDS)
            authorizations.forget(work.session, before=now - _KEEP_DEAD_TOKENS_SECONDS)
            devices.forget(work.session, before=now - _KEEP_DEAD_TOKENS_SECONDS)
            handoff_codes.forget(work.session, before=now - _KEEP_DEAD_TOKENS_SECONDS)
            support_codes.forget(work.session, before=now - _KEEP_DEAD_TOKENS_SECONDS)
            sign_ins.forget_logins(work.session, before=now)
            outbox.forget(work.session, before=now - _KEEP_MESSAGES_SECONDS)
            wait = self._parts.settings.accounts.backoff_forget_seconds
            accounts.forget_throttles(work.session, before=now - wait)
