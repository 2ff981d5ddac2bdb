"""A running server takes up a changed policy; a broken one it refuses, and keeps the set it has."""

import json
from dataclasses import asdict
from pathlib import Path

from authserver.audit.chain import CHAIN, Trail
from authserver.audit.events.changes import PolicyLoaded, PolicyRefused
from authserver.clock import Clock
from authserver.impersonation.judge import Judge
from authserver.impersonation.policy import PolicyError, PolicySet
from authserver.settings import Policy
from authserver.storage import trail
from authserver.storage.database import Work
from authserver.telemetry import logger

_LOOKS, _SLACK_SECONDS = 3, 60
_Seen = tuple[tuple[str, int, int], ...]


class PolicyWatch:
    """Looks at the policy folder from time to time; each process looks for itself."""

    def __init__(self, settings: Policy, judge: Judge, recorder: Trail, clock: Clock) -> None:
        """Watch the folder that `judge` judges by."""
        self._folder = settings.folder
        self._every = settings.reload_seconds
        self._judge = judge
        self._trail = recorder
        self._clock = clock
        self._seen: _Seen | None = None  # so that what changed between the start and the first look is found too
        self._looked: _Seen | None = None
        self._before: _Seen | None = None
        self._next_at = self._now = 0
        self._log = logger(__name__)

    def due(self, now: int) -> bool:
        """Tell whether it is time to look, and whether anything changed since the last that was dealt with."""
        if not self._every or now < self._next_at:
            return False
        self._next_at, self._now = now + self._every, now
        self._before, self._looked = self._looked, _seen(self._folder)
        return self._looked != self._seen and self._looked == self._before  # not while somebody writes it

    def read(self, work: Work) -> PolicySet | None:
        """Read the folder anew and record what was found; a sound new set is returned, to be taken up after the commit.

        A broken one is said to be broken, and the set before stays in force.
        """
        kept = self._judge.policy.digest
        try:
            policy = PolicySet.load(self._folder)
        except PolicyError as error:
            self._log.error("the changed policy is broken; the one before stays in force", reason=str(error))
            self._tell(work, PolicyRefused(kept=kept, reason=f"{error.file.name}:{error.line}: {error.reason}"))
            return None
        if policy.digest == kept:
            return None
        lost = {rule.id for rule in self._judge.policy.rules} - {rule.id for rule in policy.rules}
        if lost:
            reason = f"it lacks {', '.join(sorted(lost))}; to take a policy away, restart"
            self._log.error("the changed policy lacks some; the one before stays in force", reason=reason)
            self._tell(work, PolicyRefused(kept=kept, reason=reason))
            return None
        self._tell(work, PolicyLoaded(policy_set=policy.digest, before=kept))
        return policy

    def _tell(self, work: Work, event: PolicyLoaded | PolicyRefused) -> None:
        """Record one change once, though every process finds it, the last one a while after the first."""
        work.lock()
        trail.hold(work.session, CHAIN)
        since_ms = self._clock.now_ms() - (_LOOKS * self._every + _SLACK_SECONDS) * 1000
        known = trail.newest(work.session, CHAIN, trail.Selection(name=event.name, from_ms=since_ms), limit=1)
        said = json.loads(known[0].payload) if known else {}
        if not known or any(said.get(name) != value for name, value in asdict(event).items() if name in said):
            self._trail.record(work, event)

    def take_up(self, policy: PolicySet | None) -> None:
        """Judge by a new set from here on; without one the look is over all the same."""
        self._seen = self._looked
        if policy is not None:
            self._judge.take_up(policy, now=self._now)
            self._log.info("took up the changed policy", policy_set=policy.digest)


def _seen(folder: Path) -> _Seen:
    """Return what tells one state of the folder from another: names, times and sizes."""
    try:
        found = [(file.name, file.stat()) for file in folder.iterdir() if file.suffix in {".cedar", ".cedarschema"}]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in found))
