"""`/api/v1/users`, `/clients` and `/resources`: what is registered, read-only."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import (
    ClientOut,
    ClientsOut,
    PageQuery,
    ResourceOut,
    ResourcesOut,
    ScopeOut,
    UserOut,
    UsersOut,
)
from authserver.storage import clients, people, resources

Answer = tuple[dict[str, Any], int]


def add_directory(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/users", responses={200: UsersOut})
    def list_users(query: PageQuery) -> Answer:
        """List people by id."""
        present = _allowed()
        rows = people.listing(present.work.session, after=query.cursor or "", limit=query.limit + 1)
        shown = [UserOut.model_validate(row, from_attributes=True) for row in rows[: query.limit]]
        following = shown[-1].id if len(rows) > query.limit else None
        return UsersOut(items=shown, next_cursor=following).model_dump(mode="json"), 200

    @blueprint.get("/clients", responses={200: ClientsOut})
    def list_clients() -> Answer:
        """List OAuth clients by id; no secret is ever shown."""
        present = _allowed()
        rows = clients.listing(present.work.session)
        shown = [ClientOut.model_validate(row, from_attributes=True) for row in rows]
        return ClientsOut(items=shown).model_dump(mode="json"), 200

    @blueprint.get("/resources", responses={200: ResourcesOut})
    def list_resources() -> Answer:
        """List resource servers with their scopes."""
        present = _allowed()
        session = present.work.session
        scopes = resources.scopes_of(session).values()
        shown = [
            ResourceOut(
                uri=row.uri,
                name=row.name,
                owner_client_id=row.owner_client_id,
                subject_identifier=row.subject_identifier,
                extra_claims=row.extra_claims,
                reason_visible=row.reason_visible,
                scopes=[
                    ScopeOut(name=scope.name, access=scope.access, non_delegable=scope.non_delegable)
                    for scope in scopes
                    if scope.resource == row.uri
                ],
            )
            for row in resources.listing(session)
        ]
        return ResourcesOut(items=shown).model_dump(mode="json"), 200


def _allowed() -> Call:
    present = call()
    present.caller.demand(present.trace.endpoint)
    return present
