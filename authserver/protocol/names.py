"""Registered and private names used on the wire (RFC 8693 §3, design section 3)."""

import re
from enum import StrEnum

GRANT_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_CLIENT_CREDENTIALS = "client_credentials"
GRANT_AUTHORIZATION_CODE = "authorization_code"
GRANT_REFRESH_TOKEN = "refresh_token"
GRANT_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

TYPE_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TYPE_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
TYPE_JWT = "urn:ietf:params:oauth:token-type:jwt"
TYPE_USER_ID = "urn:authserver:params:oauth:token-type:user-id"
TYPE_IMPERSONATION = "urn:authserver:params:oauth:token-type:impersonation"
TYPE_SUPPORT_CODE = "urn:authserver:params:oauth:token-type:support-code"

CLIENT_ASSERTION_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

USER_ID_PREFIX = "usr"
"""Every user id begins so, and no client id may: the two never collide in `sub` or `act.sub`."""
_USER_ID = re.compile(rf"{USER_ID_PREFIX}_[0-9A-Za-z_-]{{1,60}}")


def is_user_id(text: str) -> bool:
    """Tell whether `text` has the form of our user ids; anything else that is sent as one stays out of the trail."""
    return _USER_ID.fullmatch(text) is not None


DEVICE_FAMILY_PREFIX = "dvf"
"""Every family of tokens that a device began has an id that begins so, for as long as anything comes of it."""


def is_device_family(family_id: str | None) -> bool:
    """Tell whether what belongs to this family came by a device (RFC 8628)."""
    return family_id is not None and family_id.startswith(f"{DEVICE_FAMILY_PREFIX}_")


class Way(StrEnum):
    """The ways of token exchange (design section 3)."""

    USER_ID = "A"
    OWN_TOKEN = "B"
    IMPERSONATION = "C"
    ON_BEHALF_OF = "D"
    TRUSTED_ISSUER = "E"
    SUPPORT_CODE = "F"


class Mode(StrEnum):
    """What an impersonator may do."""

    READ_ONLY = "read_only"
    FULL = "full"


BREAK_GLASS = "break_glass"
"""The one `override` there is (design section 4)."""


class State(StrEnum):
    """The states of an impersonation (design section 4)."""

    REQUESTED = "requested"
    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_CONSENT = "awaiting_consent"
    ACTIVE = "active"
    ENDED = "ended"
    DENIED = "denied"
    EXPIRED = "expired"
    REVOKED = "revoked"


PENDING_STATES = frozenset({State.REQUESTED, State.AWAITING_APPROVAL, State.AWAITING_CONSENT})
OPEN_STATES = PENDING_STATES | {State.ACTIVE}


class Kind(StrEnum):
    """What kind of token a row or a verified token is."""

    ACCESS = "access"
    ID = "id"


class Role(StrEnum):
    """The roles of people; what each may do stands in `access.py`."""

    SUPPORT = "support"
    LEAD = "lead"
    AUDITOR = "auditor"
    ADMIN = "admin"
    CUSTOMER = "customer"


class Population(StrEnum):
    """The two populations, which never mix."""

    STAFF = "staff"
    CUSTOMERS = "customers"
