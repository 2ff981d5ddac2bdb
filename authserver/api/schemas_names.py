"""What identifiers stand for, for people to read: the identifier itself stays beside its name."""

from pydantic import BaseModel, ConfigDict


class _NamedOut(BaseModel):
    model_config = ConfigDict(frozen=True)


class NamedScopeOut(_NamedOut):
    """A scope; `description` is what a customer is told of it, empty where nothing was registered."""

    name: str
    description: str


class NamedResourceOut(_NamedOut):
    """A resource server by its registered name, with those of its scopes that are meant."""

    uri: str
    name: str
    scopes: list[NamedScopeOut]
