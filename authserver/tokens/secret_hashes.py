"""Keyed hashes of secrets that the server made itself: 256-bit random, so no slow hash is needed."""

import hashlib
import hmac
from enum import StrEnum


class SecretKind(StrEnum):
    """What a stored hash is of; one kind's value is never another's (stores are separate by kind)."""

    CLIENT_SECRET = "client-secret"
    HANDLE = "impersonation-handle"
    HANDOFF = "handoff-config-secret"
    HANDOFF_CODE = "handoff-code"
    DPOP_PROOF = "dpop-proof"
    EMBED_TICKET = "embed-ticket"
    EMBED_PAGE = "embed-page-cookie"
    TARGET = "target-attempt"
    ASSERTION = "client-assertion-jti"
    SESSION = "session-cookie"
    LOGIN = "pending-login-cookie"
    CODE = "authorization-code"
    REFRESH = "refresh-token"
    RECOVERY_CODE = "recovery-code"
    THROTTLE = "throttle"
    UPSTREAM_STATE = "upstream-state"
    UPSTREAM_BROWSER = "upstream-browser"
    LOGOUT_TOKEN = "logout-token-jti"
    UPSTREAM_LOGOUT = "upstream-logout"
    FOREIGN_SESSION = "foreign-session"
    INTERACTION = "authorization-interaction"
    CSRF = "csrf"
    NUMBER_MATCH = "number-match"
    CONSENT_CODE = "consent-code"
    DEVICE_CODE = "device-code"
    USER_CODE = "device-user-code"
    DEVICE_SHOWN = "device-shown"
    SUPPORT_CODE = "support-code"
    NOTICE = "notice-link"
    CONSOLE_SESSION = "console-session-cookie"
    CONSOLE_SIGN_IN = "console-sign-in"


class SecretHasher:
    """HMAC-SHA-256 under the server's pepper, in hexadecimal, a domain a kind."""

    def __init__(self, pepper: bytes) -> None:
        """Hash under `pepper`, 32 random bytes that never stand in the database."""
        self._pepper = pepper

    def hash(self, kind: SecretKind, value: str) -> str:
        """Return the 64 hexadecimal characters under which `value` is stored and looked up."""
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._pepper, message, hashlib.sha256).hexdigest()
