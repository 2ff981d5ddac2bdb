"""The apps that there are: those of the settings, and those managed through the API, read from the database each time.

An app of the settings goes before a stored one of its name, and is changed in the settings alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from authserver.protocol.refusals import InvalidRequest
from authserver.settings import Settings
from authserver.settings_appetize import App
from authserver.storage import DbSession
from authserver.storage import apps as stored
from authserver.storage.apps import StoredApp
from authserver.storage.database import StorageError, unit_of_work
from authserver.telemetry import logger

_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,128}")
_UNNAMED = "(unknown)"
_MOST = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting of an app."""

    field: str
    problem: str


class AppRefused(InvalidRequest):
    """Settings that no app can have, each named."""

    words = "The app's settings cannot work."

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Name the settings, and what is wrong with each."""
        named = [{"field": each.field, "problem": each.problem} for each in problems]
        super().__init__("app.settings", extra={"invalid": [each.field for each in problems], "problems": named})
        self.problems = problems


class Apps:
    """Finds apps, and checks the settings of new ones by the same rules as those of `config/`."""

    def __init__(self, settings: Settings) -> None:
        """Know the apps of the settings."""
        self.configured = settings.appetize.apps
        self._demo = settings.demo
        self._max_token_bytes = settings.server.max_token_bytes
        self._allowed_hosts = settings.appetize.allowed_hosts
        self._log = logger(__name__)

    def find(self, session: DbSession, name: str) -> App | None:
        """Return an app that may be used, or None."""
        if name in self.configured:
            return self.configured[name]
        row = stored.find(session, name)
        return None if row is None or not row.enabled else self._read(row)

    def in_force(self, session: DbSession) -> dict[str, App]:
        """Return every app that may be used, by name."""
        rows = [row for row in stored.listing(session) if row.enabled and row.name not in self.configured]
        read = {row.name: self._read(row) for row in rows}
        return {**self.configured, **{name: app for name, app in read.items() if app is not None}}

    def names_in_settings(self, origin: str) -> bool:
        """Tell whether an app of the settings names an origin."""
        return any(origin in app.allowed_origins for app in self.configured.values())

    def names(self, session: DbSession, origin: str) -> bool:
        """Tell whether an app that may be used names an origin."""
        if self.names_in_settings(origin):
            return True
        return any(origin in app.allowed_origins for app in self.in_force(session).values())

    def parse(self, tree: Mapping[str, Any]) -> App:
        """Return an app of these settings. Raises AppRefused, which names every wrong one."""
        try:
            app = App.model_validate(tree)
        except ValidationError as error:
            raise AppRefused(tuple(_problem(dict(item)) for item in error.errors()[:_MOST])) from None
        found = app.problems(demo=self._demo, max_token_bytes=self._max_token_bytes, allowed_hosts=self._allowed_hosts)
        wrong = tuple(Problem(*each) for each in found)
        if wrong:
            raise AppRefused(wrong)
        return app

    def problems(self, tree: Mapping[str, Any]) -> tuple[Problem, ...]:
        """Say what is wrong with stored settings: what was sound may not be after a change of `config/`."""
        try:
            self.parse(tree)
        except AppRefused as refusal:
            return refusal.problems
        return ()

    def _read(self, row: StoredApp) -> App | None:
        """Return a stored app; one that cannot work any more is none."""
        try:
            return self.parse(row.settings)
        except AppRefused as refusal:
            self._log.error("a stored app cannot work and is not used", app=row.name, settings=refusal.extra["invalid"])
            return None


class AppOrigins:
    """The origins that apps name, as a container: the settings' are known, others are looked up in an app context."""

    def __init__(self, apps: Apps) -> None:
        """Look among these apps."""
        self._apps = apps

    def __contains__(self, origin: object) -> bool:
        """Tell whether an app names this origin; where the database does not answer, none does."""
        if not isinstance(origin, str) or self._apps.names_in_settings(origin):
            return isinstance(origin, str)
        try:
            with unit_of_work() as work:
                return self._apps.names(work.session, origin)
        except StorageError:
            return False


def _problem(item: Mapping[str, Any]) -> Problem:
    """Name a setting, and say what is wrong without a word of what was sent; a name that is none is not repeated."""
    loc, words = item["loc"], str(item["msg"]).removeprefix("Value error, ")
    below = loc[1:2] if loc[:1] == ("builds",) or isinstance(next(iter(loc[1:]), None), int) else ()
    path = ".".join(str(part) for part in (*loc[:1], *below))
    if not path:
        path, _, words = words.partition(": ")
    if item["type"] == "extra_forbidden":
        words = "unknown setting"
    return Problem(path if _NAME.fullmatch(path) else _UNNAMED, words)
