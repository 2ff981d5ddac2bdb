"""What was really done, as `amr` (RFC 8176) and `acr` (OIDC Core §2), and whether that is enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

ACR_PASSWORD = "urn:authserver:acr:password"
ACR_MFA = "urn:authserver:acr:mfa"
ACR_PHISHING_RESISTANT = "phr"
"""OpenID Connect Extended Authentication Profile ACR Values 1.0."""

ACR_VALUES = (ACR_PASSWORD, ACR_MFA, ACR_PHISHING_RESISTANT)
"""Ours, weakest first: a stronger one does for a weaker one."""


class Method(StrEnum):
    """One thing that a person has done to prove who they are."""

    PASSWORD = "pwd"
    OTP = "otp"
    RECOVERY_CODE = "rc"
    """Not registered by RFC 8176, which has no word for it."""
    DEVICE_PASSKEY = "hwk"
    """A passkey that stays in its device, the user verified."""
    SYNCED_PASSKEY = "swk"
    """A passkey that may be copied between devices, the user verified."""


PASSKEYS = frozenset({Method.DEVICE_PASSKEY, Method.SYNCED_PASSKEY})
SECOND_FACTORS = frozenset({Method.OTP, Method.RECOVERY_CODE, *PASSKEYS})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A finished authentication, as a session and its tokens tell of it. `auth_time` is seconds since the epoch."""

    acr: str
    amr: tuple[str, ...]
    auth_time: int


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has to sign in with."""

    password: bool
    totp: bool
    passkeys: int
    recovery_codes: int
    """How many are left."""

    @property
    def second(self) -> bool:
        """Whether a password alone does not do."""
        return self.totp or self.passkeys > 0


def suffices(methods: Iterable[Method], factors: Factors) -> bool:
    """Tell whether the methods proved sign a person in who has these factors."""
    done = frozenset(methods)
    if done & PASSKEYS:
        return True
    return Method.PASSWORD in done and (not factors.second or bool(done & SECOND_FACTORS))


def authenticated(methods: Iterable[Method], now: int) -> Authenticated:
    """Say what the methods proved amount to; they have to include a password or a passkey."""
    done = tuple(dict.fromkeys(methods))
    amr: tuple[str, ...] = tuple(str(method) for method in done)
    if PASSKEYS & set(done):
        return Authenticated(ACR_PHISHING_RESISTANT, (*amr, "user", "mfa"), now)
    if Method.PASSWORD not in done:
        msg = "neither a password nor a passkey was proved"
        raise ValueError(msg)
    if SECOND_FACTORS & set(done):
        return Authenticated(ACR_MFA, (*amr, "mfa"), now)
    return Authenticated(ACR_PASSWORD, amr, now)


def meets(acr: str, acr_values: Iterable[str]) -> bool:
    """Tell whether an authentication satisfies one of the values asked for (OIDC Core §3.1.2.1); none asked: yes.

    Of ours a stronger one does for a weaker one; any other value, such as an upstream issuer's, has to be equal.
    """
    wanted = tuple(acr_values)
    if not wanted or acr in wanted:
        return True
    if acr not in ACR_VALUES:
        return False
    return any(value in ACR_VALUES[: ACR_VALUES.index(acr)] for value in wanted)


def is_fresh(auth_time: int, max_age: int | None, now: int) -> bool:
    """Tell whether an authentication is at most `max_age` seconds old (OIDC Core §3.1.2.1); None asks for nothing."""
    return max_age is None or now - auth_time <= max_age
