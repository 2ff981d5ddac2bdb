"""The shapes of the handoff to Appetize, in and out."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from authserver.api.schemas import Id, In, Out, Uri


class HandoffBody(In):
    """Which impersonation goes to which app."""

    impersonation: Id
    app: Annotated[str, StringConstraints(max_length=64)]
    build: Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9_.+-]+$")] | None = None
    resource: Uri | None = None


class HandoffOut(Out):
    """A handoff: `config_secret` is the only copy, `expires_in` how long the configuration can be had.

    `embed_url` is null where no embed page is configured; `build_mismatch` is there when another build runs than was
    asked for.
    """

    id: str
    embed_url: str | None
    expires_in: int
    config_url: str
    config_secret: str
    build_mismatch: bool = False


class ConfigBody(In):
    """The secret of a handoff, for pages that embed Appetize themselves."""

    config_secret: Annotated[str, StringConstraints(max_length=128)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _nothing(cls, body: object) -> object:
        """Take no body as an empty one: the actor's token is all that is needed."""
        return {} if body is None else body


class SessionConfigurationOut(Out):
    """The session configuration of Appetize's SDK; the token stands in `params`."""

    model_config = ConfigDict(extra="allow")

    buildId: str  # noqa: N815 - the vendor's name
    platform: str
    params: dict[str, str]


class FreshCodeOut(Out):
    """A deep link with a fresh value; `expires_in` is how long that lives."""

    url: str
    value: str
    expires_in: int


class RedeemBody(In):
    """A one-time code, as the app found it in its launch parameter or deep link."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]


class RenewBody(In):
    """For which of the present token's resources fresh tokens are wanted; without it for all."""

    resource: Annotated[list[Uri], Field(max_length=16)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _nothing(cls, body: object) -> object:
        """Take no body as an empty one."""
        return {} if body is None else body


class ResourceTokenOut(Out):
    """A token for one resource."""

    resource: str
    access_token: str
    expires_in: int
    scope: str


class TokensOut(Out):
    """The token for the first resource, and where there are several one for each in `tokens`.

    `token_type` is `Bearer`, or `DPoP` for tokens that are bound to the key of the proof (RFC 9449 §5).
    """

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    impersonation_id: str
    tokens: list[ResourceTokenOut] | None = None
