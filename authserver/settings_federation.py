"""The settings of trusted issuers: whom they may vouch for, by what, and who may present their tokens."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_HOST = re.compile(r"[a-z0-9.-]+(:\d{1,5})?|\[[0-9a-f:.]+\](:\d{1,5})?")


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
        msg = "must be a URL such as https://login.example.com/realm, without a query"
        raise ValueError(msg)
    return value


def _host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        msg = "must be a host such as keys.example.com or keys.example.com:8443, in lower case"
        raise ValueError(msg)
    return value


Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=64)]
"""An issuer's name here stands in paths and in names of environment variables."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
PublicKeyAlg = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
StaffRole = Literal["support", "lead", "auditor", "admin"]
PresentedType = Literal["access_token", "id_token", "jwt"]
Timeout = Annotated[float, Field(gt=0, le=60)]
Period = Annotated[int, Field(ge=1, le=31 * 86400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class ClaimNames(_Section):
    """Which claim holds what; `a.b` is member b of claim a, unless a claim has that very name."""

    username: Text = "email"
    email: Text = "email"
    name: Text = "name"


class RoleRule(_Section):
    """Who gets a role: those whose claim equals a value, or whose list contains it."""

    claim: Text
    equals: str | int | bool | None = None
    contains: Text | None = None
    role: StaffRole

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if (self.equals is None) == (self.contains is None):
            msg = "a rule has either equals or contains"
            raise ValueError(msg)
        return self


class Presenter(_Section):
    """A client of ours that may present this issuer's tokens as evidence."""

    client: Text
    types: tuple[PresentedType, ...] = ("access_token", "id_token", "jwt")
    upstream_clients: tuple[Text, ...] = ()
    """What the issuer calls the clients whose tokens it may present; empty: as here."""

    @property
    def parties(self) -> frozenset[str]:
        """The clients, in the issuer's words, whose tokens this client may present."""
        return frozenset(self.upstream_clients or (self.client,))


class TrustedIssuer(_Section):
    """One OpenID issuer beside this server. Times are seconds."""

    issuer: Url
    label: str = Field(default="", max_length=64)
    population: Literal["staff", "customers"]

    # Where its documents are, and how they are fetched
    discovery_url: Url | None = None
    jwks_uri: Url | None = None
    hosts: tuple[Host, ...] = ()
    allow_private_addresses: bool = False
    ca_file: Path | None = None
    connect_timeout: Timeout = 3
    read_timeout: Timeout = 5
    total_timeout: Timeout = 10
    max_response_bytes: int = Field(default=262_144, ge=1024, le=16_777_216)
    cache_seconds: Period = 600
    stale_seconds: Period = 86_400
    refetch_seconds: Period = 30

    # What its tokens must be
    algorithms: tuple[PublicKeyAlg, ...] = Field(default=("RS256", "ES256", "PS256"), min_length=1)
    audiences: tuple[Text, ...] = ()
    access_token_types: tuple[Literal["at+jwt", "jwt"], ...] = ("at+jwt",)
    leeway: int = Field(default=60, ge=0, le=300)
    acr: Mapping[str, str] = Field(default_factory=dict)
    auth_time_from_iat: bool = False

    # Who its people are here
    claims: ClaimNames = ClaimNames()
    roles: tuple[RoleRule, ...] = ()
    provision: Literal["never", "link_verified_email", "create"] = "never"
    emails_are_verified: bool = False
    presenters: tuple[Presenter, ...] = ()

    # Sign-in; without client_id people do not sign in through it
    client_id: Text | None = None
    client_secret: str = Field(default="", repr=False)
    token_auth_method: Literal["client_secret_basic", "client_secret_post"] | None = None
    scopes: tuple[Text, ...] = ("openid", "profile", "email")
    login_seconds: Annotated[int, Field(ge=30, le=3600)] = 600
    local_methods: bool = False
    """Whether its people may have a password, an authenticator app, recovery codes and passkeys of their own here."""
    sign_out_there: bool = False
    """Whether who signs out here is sent on to sign out at the issuer too, where it names an `end_session_endpoint`."""
    logout_by: Literal["client_id", "id_token_hint"] = "client_id"
    """How it learns there who leaves: by our `client_id` and its name for the session, or by its whole ID token."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        urls = [url for url in (self.issuer, self.discovery_url, self.jwks_uri) if url is not None]
        if not self.allow_private_addresses and any(not url.startswith("https://") for url in urls):
            msg = "must be https (http is for a loopback address with allow_private_addresses)"
            raise ValueError(msg)
        if self.population == "customers" and self.roles:
            msg = "roles are for an issuer of staff; its people are customers"
            raise ValueError(msg)
        if self.population == "staff" and self.provision == "create" and not self.roles:
            msg = "provision create for staff wants rules of roles"
            raise ValueError(msg)
        if len({presenter.client for presenter in self.presenters}) != len(self.presenters):
            msg = "presenters: a client stands once"
            raise ValueError(msg)
        if self.client_id is not None and "openid" not in self.scopes:
            msg = "scopes: openid is what makes it a sign-in"
            raise ValueError(msg)
        return self

    def presenter(self, client_id: str) -> Presenter | None:
        """Return what a client of ours may present, or None."""
        return next((presenter for presenter in self.presenters if presenter.client == client_id), None)


class Federation(_Section):
    """The issuers that are trusted beside this server, by a name of ours."""

    issuers: Mapping[Name, TrustedIssuer] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({issuer.issuer for issuer in self.issuers.values()}) != len(self.issuers):
            msg = "an issuer stands once: it is bound to one population"
            raise ValueError(msg)
        return self
