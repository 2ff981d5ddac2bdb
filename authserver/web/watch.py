"""One thread a process that sees what changes, for every stream; it runs while there is one (design section 8)."""

import threading
from collections.abc import Mapping

from flask import Flask

from authserver.protocol.refusals import Busy
from authserver.storage import changes
from authserver.storage.changes import OpenMarks
from authserver.storage.database import unit_of_work
from authserver.telemetry import logger

_POLL_SECONDS = 0.25


class Watched:
    """What one stream watches: an impersonation, everything that is open, of one person or of all, or a customer's."""

    def __init__(
        self, impersonation_id: str | None = None, *, person: str | None = None, subject: str | None = None
    ) -> None:
        """Watch from now on; what was before has not been seen."""
        self.impersonation_id = impersonation_id
        self.person = person
        self.subject = subject
        self._seen: object = None
        self._changed = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait for a change; True when there was one since it was last asked."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    def see(self, marks: object) -> None:
        """Wake who waits if this is new; the first sight always is, so that nothing falls between."""
        if self._seen is None or marks != self._seen:
            self._seen = marks
            self._changed.set()

    def see_open(self, found: Mapping[str, OpenMarks]) -> None:
        """Wake who waits if what is open is new."""
        person = self.person
        self.see({name: each for name, each in found.items() if person in {None, each.actor_id, each.subject_id}})

    def wake(self) -> None:
        """Wake who waits."""
        self._changed.set()


class Watch:
    """Polls the database for what is watched, whichever process changes it."""

    def __init__(self, app: Flask) -> None:
        """Work for `app`; no thread runs before something is watched."""
        self._app = app
        self._lock = threading.RLock()  # what is dropped may be collected, and so ended, while this thread holds it
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._pause = threading.Event()
        self._log = logger(__name__)

    def begin(self, impersonation_id: str) -> Watched:
        """Watch an impersonation; whoever begins ends it too."""
        return self._begin(Watched(impersonation_id))

    def begin_all(self, person: str | None) -> Watched:
        """Watch everything that is open, of one person, as actor or subject, or of all."""
        return self._begin(Watched(person=person))

    def begin_of(self, subject: str) -> Watched:
        """Watch what is open of a customer, and how much was done there."""
        return self._begin(Watched(subject=subject))

    def _begin(self, watched: Watched) -> Watched:
        with self._lock:
            if self._stopped:
                raise Busy("streams.stopping")
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
        return watched

    def end(self, watched: Watched) -> None:
        """Watch it no more; with the last one the thread ends."""
        with self._lock:
            self._watched.discard(watched)
        watched.wake()

    @property
    def stopped(self) -> bool:
        """Tell whether every stream is to end because the process does."""
        return self._stopped

    def stop(self) -> None:
        """Wake every stream to its end, and take no more: a stream that is open keeps the process from stopping."""
        with self._lock:
            self._stopped = True
            for watched in self._watched:
                watched.wake()

    def _run(self) -> None:
        while watched := self._present():
            try:
                self._poll(watched)
            except Exception:  # noqa: BLE001 - streams outlive any one failure; each is checked besides
                self._log.exception("watching failed; it goes on")
            self._pause.wait(_POLL_SECONDS)

    def _present(self) -> tuple[Watched, ...]:
        """Return what is watched now; with nothing the thread is given up, in the same breath."""
        with self._lock:
            if not self._watched:
                self._thread = None
            return tuple(self._watched)

    def _poll(self, watched: tuple[Watched, ...]) -> None:
        ones = {each.impersonation_id for each in watched if each.impersonation_id is not None}
        subjects = {each.subject for each in watched if each.subject is not None}
        listing = any(each.impersonation_id is None and each.subject is None for each in watched)
        with self._app.app_context(), unit_of_work() as work:
            found = changes.marks(work.session, ones) if ones else {}
            of_subjects = changes.marks_of(work.session, subjects) if subjects else {}
            still_open = changes.open_marks(work.session) if listing else {}
        for each in watched:
            if each.subject is not None:
                each.see(of_subjects.get(each.subject, {}))
            elif each.impersonation_id is not None:
                each.see(found.get(each.impersonation_id))
            else:
                each.see_open(still_open)
