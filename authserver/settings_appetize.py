"""Settings of the handoff to Appetize: the embed page's origin, and the apps with how each gets its value."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from authserver.settings_types import OptionalOrigin, Origin, Seconds, Section, TimeZone, is_origin

MAX_LINK_CHARS = 2048
"""Where iOS cuts a deep link."""
PLACE = "{value}"

_SCRIPT = re.compile(r"(?P<origin>https?://[^/]+)(/[A-Za-z0-9._~%/-]*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")
_HOST = r"^(\.[a-z0-9_-]+(\.[a-z0-9_-]+)+|[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$"
_BUILD = r"^[A-Za-z0-9_-]{1,128}$"
_ANDROID_ONLY = ("timezone", "hide_passwords")
_VENDORS_NAMES = {
    "os_version": "osVersion",
    "scale": "scale",
    "region": "region",
    "language": "language",
    "locale": "locale",
    "location": "location",
    "orientation": "orientation",
    "appearance": "appearance",
    "timezone": "timezone",
    "grant_permissions": "grantPermissions",
    "hide_passwords": "hidePasswords",
    "user_interaction_disabled": "userInteractionDisabled",
    "screen_only": "screenOnly",
    "audio": "audio",
    "volume": "volume",
    "device": "device",
    "proxy": "proxy",
}
"""What may be left out, and how the vendor's SDK calls it."""


def _script(value: str) -> str:
    """Accept a script's address: its origin stands in the embed page's policy, where no word may be added."""
    match = _SCRIPT.fullmatch(value)
    if match is None or not is_origin(match["origin"]):
        msg = "must be the address of a script such as https://js.appetize.io/embed.js"
        raise ValueError(msg)
    return value


def _template(value: str) -> str:
    if value.count(PLACE) != 1 or _SCHEME.fullmatch(value) is None:
        msg = f"must be a link such as appetize://impersonation/{PLACE}, with {PLACE} in it once"
        raise ValueError(msg)
    return value


Host = Annotated[str, StringConstraints(pattern=_HOST)]
"""A host, or by a leading dot all hosts under a domain of two labels or more; with a port where it is no usual one."""
BuildId = Annotated[str, StringConstraints(pattern=_BUILD)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]{1,64}$")]
Position = tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]]
"""Latitude and longitude."""
Words = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,-]{1,64}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")]
_Few = Field(max_length=100)


class App(Section):
    """A mobile app that Appetize streams, how it gets its value, and which agents may use it.

    `builds` names further builds by the app's version, `version` is that of `build_id`; `roles` and `groups` are whose
    members may use it, empty for every agent. Only settings that the vendor's SDK knows can be set.
    """

    build_id: BuildId
    builds: Annotated[Mapping[Version, BuildId], _Few] = Field(default_factory=dict)
    version: Version | None = None
    platform: Literal["ios", "android"]
    sdk_url: Annotated[str, AfterValidator(_script)] = "https://js.appetize.io/embed.js"
    base_url: Origin = "https://appetize.io"
    how: Literal["launch_params", "deep_link"] = "launch_params"
    passes: Literal["token", "code"] | None = None
    dpop: Literal["required", "optional", "off"] = "off"
    param: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")] = "impersonatedUserToken"
    deep_link: Annotated[str, AfterValidator(_template)] = f"appetize://impersonation/{PLACE}"
    roles: Annotated[tuple[Line, ...], _Few] = ()
    groups: Annotated[tuple[Line, ...], _Few] = ()
    allowed_origins: Annotated[tuple[Origin, ...], _Few] = ()
    record: bool = False
    debug: bool = False
    proxy: Literal["intercept"] | None = None
    device: Line | None = None
    os_version: Words | None = None
    scale: Annotated[int, Field(ge=10, le=100)] | Literal["auto"] | None = None
    region: Literal["us", "eu"] | None = None
    language: Words | None = None
    locale: Words | None = None
    location: Position | None = None
    timezone: TimeZone | None = None
    appearance: Literal["light", "dark"] | None = None
    orientation: Literal["portrait", "landscape"] | None = None
    grant_permissions: bool | None = None
    hide_passwords: bool | None = None
    user_interaction_disabled: bool | None = None
    screen_only: bool | None = None
    audio: bool | None = None
    volume: Annotated[int, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _fits_the_platform(self) -> Self:
        for name in _ANDROID_ONLY:
            if self.platform != "android" and getattr(self, name) is not None:
                msg = f"{name}: the SDK knows it for android alone"
                raise ValueError(msg)
        return self

    @property
    def by_link(self) -> bool:
        """Tell whether the value comes by deep link, and not with the launch."""
        return self.how == "deep_link"

    @property
    def gives_codes(self) -> bool:
        """Tell whether what is passed is a one-time code: by default where it travels in a link, which gets logged."""
        return (self.passes or ("code" if self.by_link else "token")) == "code"

    @property
    def options(self) -> dict[str, Any]:
        """Return what is set of the SDK's further settings, under the vendor's names."""
        found = {vendors: getattr(self, name) for name, vendors in _VENDORS_NAMES.items()}
        return {name: value for name, value in found.items() if value is not None}

    def build(self, asked: str | None) -> tuple[str, bool]:
        """Return the build to run, and whether it is another than the one asked for, by version or by id.

        Where no builds are named any id is taken at its word; where some are, another one is never run.
        """
        if asked is None or asked in {self.build_id, self.version}:
            return self.build_id, False
        if asked in self.builds:
            return self.builds[asked], False
        if asked in self.builds.values():
            return asked, False
        return (self.build_id, True) if self.builds or self.version else (asked, False)

    def build_for(self, asked: str | None, customers: str) -> tuple[str, bool]:
        """Return the build to run, and whether it is another than what was asked for, or than the customer's version.

        What is asked for goes first. A version (empty: unknown) is never taken for a build's id; where the app names
        no version at all, nobody can say that it is another.
        """
        if asked is not None or not customers:
            return self.build(asked)
        if customers in self.builds:
            return self.builds[customers], False
        return self.build_id, bool(self.builds or self.version) and customers != self.version

    def problems(
        self, *, demo: bool, max_token_bytes: int, allowed_hosts: tuple[Host, ...]
    ) -> Iterator[tuple[str, str]]:
        """Say what does not go together with the rest of the settings: the setting, and what is wrong with it."""
        if self.by_link and not self.gives_codes and len(self.link("")) + max_token_bytes > MAX_LINK_CHARS:
            yield (
                "passes",
                f'a token by deep link can exceed {MAX_LINK_CHARS} characters, where iOS cuts it; pass a "code"',
            )
        if self.dpop == "required" and not self.gives_codes:
            yield "dpop", 'a token that is passed is bound to no key; pass a "code", whose tokens are'
        for key, url in (("sdk_url", self.sdk_url), ("base_url", self.base_url)):
            if not demo and urlsplit(url).scheme != "https":
                yield key, "must be https"
            elif not _is_allowed(urlsplit(url).netloc, allowed_hosts):
                yield key, "its host is not among appetize.allowed_hosts, which the server's configuration files name"

    def link(self, value: str) -> str:
        """Return the deep link that carries a value."""
        return self.deep_link.replace(PLACE, value)

    def lets(self, roles: frozenset[str], groups: frozenset[str]) -> bool:
        """Tell whether an agent of these roles and groups may use it."""
        if not self.roles and not self.groups:
            return True
        return not roles.isdisjoint(self.roles) or not groups.isdisjoint(self.groups)


class Appetize(Section):
    """The handoff to the device. `embed_origin` is the embed page's own origin; without it there is no such page.

    `allowed_hosts` are those that an app's script and frame may come from, whoever sets the app.
    """

    handoff_seconds: Seconds
    ticket_seconds: Annotated[int, Field(ge=1, le=300)]
    code_seconds: Annotated[int, Field(ge=1, le=600)]
    launch_code_seconds: Annotated[int, Field(ge=1, le=600)]
    heartbeat_seconds: Annotated[int, Field(ge=5, le=600)]
    max_handoffs: Annotated[int, Field(ge=1, le=1000)]
    embed_origin: OptionalOrigin = ""
    allowed_hosts: Annotated[tuple[Host, ...], _Few]
    apps: Mapping[str, App]

    def check(self, *, issuer: str, demo: bool, max_token_bytes: int) -> None:
        """Raise ValueError for what does not go together with the rest of the settings, by name."""
        if self.embed_origin:
            _check_origin(self.embed_origin, issuer, demo=demo)
        for name, app in self.apps.items():
            found = app.problems(demo=demo, max_token_bytes=max_token_bytes, allowed_hosts=self.allowed_hosts)
            for key, problem in found:
                msg = f"appetize.apps.{name}.{key}: {problem}"
                raise ValueError(msg)


def _is_allowed(host: str, allowed: tuple[Host, ...]) -> bool:
    """Tell whether a host, with its port where one is named, is on the list, or under a domain that is."""
    return any(host.endswith(each) and host != each if each.startswith(".") else host == each for each in allowed)


def _check_origin(embed: str, issuer: str, *, demo: bool) -> None:
    here, there = urlsplit(embed), urlsplit(issuer)
    if here.netloc == there.netloc or (here.hostname == there.hostname and not demo):
        msg = (
            f"appetize.embed_origin: {embed} shares its host with the issuer and its console; "
            "the vendor's script runs there and needs a host of its own"
        )
        raise ValueError(msg)
    if there.scheme == "https" and here.scheme != "https":
        msg = "appetize.embed_origin: must be https, as the issuer is"
        raise ValueError(msg)
