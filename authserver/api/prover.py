"""The proof of the trail, made by a running server: one at a time, for it takes long and reads everything."""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from authserver.audit import proof
from authserver.audit.heads import HeadVerifier
from authserver.audit.proof import Report
from authserver.protocol.refusals import Conflict
from authserver.storage import DbSession, trail

_RUNNING = "A verification is running already; try again when it is done."


class Prover:
    """Verifies the whole trail, at most once at a time in a process."""

    def __init__(self, anchor_file: Path, verifier: Callable[[DbSession], HeadVerifier]) -> None:
        """Compare with `anchor_file` where there is one; `verifier` gives the public audit keys."""
        self._anchor_file = anchor_file
        self._verifier = verifier
        self._running = threading.Lock()

    def prove(self, session: DbSession) -> Report:
        """Verify without locking anything, batch by batch; `session` has nothing unsaved. Conflict while one runs."""
        if not self._running.acquire(blocking=False):
            raise Conflict("audit.verification_runs", _RUNNING)
        try:
            with ExitStack() as stack:
                lines: Iterable[str] = ()
                if self._anchor_file.exists():
                    lines = stack.enter_context(self._anchor_file.open(encoding="utf-8", errors="replace"))
                keys = trail.audit_keys(session)
                return proof.verify(session, self._verifier(session), keys, anchor_lines=lines)
        finally:
            self._running.release()
