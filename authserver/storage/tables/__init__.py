"""The tables. Instants are whole seconds since the epoch unless a name says `_ms`; secrets are stored hashed."""

from authserver.storage.tables.apps import App
from authserver.storage.tables.base import Base
from authserver.storage.tables.clients import Client, ClientAssertion, ClientSecret, Resource, RoleScope, ScopeRow
from authserver.storage.tables.console import ConsoleSession
from authserver.storage.tables.dpop import DpopProof
from authserver.storage.tables.evidence import (
    AuditChain,
    AuditEvent,
    AuditHead,
    AuditMention,
    AuditPersonal,
    Mark,
    SigningKey,
)
from authserver.storage.tables.grants import (
    AuthorizationCode,
    ClientGrant,
    DeviceCode,
    RefreshToken,
    SupportCode,
    Token,
)
from authserver.storage.tables.handoffs import Handoff, HandoffCode
from authserver.storage.tables.impersonations import (
    Approval,
    BreakGlassReport,
    Consent,
    ConsentCode,
    Handle,
    Impersonation,
    OutboxMessage,
    PerformedAction,
    TargetAttempt,
)
from authserver.storage.tables.people import (
    Passkey,
    Password,
    PendingLogin,
    RecoveryCode,
    Session,
    Throttle,
    Totp,
    User,
)
from authserver.storage.tables.upstream import LinkedIdentity, LogoutToken, UpstreamLogin

__all__ = [
    "App",
    "Approval",
    "AuditChain",
    "AuditEvent",
    "AuditHead",
    "AuditMention",
    "AuditPersonal",
    "AuthorizationCode",
    "Base",
    "BreakGlassReport",
    "Client",
    "ClientAssertion",
    "ClientGrant",
    "ClientSecret",
    "Consent",
    "ConsentCode",
    "ConsoleSession",
    "DeviceCode",
    "DpopProof",
    "Handle",
    "Handoff",
    "HandoffCode",
    "Impersonation",
    "LinkedIdentity",
    "LogoutToken",
    "Mark",
    "OutboxMessage",
    "Passkey",
    "Password",
    "PendingLogin",
    "PerformedAction",
    "RecoveryCode",
    "RefreshToken",
    "Resource",
    "RoleScope",
    "ScopeRow",
    "Session",
    "SigningKey",
    "SupportCode",
    "TargetAttempt",
    "Throttle",
    "Token",
    "Totp",
    "UpstreamLogin",
    "User",
]
