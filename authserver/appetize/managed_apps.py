"""Apps as an admin manages them: created, changed, disabled; what `config/` names is changed there alone."""

import hashlib
import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from authserver.appetize.apps import Apps, Problem
from authserver.audit.chain import Trail
from authserver.audit.events.changes import AppChanged
from authserver.clock import Clock
from authserver.protocol.refusals import Conflict, NotFound, PreconditionFailed
from authserver.settings_appetize import App
from authserver.storage import DbSession
from authserver.storage import apps as stored
from authserver.storage.apps import StoredApp
from authserver.storage.database import Work

TakeHold = Callable[[Work, str], None]
"""Begins to write, and asks again under lock whether who changes still may."""
_TAKEN = "There is an app of this name already."
_IN_SETTINGS = "This app is set in the server's configuration files, and is changed there alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownApp:
    """An app as an admin sees it; `settings` are those that were set. Instants are seconds, None for the settings'."""

    name: str
    settings: Mapping[str, Any]
    in_settings: bool
    enabled: bool = True
    in_force: bool = True
    """Whether handoffs can use it."""
    problems: tuple[Problem, ...] = ()
    created_at: int | None = None
    changed_at: int | None = None

    @property
    def version(self) -> str:
        """What changes whenever the app does (RFC 9110 §8.8.3)."""
        told = [self.name, dict(self.settings), self.enabled, self.created_at, self.changed_at]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


class ManagedApps:
    """Shows the apps and changes those that are stored."""

    def __init__(self, apps: Apps, take_hold: TakeHold, trail: Trail, clock: Clock) -> None:
        """Check by the rules of `apps`; write for whom `take_hold` lets."""
        self._apps = apps
        self._take_hold = take_hold
        self._trail = trail
        self._clock = clock

    def listing(self, session: DbSession) -> list[ShownApp]:
        """Return every app by name; a stored one that the settings stand before comes after theirs."""
        configured = [self._configured(name) for name in self._apps.configured]
        shown = [*configured, *(self._shown(row) for row in stored.listing(session))]
        return sorted(shown, key=lambda app: (app.name, not app.in_settings))

    def find(self, session: DbSession, name: str) -> ShownApp:
        """Return an app, that of the settings where there are two. Raises NotFound."""
        if name in self._apps.configured:
            return self._configured(name)
        row = stored.find(session, name)
        if row is None:
            raise NotFound("app.unknown")
        return self._shown(row)

    def create(self, work: Work, name: str, tree: Mapping[str, Any], *, by: str) -> ShownApp:
        """Add an app. Raises AppRefused for its settings, Conflict for a name that is taken."""
        if name in self._apps.configured:
            raise Conflict("app.in_settings", _TAKEN)
        settings, now = _set(self._apps.parse(tree)), self._clock.now()
        row = StoredApp(name=name, settings=settings, enabled=True, created_at=now, changed_at=now)
        self._take_hold(work, by)
        if not stored.add(work.session, row):
            raise Conflict("app.exists", _TAKEN)
        self._record(work, row, "created", by)
        return self._shown(row)

    def change(  # noqa: PLR0913 - what is put in whose place, and by whom
        self,
        work: Work,
        name: str,
        tree: Mapping[str, Any],
        *,
        enabled: bool | None,
        by: str,
        seen: Container[str] | None = None,
    ) -> ShownApp:
        """Put other settings in the place of an app's; with `enabled` None it stays enabled or disabled as it is.

        With `seen`, only where the version is one of these, else PreconditionFailed: nothing is overwritten unseen.
        """
        settings = _set(self._apps.parse(tree))
        before = self._held(work, name, by, seen)
        after = replace(before, settings=settings, enabled=before.enabled if enabled is None else enabled)
        return self._write(work, before, after, "changed", by)

    def disable(self, work: Work, name: str, *, by: str, seen: Container[str] | None = None) -> ShownApp:
        """Take an app out of use, at once and for the devices that run, too; its settings stay."""
        before = self._held(work, name, by, seen)
        return self._write(work, before, replace(before, enabled=False), "disabled", by)

    def _held(self, work: Work, name: str, by: str, seen: Container[str] | None) -> StoredApp:
        if name in self._apps.configured:
            raise Conflict("app.in_settings", _IN_SETTINGS)
        self._take_hold(work, by)
        row = stored.find(work.session, name, hold=True)
        if row is None:
            raise NotFound("app.unknown")
        if seen is not None and self._shown(row).version not in seen:
            raise PreconditionFailed("app.changed_meanwhile")
        return row

    def _write(self, work: Work, before: StoredApp, after: StoredApp, action: str, by: str) -> ShownApp:
        """Write a change, if it is one; changing nothing leaves no event."""
        if after == before:
            return self._shown(before)
        row = replace(after, changed_at=self._clock.now())
        stored.change(work.session, row)
        self._record(work, row, action, by)
        return self._shown(row)

    def _record(self, work: Work, row: StoredApp, action: str, by: str) -> None:
        event = AppChanged(app=row.name, action=action, by=by, enabled=row.enabled, settings=_told(row.settings))
        self._trail.record(work, event)

    def _configured(self, name: str) -> ShownApp:
        return ShownApp(name=name, settings=_set(self._apps.configured[name]), in_settings=True)

    def _shown(self, row: StoredApp) -> ShownApp:
        problems = self._apps.problems(row.settings)
        return ShownApp(
            name=row.name,
            settings=row.settings,
            in_settings=False,
            enabled=row.enabled,
            in_force=row.enabled and not problems and row.name not in self._apps.configured,
            problems=problems,
            created_at=row.created_at,
            changed_at=row.changed_at,
        )


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as the trail takes them, which has no fractions: a position is text there."""
    return {name: str(value) if name == "location" else value for name, value in settings.items()}


def _set(app: App) -> dict[str, Any]:
    """Return what was set, in the form of JSON."""
    return app.model_dump(mode="json", exclude_unset=True)
