"""Who decided on an impersonation, who was told of it, and what is owed for it."""

from dataclasses import dataclass
from typing import ClassVar

from authserver.audit.events.event import Event


@dataclass(frozen=True, kw_only=True)
class ApprovalDecided(Event):
    """A second person decided on one digest."""

    name: ClassVar[str] = "approval:decided"
    personal: ClassVar[frozenset[str]] = frozenset({"remark"})

    approver: str
    session_id: str
    decision: str
    digest: str
    decided_at: int
    lifetime: int | None = None
    """To how many seconds it was shortened."""
    remark: str = ""
    kid: str | None = None
    signature: str | None = None
    """The audit key's signature over who decided what, when, and on which digest (a compact JWS)."""
    covers: str | None = None
    """The digest of the present, shorter life, where an extension was decided on: a yes to more is a yes to it."""


@dataclass(frozen=True, kw_only=True)
class ConsentDecided(Event):
    """The customer decided on one digest."""

    name: ClassVar[str] = "consent:decided"

    subject: str
    session_id: str | None
    decision: str
    digest: str
    way: str = ""
    basis: str = ""
    words_version: str = ""
    words_language: str = ""
    words_hash: str = ""


@dataclass(frozen=True, kw_only=True)
class ConsentGranted(Event):
    """A standing consent was recorded."""

    name: ClassVar[str] = "consent:granted"

    consent_id: str
    subject: str
    expires_at: int | None
    session_id: str | None = None
    basis: str = ""
    words_version: str = ""
    words_language: str = ""
    words_hash: str = ""


@dataclass(frozen=True, kw_only=True)
class ConsentWithdrawn(Event):
    """A standing consent was taken back, and what rested on it revoked."""

    name: ClassVar[str] = "consent:withdrawn"

    consent_id: str
    subject: str
    session_id: str


@dataclass(frozen=True, kw_only=True)
class ConsentCodeTried(Event):
    """The actor entered a code that the customer was sent; `left` is how many tries remain."""

    name: ClassVar[str] = "consent_code:tried"

    actor: str
    correct: bool
    left: int


@dataclass(frozen=True, kw_only=True)
class SupportCodeCreated(Event):
    """A customer made a code that opens one impersonation of themselves, within limits, having read these words.

    `client_id` is the app that made it for them, None for their own page. `words_hash` is SHA-256 of the text; for an
    app that does not say which words it showed `words_shown` is false, and the three are empty.
    """

    name: ClassVar[str] = "support-code:created"

    code_id: str
    subject: str
    session_id: str
    client_id: str | None
    mode: str
    scopes: tuple[str, ...]
    lifetime: int
    expires_at: int
    words_version: str
    words_language: str
    words_hash: str
    words_shown: bool


@dataclass(frozen=True, kw_only=True)
class SupportCodeRedeemed(Event):
    """An agent used a code up: subject and consent of an impersonation, bound to its digest."""

    name: ClassVar[str] = "support-code:redeemed"

    code_id: str
    consent_id: str
    subject: str
    session_id: str
    actor: str
    client_id: str
    digest: str
    words_version: str
    words_language: str
    words_hash: str
    words_shown: bool


@dataclass(frozen=True, kw_only=True)
class SupportCodeRevoked(Event):
    """A customer took a code back before it was used."""

    name: ClassVar[str] = "support-code:revoked"

    code_id: str
    subject: str
    by: str


@dataclass(frozen=True, kw_only=True)
class NoticeSent(Event):
    """A channel took over a message for somebody: the mail server accepted it."""

    name: ClassVar[str] = "notice:sent"
    personal: ClassVar[frozenset[str]] = frozenset({"recipient"})

    message_id: str
    kind: str
    channel: str
    recipient: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class NoticeFailed(Event):
    """A channel, named here, could not take over a message; `final` when no other is left."""

    name: ClassVar[str] = "notice:failed"

    message_id: str
    kind: str
    channel: str
    error: str
    final: bool


@dataclass(frozen=True, kw_only=True)
class NoticeWithheld(Event):
    """A second person had the notice withheld for a legal reason; it is owed at `until`."""

    name: ClassVar[str] = "notice:withheld"

    by: str
    reason_code: str
    until: int


@dataclass(frozen=True, kw_only=True)
class BreakGlassOpened(Event):
    """Consent and approval were passed over; a report is owed by `due_at`."""

    name: ClassVar[str] = "break_glass:opened"

    actor: str
    subject: str
    due_at: int
    contacts: int
    """How many security contacts are being told."""


@dataclass(frozen=True, kw_only=True)
class BreakGlassReported(Event):
    """The owed report was filed; its text is personal and kept beside the chain."""

    name: ClassVar[str] = "break_glass:reported"
    personal: ClassVar[frozenset[str]] = frozenset({"report"})

    actor: str
    report: str
    overdue: bool
