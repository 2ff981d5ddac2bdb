"""The shapes of resource servers and their scopes. A member that is left out stays as it is."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from authserver.api.schemas import In, Out, Uri
from authserver.api.schemas_directory import ClientId, Line, Name
from authserver.protocol.names import Role


class ResourceQuery(In):
    """A resource server by its URI."""

    uri: Uri


class ResourcesQuery(In):
    """All resource servers, or the one of this URI."""

    uri: Uri | None = None


class ScopeIn(In):
    """Everything about a scope; a role that is not named loses it. No impersonation ever has a `non_delegable` one."""

    name: Name
    access: Literal["read", "write"]
    non_delegable: StrictBool = False
    roles: Annotated[list[Role], Field(max_length=8)] = Field(default_factory=list)
    description: Line = ""


class ResourceBody(In):
    """What may be said of a resource server; scopes that are not named stay. `owner_client_id` may be null."""

    name: Line = ""
    owner_client_id: ClientId | None = None
    subject_identifier: Literal["id", "username", "email"] = "id"
    extra_claims: Annotated[
        list[Literal["name", "email", "username", "population", "tier", "country", "roles", "groups"]],
        Field(max_length=8),
    ] = Field(default_factory=list)
    reason_visible: StrictBool = False
    scopes: Annotated[list[ScopeIn], Field(max_length=100)] = Field(default_factory=list)


class NewResourceBody(ResourceBody):
    """A resource server to register: `uri` is what `resource` and `aud` name."""

    uri: Uri


class ScopeOut(Out):
    """A scope of a resource server, and the roles that have it."""

    name: str
    access: str
    non_delegable: bool
    description: str
    roles: list[str]


class ResourceOut(Out):
    """A resource server with its token profile; `fixed` is this server itself, which is not changed."""

    uri: str
    name: str
    owner_client_id: str | None
    subject_identifier: str
    extra_claims: list[str]
    reason_visible: bool
    fixed: bool
    scopes: list[ScopeOut]


class ResourcesOut(Out):
    """Resource servers."""

    items: list[ResourceOut]
