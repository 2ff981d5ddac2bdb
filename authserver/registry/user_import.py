"""Many people at once, by rows as a CSV file has them: each row is taken whole or not at all, and says why.

A row is found by its user name, so that the same rows a second time change nothing. An empty cell leaves what stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from authserver.audit.chain import Trail
from authserver.audit.events.changes import UsersImported
from authserver.protocol.names import Population
from authserver.registry.hands import take_hold
from authserver.registry.refusals import OfOneself, Unfit, Wrong
from authserver.registry.user_fields import population_of, username_wrongs, wrongs
from authserver.registry.users import TAKEN, NewUser, Users, demand_another, resolved
from authserver.storage import DbSession, people
from authserver.storage.database import Work
from authserver.storage.tables import User

_TEXTS = ("name", "email", "tier", "country", "locale", "time_zone", "appearance", "app_version")
_LISTS = ("roles", "groups", "conflicts")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_COLUMNS = frozenset({"username", "population", "email_verified", *_TEXTS, *_LISTS})

Row = Mapping[str, str | bool | list[str]]
Action = Literal["create", "change", "unchanged", "error"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a row, or would; `line` counts rows from 1."""

    line: int
    action: Action
    wrongs: tuple[Wrong, ...] = ()
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    username: str
    action: Action
    wrongs: tuple[Wrong, ...] = ()
    known: User | None = None
    population: str = ""
    values: Mapping[str, Any] | None = None


class UserImport:
    """Plans every row, then writes those that can be; a preview is the same plan without the writing."""

    def __init__(self, users: Users, trail: Trail) -> None:
        """Write by `users`."""
        self._users = users
        self._trail = trail

    def preview(self, work: Work, rows: Sequence[Row], *, by: str) -> list[Outcome]:
        """Tell what would become of each row; nothing is written or held."""
        return [
            Outcome(line, plan.action, plan.wrongs, None if plan.known is None else plan.known.id)
            for line, plan in enumerate(_plans(work.session, rows, by), start=1)
        ]

    def run(self, work: Work, rows: Sequence[Row], *, by: str) -> list[Outcome]:
        """Take every row that can be taken; each leaves its own event, and all together one."""
        known = people.by_usernames(work.session, _usernames(rows))
        take_hold(work, by, *(row.id for row in known.values()))
        outcomes = [
            self._written(work, line, plan, by) for line, plan in enumerate(_plans(work.session, rows, by), start=1)
        ]
        count = [outcome.action for outcome in outcomes].count
        event = UsersImported(
            by=by,
            rows=len(rows),
            created=count("create"),
            changed=count("change"),
            unchanged=count("unchanged"),
            refused=count("error"),
        )
        self._trail.record(work, event)
        return outcomes

    def _written(self, work: Work, line: int, plan: _Plan, by: str) -> Outcome:
        if plan.action == "change" and plan.known is not None:
            user_id = plan.known.id
            self._users.put(work, plan.known, plan.values or {}, by=by)
            return Outcome(line, "change", (), user_id)
        if plan.action == "create":
            new = NewUser(username=plan.username, population=plan.population, values=plan.values or {})
            added = self._users.add(work, new, by=by)
            return Outcome(line, "error", (TAKEN,)) if added is None else Outcome(line, "create", (), added)
        return Outcome(line, plan.action, plan.wrongs, None if plan.known is None else plan.known.id)


def _usernames(rows: Sequence[Row]) -> list[str]:
    return [username for row in rows if isinstance(username := row.get("username"), str)]


def _plans(session: DbSession, rows: Sequence[Row], by: str) -> list[_Plan]:
    """Decide on every row by what stands now."""
    known = people.by_usernames(session, _usernames(rows))
    plans, seen = [], set[str]()
    for row in rows:
        username = row.get("username", "")
        if not isinstance(username, str) or not username:
            plans.append(_Plan("", "error", (Wrong("username", "is missing"),)))
        elif username in seen:
            plans.append(_Plan(username, "error", (Wrong("username", "stands in a row before this one already"),)))
        else:
            plans.append(_plan(session, username, row, known.get(username), by))
            seen.add(username)
    return plans


def _plan(session: DbSession, username: str, row: Row, known: User | None, by: str) -> _Plan:
    values, found = _values(row)
    wanted = row.get("population") or None
    if wanted is not None and not (isinstance(wanted, str) and wanted in set(Population)):
        found.append(Wrong("population", f"is one of {', '.join(Population)}"))
        wanted = None
    if known is None:
        population = str(wanted or population_of(values.get("roles", ())))
        found += username_wrongs(username)
    else:
        population = known.population
        if wanted not in {None, population}:
            found.append(Wrong("population", "stays what it is: the two populations never mix"))
    found += wrongs(values, population)
    if not found:
        try:
            values |= resolved(session, values)
        except Unfit as refusal:
            found += refusal.wrongs
    if found:
        return _Plan(username, "error", tuple(found), known)
    if known is None:
        return _Plan(username, "create", (), None, population, values)
    different = {name: value for name, value in values.items() if not _same(known, name, value)}
    if "email" in different and "email_verified" in values:
        different["email_verified"] = values["email_verified"]  # of another address it is said anew
    try:
        demand_another(known, different, by=by)
    except OfOneself as refusal:
        return _Plan(username, "error", (Wrong("username", refusal.public),), known)
    action: Action = "change" if different else "unchanged"
    return _Plan(username, action, (), known, population, different)


def _same(known: User, name: str, value: object) -> bool:
    stands = getattr(known, name)
    return set(stands) == set(value) if isinstance(value, list) else bool(stands == value)


def _values(row: Row) -> tuple[dict[str, Any], list[Wrong]]:
    """Read a row's cells; an empty text is a cell that says nothing."""
    values: dict[str, Any] = {}
    found = [Wrong("(unknown)", "is no column")] if set(row) - _COLUMNS else []
    for name, cell in row.items():
        if cell == "" or name not in _COLUMNS or name in {"username", "population"}:
            continue
        if name in _LISTS:
            words = cell.replace(",", " ").split() if isinstance(cell, str) else cell
            good = isinstance(words, list)
            value: Any = list(dict.fromkeys(words)) if isinstance(words, list) else None
        elif name == "email_verified":
            value = cell if isinstance(cell, bool) else _FLAGS.get(cell.lower()) if isinstance(cell, str) else None
            good = value is not None
        else:
            value, good = cell, isinstance(cell, str)
        if good:
            values[name] = value
        else:
            found.append(Wrong(name, "is no such value"))
    return values, found
