"""The schema of audit events (design section 5). Fields are only ever added; a change of meaning is a new version.

A field named in `personal` is chained as a salted commitment, its value kept beside the chain. Identifiers of
people are pseudonyms (`usr_…`) and stand in the clear; names, addresses and free text do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event has: a name `subject:verb`, a version, and the impersonation it belongs to."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    personal: ClassVar[frozenset[str]] = frozenset()

    impersonation_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImpersonationRequested(Event):
    """Somebody asked to act as a customer, and the request was taken up in `state`."""

    name: ClassVar[str] = "impersonation:requested"
    personal: ClassVar[frozenset[str]] = frozenset({"reason", "client_address", "session_address"})

    way: str
    actor: str
    subject: str
    client_id: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    mode: str
    reason: str
    reason_code: str
    ticket_id: str
    lifetime: int
    digest: str
    state: str
    policies: tuple[str, ...]
    policy_set: str
    consent_id: str | None
    client_address: str
    session_address: str
    override: str | None = None
    consent_way: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImpersonationActivated(Event):
    """It became active: from here on tokens may be minted until `expires_at`."""

    name: ClassVar[str] = "impersonation:activated"

    actor: str
    subject: str
    digest: str
    expires_at: int
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ImpersonationEnded(Event):
    """It came to its end: `state` is ended, denied, expired or revoked; `ended_by` who did it, `system` for a clock."""

    name: ClassVar[str] = "impersonation:ended"

    actor: str
    subject: str
    state: str
    end_reason: str
    ended_by: str


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
class ImpersonationExtended(Event):
    """Its life was extended: `lifetime` is the new total, `expires_at` the new end, `digest` what was decided on."""

    name: ClassVar[str] = "impersonation:extended"

    actor: str
    subject: str
    lifetime: int
    expires_at: int
    digest: str
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExtensionAsked(Event):
    """A longer life was asked for that waits for somebody: `state` names what for, as it does at a start."""

    name: ClassVar[str] = "extension:asked"

    actor: str
    subject: str
    lifetime: int
    digest: str
    state: str


@dataclass(frozen=True, kw_only=True)
class ActionsReported(Event):
    """Performed actions were reported; `digest` is SHA-256 (hex) over their canonical JSON, in the order of the ids."""

    name: ClassVar[str] = "actions:reported"

    reported_by: str
    count: int
    digest: str


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


@dataclass(frozen=True, kw_only=True)
class PolicyLoaded(Event):
    """A changed policy was taken up by a running server."""

    name: ClassVar[str] = "policy:loaded"

    policy_set: str
    before: str


@dataclass(frozen=True, kw_only=True)
class PolicyRefused(Event):
    """A changed policy was broken; the server keeps the set it had."""

    name: ClassVar[str] = "policy:refused"

    kept: str
    reason: str


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
class TokenIssued(Event):
    """A token left: `way` is the grant, or A to F for an exchange."""

    name: ClassVar[str] = "token:issued"

    jti: str
    kind: str
    way: str
    client_id: str
    subject: str
    actor: str | None
    audience: tuple[str, ...]
    scopes: tuple[str, ...]
    kid: str
    expires_at: int
    details: Mapping[str, Any] = field(default_factory=dict)
    jkt: str | None = None
    """The thumbprint of the key that it is bound to (RFC 9449 §6.1)."""


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """A client revoked a token of its own (RFC 7009)."""

    name: ClassVar[str] = "token:revoked"

    jti: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class RequestRefused(Event):
    """An authenticated caller was refused: the public `error`, and the private `reason`."""

    name: ClassVar[str] = "request:refused"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    endpoint: str
    error: str
    reason: str
    client_id: str | None
    actor: str | None
    way: str | None
    target: str | None
    """The target as it was asked for: a user id of ours, or None for anything that is not one."""
    policies: tuple[str, ...]
    address: str


@dataclass(frozen=True, kw_only=True)
class StrangersRefused(Event):
    """Unauthenticated requests from one address in one minute that were refused."""

    name: ClassVar[str] = "strangers:refused"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    address: str
    minute: int
    """The minute, in whole minutes since the epoch."""
    count: int
    reasons: Mapping[str, int]
    """How often each private reason occurred."""
    client_ids: tuple[str, ...]
    """Up to five of the client ids that were tried, each cut to 64 printable ASCII characters."""


@dataclass(frozen=True, kw_only=True)
class HandoffCreated(Event):
    """An actor asked for a device."""

    name: ClassVar[str] = "handoff:created"

    handoff_id: str
    actor: str
    app: str
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HandoffConfigured(Event):
    """The one configuration of a handoff was given out; `by` is `actor`, `config_secret` or `page`."""

    name: ClassVar[str] = "handoff:configured"

    handoff_id: str
    by: str
    jti: str | None
    """The token in it; None where it holds a code, or nothing because the value comes by deep link."""


@dataclass(frozen=True, kw_only=True)
class HandoffOpened(Event):
    """The actor's browser opened the embed page of a handoff, which can be done once."""

    name: ClassVar[str] = "handoff:opened"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    handoff_id: str
    actor: str
    session_id: str
    address: str


@dataclass(frozen=True, kw_only=True)
class HandoffStarted(Event):
    """The device of a handoff reported its session; `device_session` is what the vendor's own history calls it."""

    name: ClassVar[str] = "handoff:started"

    handoff_id: str
    app: str
    device_session: str | None


@dataclass(frozen=True, kw_only=True)
class HandoffClosed(Event):
    """The device of a handoff is closed; `by` is its actor, or `system` when its page fell silent. Instants are `_ms`.

    What was not reported is None.
    """

    name: ClassVar[str] = "handoff:closed"

    handoff_id: str
    by: str
    device_session: str | None
    requested_ms: int | None
    started_ms: int | None
    first_frame_ms: int | None
    app_launched_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, kw_only=True)
class HandoffCodeCreated(Event):
    """A one-time code was made for a device."""

    name: ClassVar[str] = "handoff-code:created"

    handoff_id: str
    family_id: str
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class HandoffCodeRedeemed(Event):
    """A code was redeemed, from this address; its tokens belong to its family."""

    name: ClassVar[str] = "handoff-code:redeemed"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    handoff_id: str
    family_id: str
    address: str
    jkt: str | None = None
    """The thumbprint of the key that its tokens are bound to (RFC 9449 §6.1); None for bearer tokens."""


@dataclass(frozen=True, kw_only=True)
class HandoffCodeReplayed(Event):
    """A code was presented again: every token of its family is revoked."""

    name: ClassVar[str] = "handoff-code:replayed"

    handoff_id: str
    family_id: str


@dataclass(frozen=True, kw_only=True)
class DeviceSessionEnded(Event):
    """The device of an impersonation was closed; unless one is opened again, the impersonation ends at an instant."""

    name: ClassVar[str] = "device_session:ended"

    actor: str
    by: str
    """Who reported it."""
    grace_until: int


@dataclass(frozen=True, kw_only=True)
class DeviceSessionReopened(Event):
    """The actor opened a device again, in time and without a new consent."""

    name: ClassVar[str] = "device_session:reopened"

    actor: str


@dataclass(frozen=True, kw_only=True)
class UserChanged(Event):
    """A user was created, changed, disabled or enabled; `changes` has names of fields and flags, no personal value."""

    name: ClassVar[str] = "user:changed"

    user_id: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UsersImported(Event):
    """Many users were brought in at once; each that was created or changed has an event of its own before this one."""

    name: ClassVar[str] = "users:imported"

    by: str
    rows: int
    created: int
    changed: int
    unchanged: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class ClientChanged(Event):
    """A client was created, changed, disabled, enabled, or a secret of it made or revoked."""

    name: ClassVar[str] = "client:changed"

    client_id: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ResourceChanged(Event):
    """A resource server or its scopes were registered or changed."""

    name: ClassVar[str] = "resource:changed"

    uri: str
    action: str
    by: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    """A person signed in; `issuer` is where, None for an account of ours."""

    name: ClassVar[str] = "session:started"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    session_id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    issuer: str | None
    address: str


@dataclass(frozen=True, kw_only=True)
class SessionReauthenticated(Event):
    """A person who was signed in proved again who they are: from here on the session says so."""

    name: ClassVar[str] = "session:reauthenticated"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    session_id: str
    user_id: str
    acr: str
    amr: tuple[str, ...]
    issuer: str | None
    address: str


@dataclass(frozen=True, kw_only=True)
class SignInFailed(Event):
    """Somebody failed to sign in; `user_id` is None where there is no such account."""

    name: ClassVar[str] = "sign-in:failed"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    user_id: str | None
    reason: str
    address: str


@dataclass(frozen=True, kw_only=True)
class CredentialChanged(Event):
    """A credential of a person was set, confirmed, replaced, used up or removed; `kind` says which sort."""

    name: ClassVar[str] = "credential:changed"

    user_id: str
    kind: str
    action: str
    by: str


@dataclass(frozen=True, kw_only=True)
class IdentityLinked(Event):
    """A trusted issuer's subject became somebody here: `how` is linked (by a verified address) or created."""

    name: ClassVar[str] = "identity:linked"
    personal: ClassVar[frozenset[str]] = frozenset({"sub"})

    user_id: str
    issuer: str
    sub: str
    how: str


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """A person's session came to its end."""

    name: ClassVar[str] = "session:ended"

    session_id: str
    user_id: str
    by: str


@dataclass(frozen=True, kw_only=True)
class SessionTokenIssued(Event):
    """A client's page, at `origin`, got a short-lived token of who is signed in in the browser."""

    name: ClassVar[str] = "session-token:issued"

    session_id: str
    user_id: str
    client_id: str
    origin: str
    jti: str


@dataclass(frozen=True, kw_only=True)
class LogoutReceived(Event):
    """A trusted issuer said that somebody signed out there; `told` is what it named: `sid`, `sub` or both."""

    name: ClassVar[str] = "logout:received"

    issuer: str
    told: str
    sessions: tuple[str, ...]
    """The sessions that ended by it."""


@dataclass(frozen=True, kw_only=True)
class LogoutNotPassedOn(Event):
    """Somebody signed out here, and could not be sent on to sign out at the issuer where they had signed in."""

    name: ClassVar[str] = "logout:not_passed_on"

    session_id: str
    user_id: str
    issuer: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class KeyChanged(Event):
    """A signing key was published, retired or revoked; `by` is who did it."""

    name: ClassVar[str] = "key:changed"
    personal: ClassVar[frozenset[str]] = frozenset({"remark"})

    kid: str
    use: str
    alg: str
    action: str
    by: str
    details: Mapping[str, Any] = field(default_factory=dict)
    remark: str | None = None
    """Why a rotation was forced."""


@dataclass(frozen=True, kw_only=True)
class AppChanged(Event):
    """An app that devices run was created, changed or disabled through the API; `settings` are those it has now."""

    name: ClassVar[str] = "app:changed"

    app: str
    action: str
    by: str
    enabled: bool
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrailRead(Event):
    """Somebody read or exported the trail, or what is made of it; `how` says which."""

    name: ClassVar[str] = "trail:read"
    personal: ClassVar[frozenset[str]] = frozenset({"looked_for"})

    reader: str
    how: str
    query: Mapping[str, Any] = field(default_factory=dict)
    looked_for: str | None = None
    """Words that were searched for: they may name a person."""


@dataclass(frozen=True, kw_only=True)
class TrailVerified(Event):
    """Somebody had the whole trail verified by a server: how much there was, and how much did not fit."""

    name: ClassVar[str] = "trail:verified"

    by: str
    intact: bool
    events: int
    to_seq: int
    problems: int


@dataclass(frozen=True, kw_only=True)
class ApplicationAllowed(Event):
    """A person allowed a third-party client to have these scopes in their name."""

    name: ClassVar[str] = "application:allowed"

    user_id: str
    session_id: str
    client_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ApplicationWithdrawn(Event):
    """A person took back what they had allowed a client; what it had got by that is dead."""

    name: ClassVar[str] = "application:withdrawn"

    user_id: str
    session_id: str
    client_id: str


@dataclass(frozen=True, kw_only=True)
class DeviceRequested(Event):
    """A device asked for a person's tokens (RFC 8628); recorded when its person decides, whatever they decide."""

    name: ClassVar[str] = "device:requested"
    version: ClassVar[int] = 2
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    """What every token that comes of it belongs to."""
    client_id: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    address: str
    """Where the device asked from."""
    requested_at: int
    """When it asked, in seconds."""


@dataclass(frozen=True, kw_only=True)
class DeviceApproved(Event):
    """A person allowed a device to have these scopes in their name."""

    name: ClassVar[str] = "device:approved"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    client_id: str
    user_id: str
    session_id: str
    scopes: tuple[str, ...]
    address: str
    """Where the person's browser is."""


@dataclass(frozen=True, kw_only=True)
class DeviceDenied(Event):
    """A person refused what a device asked for."""

    name: ClassVar[str] = "device:denied"
    personal: ClassVar[frozenset[str]] = frozenset({"address"})

    family_id: str
    client_id: str
    user_id: str
    session_id: str
    address: str


@dataclass(frozen=True, kw_only=True)
class CustomersSearched(Event):
    """An agent looked for customers, and was shown `found` of them."""

    name: ClassVar[str] = "customers:searched"
    personal: ClassVar[frozenset[str]] = frozenset({"query"})

    actor: str
    client_id: str
    query: str
    count: int
    found: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CustomerPreviewed(Event):
    """An agent was shown a customer, and what asking to act as them would come to, by mode; nothing was started."""

    name: ClassVar[str] = "customer:previewed"

    actor: str
    subject: str
    client_id: str
    outcomes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ImpersonationsEnded(Event):
    """Somebody ended every open impersonation at once; each end has an event of its own besides."""

    name: ClassVar[str] = "impersonations:ended"
    personal: ClassVar[frozenset[str]] = frozenset({"reason"})

    by: str
    reason: str
    count: int


REFUSALS = (RequestRefused.name, StrangersRefused.name, SignInFailed.name)
"""The events of what was refused: to callers, to strangers, and at sign-in."""
