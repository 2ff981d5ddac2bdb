"""People: added, changed, disabled and enabled, by an admin or on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authserver.accounts.local_methods import LocalMethods
from authserver.accounts.passwords import Passwords
from authserver.audit.chain import Trail
from authserver.audit.events.changes import UserChanged
from authserver.audit.events.sign_in import CredentialChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.enablement import Enablement, Ended
from authserver.protocol.names import USER_ID_PREFIX
from authserver.protocol.refusals import Conflict
from authserver.registry.hands import take_hold
from authserver.registry.refusals import OfOneself, Taken, Unfit, Unknown, Wrong
from authserver.registry.user_fields import POLICY_FIELDS, population_of, username_wrongs, wrongs
from authserver.storage import DbSession, accounts, people
from authserver.storage.database import Work
from authserver.storage.tables import User

_SPOKEN = frozenset({"roles", "groups", "tier"})
"""What the trail has with its values: flags that decide what somebody may do. Of the rest it has the names."""
TAKEN = Wrong("username", "there is such a user already")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """Somebody to add; the population is by default as `values["roles"]` say."""

    username: str
    population: str | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """Who was added. `password` is the only copy, None where none was made."""

    user_id: str
    password: str | None = None


class Users:
    """Decides on what is given, then writes it with its event; whoever is named in `by` did it."""

    def __init__(  # noqa: PLR0913 - what an account hangs on
        self,
        enablement: Enablement,
        passwords: Passwords,
        local_methods: LocalMethods,
        *,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """End what ends with somebody by `enablement`."""
        self._enablement = enablement
        self._passwords = passwords
        self._local_methods = local_methods
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def create(self, work: Work, new: NewUser, *, by: str, with_password: bool = False) -> Added:
        """Add somebody, with a password of 256 random bits where asked. Raises Unfit, Taken; Busy for the password.

        `work` may not be locked yet where a password is asked for.
        """
        population = new.population or population_of(new.values.get("roles", ()))
        if found := username_wrongs(new.username) + wrongs(new.values, population):
            raise Unfit("users.unfit", *found)
        password = self._entropy.token() if with_password else None
        hashed = None if password is None else self._hashed(work, password)
        take_hold(work, by)
        if people.by_username(work.session, new.username) is not None:
            raise Taken("users.taken", TAKEN)
        values = {**new.values, **resolved(work.session, new.values)}
        user_id = self.add(work, NewUser(username=new.username, population=population, values=values), by=by)
        if user_id is None:
            raise Taken("users.taken", TAKEN)
        if hashed is not None:
            self._put_password(work, user_id, hashed, by=by)
        return Added(user_id, password)

    def add(self, work: Work, new: NewUser, *, by: str) -> str | None:
        """Write somebody who was decided on; return the id, None where the user name was taken meanwhile."""
        user_id = self._entropy.identifier(USER_ID_PREFIX)
        nothing = {"tier": "", "country": "", "roles": [], "groups": [], "conflicts": [], "enabled": True}
        named_so = {"email": new.username, "name": new.username}
        identity = {"id": user_id, "username": new.username, "population": new.population}
        row = {**nothing, **named_so, **new.values, **identity, "created_at": self._clock.now()}
        if not people.add_new(work.session, row):
            return None
        self._record(work, user_id, "created", {**_spoken(new.values), "population": new.population}, by=by)
        return user_id

    def change(self, work: Work, user_id: str, values: Mapping[str, Any], *, by: str) -> None:
        """Change what is given and leave the rest. Raises Unknown, Unfit, OfOneself."""
        take_hold(work, by, user_id)
        row = _found(work.session, user_id)
        if found := wrongs(values, row.population):
            raise Unfit("users.unfit", *found)
        resolution = resolved(work.session, values)
        self.put(work, row, {**values, **resolution}, by=by)

    def put(self, work: Work, row: User, values: Mapping[str, Any], *, by: str) -> None:
        """Write what was decided on, about somebody who is held. Raises OfOneself."""
        demand_another(row, values, by=by)
        written = dict(values)
        if values.get("email", row.email) != row.email:
            written.setdefault("email_verified", False)
        user_id = row.id
        people.change(work.session, user_id, **written)
        self._record(work, user_id, "changed", _spoken(written), by=by)

    def disable(self, work: Work, user_id: str, *, by: str) -> Ended | None:
        """Disable somebody: sessions, tokens and impersonations end. None if they were before.

        Raises Unknown, OfOneself.
        """
        if user_id == by:
            raise OfOneself("users.oneself")
        take_hold(work, by, user_id)
        _found(work.session, user_id)
        return self._enablement.disable_person(work, user_id, by=by)

    def enable(self, work: Work, user_id: str, *, by: str) -> bool:
        """Enable somebody again; what had ended stays ended. False if they were before. Raises Unknown."""
        take_hold(work, by, user_id)
        _found(work.session, user_id)
        return self._enablement.enable_person(work, user_id, by=by)

    def reset_password(self, work: Work, user_id: str, *, by: str) -> str:
        """Give somebody a new password, sign them out everywhere, and return the only copy.

        Raises Unknown, OfOneself, Busy; Conflict for who signs in at their organisation alone.
        """
        if user_id == by:
            raise OfOneself("users.oneself")
        _found(work.session, user_id)
        if not self._local_methods.count_for(work.session, user_id):
            raise Conflict("users.signs_in_elsewhere", "They sign in at their organisation, by no password of ours.")
        password = self._entropy.token()
        hashed = self._hashed(work, password)
        take_hold(work, by, user_id)
        self._put_password(work, user_id, hashed, by=by)
        self._enablement.end_sessions(work, user_id, by=by)
        return password

    def _hashed(self, work: Work, password: str) -> str:
        work.rollback()  # no connection is held meanwhile
        return self._passwords.hash(password)

    def _put_password(self, work: Work, user_id: str, hashed: str, *, by: str) -> None:
        accounts.put_password(work.session, user_id, hashed, now=self._clock.now())
        accounts.forget_proofs(work.session, user_id)
        self._trail.record(work, CredentialChanged(user_id=user_id, kind="password", action="set", by=by))

    def _record(self, work: Work, user_id: str, action: str, changes: Mapping[str, Any], *, by: str) -> None:
        self._trail.record(work, UserChanged(user_id=user_id, action=action, by=by, changes=changes))


def resolved(session: DbSession, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return conflicts by id, which is what the policy compares. Raises Unfit for who is not known."""
    if "conflicts" not in values:
        return {}
    ids = []
    for person in values["conflicts"]:
        row = named_user(session, person)
        if row is None:
            raise Unfit("users.conflicts", Wrong("conflicts", "is no user", person))
        ids.append(row.id)
    return {"conflicts": list(dict.fromkeys(ids))}


def named_user(session: DbSession, person: str) -> User | None:
    """Return a person by id or user name."""
    by_id = person.startswith(f"{USER_ID_PREFIX}_")
    return people.find(session, person) if by_id else people.by_username(session, person)


def demand_another(row: User, values: Mapping[str, Any], *, by: str) -> None:
    """Raise OfOneself where somebody changes what policy knows of themselves."""
    if row.id == by and any(_differs(row, name, values) for name in POLICY_FIELDS):
        raise OfOneself("users.oneself")


def _differs(row: User, name: str, values: Mapping[str, Any]) -> bool:
    return name in values and values[name] != getattr(row, name)


def _found(session: DbSession, user_id: str) -> User:
    row = people.find(session, user_id)
    if row is None:
        raise Unknown("users.unknown")
    return row


def _spoken(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the trail may have of a change: the names of fields, and the flags that the policy asks for."""
    return {"fields": sorted(values), **{name: value for name, value in values.items() if name in _SPOKEN}}
