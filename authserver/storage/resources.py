"""Resource servers, their scopes, and which role has which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as DbSession

from authserver.protocol.scopes import Scope
from authserver.storage.dialect import insert_for, insert_ignoring
from authserver.storage.tables import Resource, RoleScope, ScopeRow


def find(session: DbSession, uris: Iterable[str]) -> dict[str, Resource]:
    """Return the registered ones among `uris`."""
    rows = session.scalars(select(Resource).where(Resource.uri.in_(set(uris)))).all()
    return {row.uri: row for row in rows}


def listing(session: DbSession) -> Sequence[Resource]:
    """Return all resource servers by URI."""
    return session.scalars(select(Resource).order_by(Resource.uri)).all()


def owned(session: DbSession, client_id: str) -> dict[str, bool]:
    """Return the URIs that a client owns, each with whether it may see an impersonation's reason."""
    query = select(Resource.uri, Resource.reason_visible).where(Resource.owner_client_id == client_id)
    return {row.uri: row.reason_visible for row in session.execute(query).all()}


def scopes_of(session: DbSession, uris: Iterable[str] | None = None) -> dict[str, Scope]:
    """Return the scopes of some resources, or of all, by name, in a stable order."""
    query = select(ScopeRow).order_by(ScopeRow.resource_uri, ScopeRow.name)
    if uris is not None:
        query = query.where(ScopeRow.resource_uri.in_(set(uris)))
    return {row.name: _scope(row) for row in session.scalars(query).all()}


def _scope(row: ScopeRow) -> Scope:
    return Scope(row.name, row.resource_uri, "read" if row.access == "read" else "write", row.non_delegable)


def names(session: DbSession) -> dict[str, str]:
    """Return what each resource is called, where it has a name."""
    return {row.uri: row.name for row in session.execute(select(Resource.uri, Resource.name)).all() if row.name}


def descriptions(session: DbSession) -> dict[str, str]:
    """Return what each scope is in words, where that was said."""
    return {row.name: row.description for row in session.execute(select(ScopeRow.name, ScopeRow.description)).all()}


def scopes_of_roles(session: DbSession, roles: Iterable[str]) -> frozenset[str]:
    """Return the names of the scopes that these roles have."""
    return frozenset(session.scalars(select(RoleScope.scope).where(RoleScope.role.in_(set(roles)))).all())


def put(session: DbSession, row: Resource) -> None:
    """Register a resource server, or change it."""
    session.merge(row)
    session.flush()


def add_new(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Register a resource server; False where there is one of that URI already."""
    return insert_ignoring(session, Resource, values)


def hold(session: DbSession, uri: str) -> None:
    """Keep everybody else who holds this one from going on until the commit."""
    session.scalars(select(Resource.uri).where(Resource.uri == uri).with_for_update(key_share=True)).all()


def put_scope(session: DbSession, scope: Scope, *, roles: Iterable[str], description: str = "") -> None:
    """Register a scope, or change it, and give it to roles."""
    session.merge(
        ScopeRow(
            name=scope.name,
            resource_uri=scope.resource,
            access=scope.access,
            non_delegable=scope.non_delegable,
            description=description,
        )
    )
    session.flush()
    for role in roles:
        statement = insert_for(session, RoleScope).values(role=role, scope=scope.name)
        session.execute(statement.on_conflict_do_nothing())


def take_from_roles(session: DbSession, scope: str, *, but: Iterable[str]) -> None:
    """Take a scope from every role that is not named."""
    session.execute(delete(RoleScope).where(RoleScope.scope == scope, RoleScope.role.not_in(set(but))))


def roles_of_scopes(session: DbSession) -> dict[str, tuple[str, ...]]:
    """Return the roles that have each scope."""
    found: dict[str, tuple[str, ...]] = {}
    for row in session.scalars(select(RoleScope).order_by(RoleScope.scope, RoleScope.role)):
        found[row.scope] = (*found.get(row.scope, ()), row.role)
    return found
