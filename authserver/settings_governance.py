"""Settings of tickets, approval, consent, support codes, notification, break-glass and streams."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from authserver.settings_types import Origin, Seconds, Section

WEBHOOK_SECRET = "whsec_"
"""What a secret begins with whose key stands after it in base64, as libraries of Standard Webhooks write it."""
_MIN_SECRET_CHARS = 32


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or "@" in value):
        msg = "must be a URL such as https://tickets.example.com/validate, or empty"
        raise ValueError(msg)
    return value


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Timeout = Annotated[float, Field(gt=0, le=30)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}$")]
ConsentWay = Literal["account", "mail", "code"]
Channel = Literal["mail", "webhook", "folder"]


class Hook(Section):
    """A signed HTTP call to a system of the company's; without `url` it is not made."""

    url: HttpUrl = ""
    secret: str = Field(default="", repr=False)
    timeout_seconds: Timeout = 3.0

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.url and len(self.secret) < _MIN_SECRET_CHARS:
            msg = f"secret: a call to {self.url} is signed; set a secret of at least {_MIN_SECRET_CHARS} characters"
            raise ValueError(msg)
        if self.secret.startswith(WEBHOOK_SECRET) and not _is_base64(self.secret.removeprefix(WEBHOOK_SECRET)):
            msg = f"secret: what begins with {WEBHOOK_SECRET} goes on in base64"
            raise ValueError(msg)
        return self


class TicketHook(Hook):
    """The ticket system that is asked whether a ticket is one; a yes is remembered for a moment."""

    remember_seconds: int = Field(default=60, ge=0, le=3600)


class ApprovalRhythm(Section):
    """When an approver is reminded, and when the next one is asked too."""

    remind_seconds: Seconds
    escalate_seconds: Seconds


class ConsentWays(Section):
    """How customers are asked, for how long, and what a standing consent may be."""

    ways: tuple[ConsentWay, ...] = Field(min_length=1)
    number_match_required: bool
    mail_seconds: Seconds
    code_seconds: Seconds
    code_tries: int = Field(ge=1, le=10)
    asks_free: int = Field(ge=1, le=60)
    asks_wait_seconds: Seconds
    asks_max_wait_seconds: Seconds
    standing_max_seconds: Seconds
    basis: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.:-]{1,64}$")]


class Smtp(Section):
    """The mail server that takes over our messages."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = Field(default="", repr=False)
    timeout_seconds: Timeout = 10.0


class Notification(Section):
    """Messages to people: the channels in the order in which they are tried, and what is told."""

    channels: tuple[Channel, ...]
    from_address: Address
    sender_name: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\r\n]+$")]
    objections: str
    security_contacts: tuple[Address, ...]
    withholding_reason_codes: tuple[str, ...]
    withholding_max_seconds: Seconds
    attempts: int = Field(ge=1, le=20)
    retry_seconds: Seconds
    gate_seconds: Seconds
    link_seconds: Seconds
    folder: Path
    smtp: Smtp = Smtp()
    webhook: Hook = Hook()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if "mail" in self.channels and not self.smtp.host:
            msg = "smtp.host: the channel mail needs a mail server"
            raise ValueError(msg)
        if "webhook" in self.channels and not self.webhook.url:
            msg = "webhook.url: the channel webhook needs a URL"
            raise ValueError(msg)
        return self


class BreakGlass(Section):
    """When the report is due that breaking the glass owes, and how much it says at least, white space aside."""

    report_seconds: Seconds
    report_min_chars: int = Field(ge=1, le=5000)


STREAM_THREADS = 96
"""How many threads of a worker streams may hold together: the API's, the console's, and those of customers' pages."""


class Streams(Section):
    """Server-sent events: how often a stream is checked again, and how many there may be in a process.

    Customers' pages have a share of their own, so that however many are open, the API's streams have theirs.
    """

    check_seconds: Seconds
    per_person: int = Field(ge=1, le=64)
    in_all: int = Field(ge=1, le=56)
    account_per_person: int = Field(default=3, ge=1, le=64)
    account_in_all: int = Field(default=32, ge=0, le=64)


class SessionClient(Section):
    """A first-party web client that may ask for a token of who is signed in in the browser."""

    allowed_origins: tuple[Origin, ...]


class SessionToken(Section):
    """Tokens out of the browser's session: how long they live, and which client's pages may ask, from where."""

    seconds: Annotated[int, Field(ge=1, le=900)]
    acr_values: tuple[str, ...]
    clients: Mapping[str, SessionClient]

    def allowed_origins(self) -> frozenset[str]:
        """Return every origin that is allow-listed for some client."""
        return frozenset(origin for client in self.clients.values() for origin in client.allowed_origins)


class SupportCodes(Section):
    """The codes that customers make: how long they live, and how long what they open may last, by default and at most.

    `free_failures` is how many wrong ones an agent may present through a client before each next one has to wait, and
    `forget_seconds` how long after the last of them they are forgotten.
    """

    code_seconds: Seconds
    max_code_seconds: Annotated[int, Field(ge=1, le=3600)]
    lifetime: Seconds
    max_lifetime: Seconds
    max_live: int = Field(ge=1, le=20)
    free_failures: int = Field(ge=1)
    forget_seconds: Seconds
