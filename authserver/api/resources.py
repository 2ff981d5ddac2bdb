"""`/api/v1/resources`: resource servers and their scopes, for admins. A URI goes into the query or the body."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call
from authserver.api.schemas import problems
from authserver.api.schemas_resources import (
    NewResourceBody,
    ResourceBody,
    ResourceOut,
    ResourceQuery,
    ResourcesOut,
    ResourcesQuery,
    ScopeIn,
    ScopeOut,
)
from authserver.api.users import allowed
from authserver.protocol.access import ROLE_SCOPES
from authserver.protocol.refusals import InvalidRequest
from authserver.registry.resources import ScopeEntry
from authserver.storage import resources
from authserver.storage.tables import Resource

Answer = tuple[dict[str, Any], int]


def add_resources(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/resources", responses={200: ResourcesOut})
    def list_resources(query: ResourcesQuery) -> Answer:
        """List resource servers with their scopes, or the one of a URI."""
        present = allowed()
        session = present.work.session
        rows = resources.listing(session) if query.uri is None else resources.find(session, [query.uri]).values()
        return ResourcesOut(items=_shown(present, list(rows))).model_dump(mode="json"), 200

    @blueprint.post("/resources", responses={201: ResourceOut, **problems(409)})
    def register_resource(body: NewResourceBody) -> Answer:
        """Register a resource server with its scopes."""
        present = allowed()
        values = body.model_dump(exclude_unset=True, exclude={"uri", "scopes"})
        registry, by = present.parts.registry.resources, present.caller.user_id
        registry.register(present.work, body.uri, values, _entries(body.scopes), by=by)
        return _one(present, body.uri), 201

    @blueprint.patch("/resources", responses={200: ResourceOut, **problems(404, 409)})
    def change_resource(query: ResourceQuery, body: ResourceBody) -> Answer:
        """Change what is given and leave the rest; a scope that is named is given anew, whole."""
        present = allowed()
        if not body.model_fields_set:
            raise InvalidRequest("resources.nothing", "Nothing to change was given.")
        values = body.model_dump(exclude_unset=True, exclude={"scopes"})
        registry, by = present.parts.registry.resources, present.caller.user_id
        registry.change(present.work, query.uri, values, _entries(body.scopes), by=by)
        return _one(present, query.uri), 200


def _entries(scopes: list[ScopeIn]) -> list[ScopeEntry]:
    return [
        ScopeEntry(
            name=scope.name,
            access=scope.access,
            non_delegable=scope.non_delegable,
            roles=tuple(dict.fromkeys(scope.roles)),
            description=scope.description,
        )
        for scope in scopes
    ]


def _one(present: Call, uri: str) -> dict[str, Any]:
    [shown] = _shown(present, list(resources.find(present.work.session, [uri]).values()))
    return shown.model_dump(mode="json")


def _shown(present: Call, rows: list[Resource]) -> list[ResourceOut]:
    session, issuer = present.work.session, present.parts.settings.issuer
    scopes = resources.scopes_of(session, [row.uri for row in rows]).values()
    words, holders = resources.descriptions(session), resources.roles_of_scopes(session)
    for role, names in ROLE_SCOPES.items():
        for name in names:
            holders[name] = (*holders.get(name, ()), role)
    return [
        ResourceOut(
            uri=row.uri,
            name=row.name,
            owner_client_id=row.owner_client_id,
            subject_identifier=row.subject_identifier,
            extra_claims=row.extra_claims,
            reason_visible=row.reason_visible,
            fixed=row.uri == issuer,
            scopes=[
                ScopeOut(
                    name=scope.name,
                    access=scope.access,
                    non_delegable=scope.non_delegable,
                    description=words.get(scope.name, ""),
                    roles=list(holders.get(scope.name, ())),
                )
                for scope in scopes
                if scope.resource == row.uri
            ],
        )
        for row in rows
    ]
