"""The shapes of people and clients as they are registered. A member that is left out stays as it is."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from authserver.api.schemas import In, Out, PageQuery, Short, Uri
from authserver.protocol.names import Population, Role, Way

Line = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Words = Annotated[list[Short], Field(max_length=64)]
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
Grant = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "token_exchange",
    "device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:device_code",
]
_DAY = 86400


class UserPath(In):
    """A person by id."""

    id: str = Field(description="The identifier.")


class UsersQuery(PageQuery):
    """Which people: `q` is part of an id, a name, a user name or an address."""

    q: Short | None = None
    population: Population | None = None
    role: Role | None = None
    enabled: bool | None = None


class UserBody(In):
    """What may be said of a person; `conflicts` are people by id or user name."""

    name: Line = ""
    email: Line = ""
    email_verified: StrictBool = False
    roles: Annotated[list[Role], Field(max_length=8)] = Field(default_factory=list)
    tier: Line = ""
    country: Line = ""
    groups: Words = Field(default_factory=list)
    conflicts: Annotated[list[Name], Field(max_length=64)] = Field(default_factory=list)
    locale: Line = ""
    time_zone: Line = ""
    appearance: Literal["", "light", "dark"] = ""
    app_version: Line = ""


class NewUserBody(UserBody):
    """Somebody to add. Without `population` as the roles say; with a password unless they sign in elsewhere."""

    username: Name
    population: Population | None = None
    with_password: StrictBool = True


Cell = (
    StrictBool
    | Annotated[str, StringConstraints(strict=True, max_length=1024, pattern=r"^[^\x00]*$")]
    | Annotated[list[Short], Field(max_length=64)]
)


class ImportBody(In):
    """Rows by column, as a CSV file has them; lists are words with spaces or commas between, or lists."""

    rows: list[dict[Annotated[str, StringConstraints(max_length=64)], Cell]] = Field(min_length=1, max_length=200)
    dry_run: StrictBool = False


class FieldProblem(Out):
    """What is wrong with one field, in fixed words."""

    field: str
    problem: str


class RowOut(Out):
    """What became of a row, or would; rows count from 1."""

    line: int
    action: Literal["create", "change", "unchanged", "error"]
    id: str | None
    errors: list[FieldProblem]


class ImportOut(Out):
    """What became of every row, and how many met what."""

    dry_run: bool
    counts: dict[str, int]
    rows: list[RowOut]


class UserOut(Out):
    """A person."""

    id: str
    username: str
    name: str
    email: str
    email_verified: bool
    population: str
    tier: str
    country: str
    roles: list[str]
    groups: list[str]
    conflicts: list[str]
    locale: str
    time_zone: str
    appearance: str
    app_version: str
    enabled: bool
    created_at: str


class UserShownOut(UserOut):
    """A person looked at alone: when their newest living session began, and whether they are the caller."""

    signed_in_at: str | None
    oneself: bool


class NewUserOut(UserShownOut):
    """Somebody who was added; `password` is the only copy."""

    password: str | None


class PasswordOut(Out):
    """A new password: the only copy."""

    id: str
    password: str


class EndedOut(Out):
    """How much came to its end."""

    sessions: int
    impersonations: int


class DisabledUserOut(UserShownOut):
    """Somebody who is disabled; `ended` is null where they had been before."""

    ended: EndedOut | None


class UsersOut(Out):
    """A page of people."""

    items: list[UserOut]
    next_cursor: str | None


class ClientPath(In):
    """A client by its id."""

    id: str = Field(description="The client_id.")


class ClientBody(In):
    """What may be said of a client; grant types may be called by our shorter names. `jwks` holds public keys alone."""

    name: Line = ""
    auth_method: Literal["client_secret", "private_key_jwt", "none"] = "client_secret"
    jwks: dict[str, Any] = Field(default_factory=dict, max_length=4)
    grant_types: Annotated[list[Grant], Field(max_length=8)] = Field(default_factory=list)
    ways: Annotated[list[Way], Field(max_length=8)] = Field(default_factory=list)
    scopes: Words = Field(default_factory=list)
    default_resources: Annotated[list[Uri], Field(max_length=64)] = Field(default_factory=list)
    redirect_uris: Annotated[list[Uri], Field(max_length=64)] = Field(default_factory=list)
    post_logout_redirect_uris: Annotated[list[Uri], Field(max_length=64)] = Field(default_factory=list)
    first_party: StrictBool = False
    accepts_tokens_of: Words = Field(default_factory=list)
    presents_id_tokens: StrictBool = False
    receives_id_tokens: StrictBool = False
    id_token_alg: Literal["RS256", "ES256", "PS256", "EdDSA"] = "RS256"


class NewClientBody(ClientBody):
    """A client to register; of what nothing is said it may do nothing."""

    client_id: ClientId


class RotateBody(In):
    """For how many seconds the old secrets live on beside the new one."""

    overlap_seconds: StrictInt = Field(default=0, ge=0, le=90 * _DAY)


class ClientOut(Out):
    """An OAuth client."""

    client_id: str
    name: str
    auth_method: str
    grant_types: list[str]
    ways: list[str]
    scopes: list[str]
    default_resources: list[str]
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    first_party: bool
    accepts_tokens_of: list[str]
    presents_id_tokens: bool
    receives_id_tokens: bool
    id_token_alg: str
    enabled: bool


class SecretOut(Out):
    """A secret that lives: when it was made, and when it runs out. Nobody can be shown the secret itself."""

    created_at: str
    expires_at: str | None


class ClientShownOut(ClientOut):
    """A client looked at alone; `in_use` tells that the caller's own token is of it."""

    jwks: dict[str, Any] | None
    secrets: list[SecretOut]
    in_use: bool


class ClientWithSecretOut(ClientShownOut):
    """A client that got a secret: `client_secret` is the only copy, null where it has none or kept its own."""

    client_secret: str | None


class DisabledClientOut(ClientShownOut):
    """A client that is disabled; `ended` is null where it had been before."""

    ended: EndedOut | None


class ClientsOut(Out):
    """All clients."""

    items: list[ClientOut]
