"""The shape of what an embed page reports: an allow-list, so that whatever else an event carries is never even read."""

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_NAME = re.compile(r"[A-Za-z0-9_.$:/-]{1,128}")


def _name(value: object) -> object:
    """Keep what is a name in a program; words, which somebody may have typed or read, are left out."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


ProgramsName = Annotated[str | None, BeforeValidator(_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Timed(_Part):
    at: AwareDatetime

    @property
    def at_ms(self) -> int:
        """The instant in milliseconds."""
        return int(self.at.timestamp() * 1000)


class Element(_Part):
    """What of the app was touched."""

    type: ProgramsName = None
    identifier: ProgramsName = None


class DeviceEventIn(_Timed):
    """An event of the device."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    event: Annotated[str, StringConstraints(max_length=64)]
    element: Element | None = None


class StageIn(_Timed):
    """A stage that the device reached."""

    stage: Literal["requested", "started", "first_frame", "app_launched", "ended"]


class ReportBody(_Part):
    """One report; `session` is what the vendor calls the device's session."""

    session: ProgramsName = None
    stages: list[StageIn] = Field(default_factory=list, max_length=10)
    events: list[DeviceEventIn] = Field(default_factory=list, max_length=100)
