"""The shapes of apps, in and out; an app's settings are those of `config/` (`settings_appetize.App`)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from authserver.api.schemas import In, Out
from authserver.settings_appetize import App

AppName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
AppSettings = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {**App.model_json_schema(), "title": "AppSettings", "description": "As in the configuration files."}
    ),
]
"""They are checked by the app's own model, whose refusal names each setting that is wrong."""


class AppPath(In):
    """An app by its name."""

    name: str = Field(description="The app's name.")


class AppHeaders(BaseModel):
    """Which version a change is meant for: the `ETag` with which the app was read (RFC 9110 §13.1.1)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    if_match: str | None = Field(
        default=None, alias="If-Match", description="The ETag of what is changed; anything else meanwhile is 412."
    )


class NewAppBody(In):
    """A new app."""

    name: AppName
    settings: AppSettings


class AppBody(In):
    """The settings that an app has from now on, all of them; without `enabled` that stays as it is."""

    settings: AppSettings
    enabled: bool | None = None


class AppProblemOut(Out):
    """What is wrong with one setting."""

    field: str
    problem: str


class AppOut(Out):
    """An app; `label` is its name for people. `source` is `config` (read-only) or `api`.

    `version` changes with it, and is its `ETag` too. `in_force` says whether handoffs can use it: not when it is
    disabled, when `problems` stand in its way, or when `config/` has one of its name.
    """

    name: str
    version: str
    label: str
    source: str
    read_only: bool
    enabled: bool
    in_force: bool
    settings: dict[str, Any]
    problems: list[AppProblemOut]
    created_at: str | None
    changed_at: str | None


class AppsOut(Out):
    """All apps, by name."""

    items: list[AppOut]
