"""`/api/v1/users`: people, for admins."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_directory import (
    DisabledUserOut,
    EndedOut,
    FieldProblem,
    ImportBody,
    ImportOut,
    NewUserBody,
    NewUserOut,
    PasswordOut,
    RowOut,
    UserBody,
    UserOut,
    UserPath,
    UserShownOut,
    UsersOut,
    UsersQuery,
)
from authserver.api.shapes import instant, moment
from authserver.protocol.names import is_user_id
from authserver.protocol.refusals import InvalidRequest
from authserver.registry.refusals import Unknown, named
from authserver.registry.user_import import Outcome
from authserver.registry.users import NewUser
from authserver.storage import people
from authserver.storage.people import Wanted
from authserver.storage.tables import User

Answer = tuple[dict[str, Any], int]
_SHOWN = frozenset(UserOut.model_fields) - {"created_at"}


def add_users(blueprint: APIBlueprint) -> None:
    """Add the operations."""
    _add_reading(blueprint)
    _add_changing(blueprint)
    _add_enabling(blueprint)
    _add_import(blueprint)


def _add_reading(blueprint: APIBlueprint) -> None:
    @blueprint.get("/users", responses={200: UsersOut})
    def list_users(query: UsersQuery) -> Answer:
        """List people by id, all or those that are looked for."""
        present = allowed()
        wanted = Wanted(text=query.q or "", population=query.population, role=query.role, enabled=query.enabled)
        rows = people.listing(present.work.session, wanted, after=query.cursor or "", limit=query.limit + 1)
        shown = [UserOut(**_columns(row)) for row in rows[: query.limit]]
        following = shown[-1].id if len(rows) > query.limit else None
        return UsersOut(items=shown, next_cursor=following).model_dump(mode="json"), 200

    @blueprint.get("/users/<string:id>", responses={200: UserShownOut, **problems(404)})
    def read_user(path: UserPath) -> Answer:
        """Show one person."""
        present = allowed(path.id)
        return UserShownOut(**_shown(present, path.id)).model_dump(mode="json"), 200


def _add_changing(blueprint: APIBlueprint) -> None:
    @blueprint.post("/users", responses={201: NewUserOut, **problems(409, 503)})
    def create_user(body: NewUserBody) -> Answer:
        """Add somebody; a password that is made for them is in the answer, this once."""
        present = allowed()
        values = body.model_dump(exclude_unset=True, exclude={"username", "population", "with_password"})
        new = NewUser(username=body.username, population=body.population, values=values)
        users, by = present.parts.registry.users, present.caller.user_id
        added = users.create(present.work, new, by=by, with_password=body.with_password)
        shown = NewUserOut(**_shown(present, added.user_id), password=added.password)
        return shown.model_dump(mode="json"), 201

    @blueprint.patch("/users/<string:id>", responses={200: UserShownOut, **problems(404, 409)})
    def change_user(path: UserPath, body: UserBody) -> Answer:
        """Change what is given and leave the rest; the next request is decided on it."""
        present = allowed(path.id)
        values = body.model_dump(exclude_unset=True)
        if not values:
            raise InvalidRequest("users.nothing", "Nothing to change was given.")
        present.parts.registry.users.change(present.work, path.id, values, by=present.caller.user_id)
        return UserShownOut(**_shown(present, path.id)).model_dump(mode="json"), 200

    @blueprint.post("/users/<string:id>/password", responses={200: PasswordOut, **problems(404, 409, 503)})
    def reset_user_password(path: UserPath) -> Answer:
        """Give somebody a new password, shown this once, and sign them out everywhere."""
        present = allowed(path.id)
        users = present.parts.registry.users
        password = users.reset_password(present.work, path.id, by=present.caller.user_id)
        return PasswordOut(id=path.id, password=password).model_dump(mode="json"), 200


def _add_enabling(blueprint: APIBlueprint) -> None:
    @blueprint.post("/users/<string:id>/disable", responses={200: DisabledUserOut, **problems(404, 409)})
    def disable_user(path: UserPath) -> Answer:
        """Disable somebody: their sessions, their tokens and every impersonation that they are in end at once."""
        present = allowed(path.id)
        ended = present.parts.registry.users.disable(present.work, path.id, by=present.caller.user_id)
        told = None
        if ended is not None:
            told = EndedOut(sessions=ended.sessions, impersonations=ended.impersonations)
        return DisabledUserOut(**_shown(present, path.id), ended=told).model_dump(mode="json"), 200

    @blueprint.post("/users/<string:id>/enable", responses={200: UserShownOut, **problems(404)})
    def enable_user(path: UserPath) -> Answer:
        """Enable somebody again; they sign in anew, for what had ended stays ended."""
        present = allowed(path.id)
        present.parts.registry.users.enable(present.work, path.id, by=present.caller.user_id)
        return UserShownOut(**_shown(present, path.id)).model_dump(mode="json"), 200


def _add_import(blueprint: APIBlueprint) -> None:
    @blueprint.post("/users/import", responses={200: ImportOut})
    def import_users(body: ImportBody) -> Answer:
        """Add and change people by rows; a row is taken whole or not at all, and `dry_run` writes nothing."""
        present = allowed()
        registry, by = present.parts.registry, present.caller.user_id
        take = registry.user_import.preview if body.dry_run else registry.user_import.run
        outcomes = take(present.work, body.rows, by=by)
        counts = dict.fromkeys(("create", "change", "unchanged", "error"), 0)
        for outcome in outcomes:
            counts[outcome.action] += 1
        rows = [_row(outcome) for outcome in outcomes]
        return ImportOut(dry_run=body.dry_run, counts=counts, rows=rows).model_dump(mode="json"), 200


def allowed(person: str = "") -> Call:
    """Return the present call, of somebody whom the table of access lets make it; a refusal names `person`."""
    present = call()
    present.trace.target = person if is_user_id(person) else None
    present.caller.demand(present.trace.endpoint)
    return present


def _row(outcome: Outcome) -> RowOut:
    errors = [FieldProblem(**entry) for entry in named(outcome.wrongs)]
    return RowOut(line=outcome.line, action=outcome.action, id=outcome.user_id, errors=errors)


def _columns(row: User) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHOWN} | {"created_at": moment(row.created_at)}


def _shown(present: Call, user_id: str) -> dict[str, Any]:
    """Return one person as they are now. Raises Unknown."""
    session, now = present.work.session, present.parts.clock.now()
    row = people.find(session, user_id)
    if row is None:
        raise Unknown("users.unknown")
    newest = people.newest_session(session, user_id, now=now)
    signed_in_at = None if newest is None else instant(newest.auth_time)
    return {**_columns(row), "signed_in_at": signed_in_at, "oneself": user_id == present.caller.user_id}
