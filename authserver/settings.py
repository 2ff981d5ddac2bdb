"""Frozen settings from TOML files and `AUTHSERVER_*`; an unknown key stops the start with its name."""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from authserver.settings_appetize import Appetize
from authserver.settings_console import Console
from authserver.settings_federation import Federation
from authserver.settings_governance import (
    STREAM_THREADS,
    ApprovalRhythm,
    BreakGlass,
    ConsentWays,
    Notification,
    SessionToken,
    Streams,
    SupportCodes,
    TicketHook,
)
from authserver.settings_types import (
    DatabaseUrl,
    Network,
    Origin,
    Pattern,
    Seconds,
    Section,
    SigningAlg,
    TimeZone,
    Variable,
)

_PACKAGED = Path(__file__).with_name("_config")
_PREFIX = "AUTHSERVER_"
_CONFIG_VARIABLE = "AUTHSERVER_CONFIG"


class SettingsError(ValueError):
    """Settings that are unknown or not allowed; the text names each key and what it may be."""


def config_folder() -> Path:
    """Return the folder of the shipped defaults: package data when installed, `config/` in a checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "config"


class Server(Section):
    """Where the server is, and how much it takes in."""

    issuer: Origin
    trusted_proxies: tuple[Network, ...] = ()
    metrics_networks: tuple[Network, ...] = ()
    max_body_bytes: int = Field(ge=1024)
    max_token_bytes: int = Field(ge=1024)


class Database(Section):
    """Which database, and how many connections a process may hold."""

    url: DatabaseUrl
    pool_size: int = Field(ge=1)


class Keys(Section):
    """Signing keys: where the private ones lie, and the rhythm of their rotation."""

    folder: Path
    passphrase: str = Field(default="", repr=False)
    access_token_alg: SigningAlg
    publish_seconds: int = Field(ge=0)
    rotation_seconds: int = Field(ge=0, le=366 * 86400)


class Tokens(Section):
    """How long tokens live, in seconds, and how deep delegation goes."""

    access_token_seconds: Seconds
    impersonation_token_seconds: Seconds
    impersonation_id_token_seconds: Annotated[int, Field(ge=1, le=300)]
    max_act_depth: int = Field(ge=1, le=16)


class Accounts(Section):
    """Sign-in here: how long it lasts, what a password costs, and how guessing is slowed down."""

    session_seconds: Seconds
    session_idle_seconds: Seconds
    login_seconds: Seconds
    password_min_chars: int = Field(ge=8, le=64)
    password_min_score: int = Field(ge=0, le=4)
    password_concurrency: int = Field(ge=1)
    password_waiting: int = Field(ge=0)
    password_wait_seconds: float = Field(ge=0, le=30)
    argon2_time_cost: int = Field(ge=1)
    argon2_memory_kib: int = Field(ge=8)
    argon2_parallelism: int = Field(ge=1, le=64)
    account_free_failures: int = Field(ge=1)
    address_free_failures: int = Field(ge=1)
    backoff_seconds: Seconds
    backoff_max_seconds: Seconds
    backoff_forget_seconds: Seconds


class Impersonation(Section):
    """The limits and vocabulary of impersonations."""

    expires_in: Seconds
    approval_seconds: Seconds
    consent_seconds: Seconds
    poll_interval: Seconds
    quota_window_seconds: Seconds
    reason_codes: tuple[str, ...]
    ticket_pattern: Pattern
    max_reason_chars: int = Field(ge=1, le=8192)
    total_seconds: Seconds
    grace_seconds: Seconds
    fresh_proof_seconds: int = Field(ge=0, le=300)
    searches_per_minute: int = Field(ge=1, le=6000)


class Policy(Section):
    """Where the Cedar policies and their schema are; empty for the shipped ones."""

    folder: Annotated[Path, BeforeValidator(lambda folder: folder or config_folder() / "policy")]
    reload_seconds: int = Field(ge=0, le=86400)
    time_zone: TimeZone


class Exchange(Section):
    """Aliases of our URNs, so that clients written for other servers work unchanged."""

    token_type_aliases: Mapping[str, str]


class Audit(Section):
    """Where signed heads are written outside the database, and how often."""

    anchor_file: Path
    head_seconds: Seconds


class Log(Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"]


class Settings(Section):
    """All settings. Times are seconds. Relative paths are relative to where the server is started."""

    demo: bool = False
    server: Server
    database: Database
    keys: Keys
    tokens: Tokens
    accounts: Accounts
    impersonation: Impersonation
    ticket_hook: TicketHook
    approval: ApprovalRhythm
    consent: ConsentWays
    notification: Notification
    break_glass: BreakGlass
    streams: Streams
    policy: Policy
    exchange: Exchange
    audit: Audit
    appetize: Appetize
    session_token: SessionToken
    support_codes: SupportCodes
    federation: Federation = Federation()
    console: Console = Console()
    log: Log

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        held = self.streams.in_all + self.streams.account_in_all
        held += self.console.max_streams if self.console.enabled else 0
        if held > STREAM_THREADS:
            msg = (
                f"streams.in_all, streams.account_in_all, console.max_streams: {held} together, "
                f"and at most {STREAM_THREADS} threads of a worker may be held by streams"
            )
            raise ValueError(msg)
        self.appetize.check(issuer=self.server.issuer, demo=self.demo, max_token_bytes=self.server.max_token_bytes)
        return self

    @property
    def issuer(self) -> str:
        """The issuer identifier, equal to the byte wherever it stands (RFC 8414 §2)."""
        return self.server.issuer


def load(paths: Sequence[Path] = (), environ: Mapping[str, str] = os.environ) -> Settings:
    """Merge the defaults, `paths` (or those in AUTHSERVER_CONFIG) and `AUTHSERVER_*`, in this order.

    A variable names a key by its path: `AUTHSERVER_SERVER__ISSUER` is `server.issuer`; its value is
    taken as it stands where the setting takes text, and read as TOML otherwise. Raises SettingsError.
    """
    named = list(paths) or [Path(path) for path in environ.get(_CONFIG_VARIABLE, "").split(os.pathsep) if path]
    tree = merged(read(path) for path in (config_folder() / "default.toml", *named))
    for name, value in environ.items():
        if name.startswith(_PREFIX) and name != _CONFIG_VARIABLE:
            _plant(tree, name.removeprefix(_PREFIX).lower().split("__"), Variable(value), name)
    return build(tree)


def read(path: Path) -> dict[str, Any]:
    """Return what a TOML file says, unchecked. Raises SettingsError for one that cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise SettingsError(msg) from error
    except ValueError as error:  # not TOML, or not UTF-8
        msg = f"{path}: not TOML: {error}"
        raise SettingsError(msg) from error


def merged(trees: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several trees say together, a later one winning."""
    into: dict[str, Any] = {}
    for tree in trees:
        _merge(into, tree)
    return into


def _merge(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            into[key] = merged([below if isinstance(below, dict) else {}, value])
        else:
            into[key] = value


def build(tree: Mapping[str, Any]) -> Settings:
    """Check a tree of settings. Raises SettingsError naming each wrong key and what is allowed."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(dict(item)) for item in error.errors())) from None


def _sentence(item: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown setting"
    return f"{key}: {item['msg']}" if key else str(item["msg"]).removeprefix("Value error, ")


def _plant(tree: dict[str, Any], keys: Sequence[str], value: object, name: str) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            msg = f"{name}: {key} is a value, not a section"
            raise SettingsError(msg)
    tree[keys[-1]] = value
