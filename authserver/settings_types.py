"""What settings are made of: sections that refuse unknown keys, and the forms that values have."""

import ipaddress
import re
import tomllib
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?")


def is_origin(value: str) -> bool:
    """Tell whether a text is an origin, and nothing besides."""
    match = _ORIGIN.fullmatch(value)
    return match is not None and int(match["port"] or 1) in range(1, 65536)


def _origin(value: str) -> str:
    if not is_origin(value):
        msg = "must be an origin such as https://login.example.com, in lower case, without a path"
        raise ValueError(msg)
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        msg = "must be a regular expression"
        raise ValueError(msg) from error
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        msg = "must be a network such as 10.0.0.0/24 or ::1/128"
        raise ValueError(msg) from error
    return value


def _database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        msg = "must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        raise ValueError(msg)
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = "must be a time zone such as Europe/Berlin or UTC"
        raise ValueError(msg) from error
    return value


def _no_origin_or(value: str) -> str:
    return _origin(value) if value else value


DatabaseUrl = Annotated[str, AfterValidator(_database)]
Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, AfterValidator(_origin)]
OptionalOrigin = Annotated[str, AfterValidator(_no_origin_or)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Seconds = Annotated[int, Field(ge=1, le=366 * 86400)]
SigningAlg = Literal["ES256", "RS256", "PS256", "EdDSA"]


class Variable(str):
    """What an environment variable holds: the text itself, or TOML where a setting takes no text."""

    __slots__ = ()


class Section(BaseModel):
    """A section of the settings: frozen, and an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*", mode="wrap")
    @classmethod
    def _of_variable(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if not isinstance(value, Variable):
            return handler(value)
        try:
            return handler(str(value))
        except ValidationError:
            try:
                toml = tomllib.loads(f"value = {value}")["value"]
            except tomllib.TOMLDecodeError:
                pass
            else:
                return handler(toml)
            raise
