"""A sign-in upstream that has to be strong or fresh: asked for in the issuer's words, and held against what came."""

from collections.abc import Sequence
from typing import Protocol

from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import FederationError
from authserver.federation.trusted import KnownIssuer
from authserver.storage.federation import StoredUpstreamLogin

_MAX_ACR_VALUES = 512


class Meets(Protocol):
    """Tells whether an `acr` satisfies one of those asked for, both in our words."""

    def __call__(self, acr: str, acr_values: Sequence[str], /) -> bool:
        """Tell it."""


class UpstreamError(FederationError):
    """A sign-in that did not succeed; `return_to` is where it was going, once that is known to be this browser's."""

    def __init__(self, reason: str, return_to: str | None = None) -> None:
        """Fail for a private reason."""
        super().__init__(reason)
        self.return_to = return_to


class StepUpError(UpstreamError):
    """The issuer signed somebody in, or would have, but not as strongly or as freshly as was asked of it."""


def asked_acr(known: KnownIssuer, meets: Meets, acr_values: Sequence[str], return_to: str) -> tuple[str, ...]:
    """Return what does for `acr_values` in the issuer's words; refuse what it never says."""
    if len(" ".join(acr_values)) > _MAX_ACR_VALUES:
        raise StepUpError("upstream.acr_unknown", return_to)
    if not acr_values or not known.settings.acr:
        return tuple(acr_values)
    does = [there for there, here in known.settings.acr.items() if meets(here, acr_values)]
    if not does:
        raise StepUpError("upstream.acr_unknown", return_to)
    return tuple(value for value in does if value)


def checked_auth_time(known: KnownIssuer, token: ForeignToken, login: StoredUpstreamLogin) -> int:
    """Hold `auth_time` against the `max_age` that was asked for; asked for, it has to be there (§2).

    It counts from when it was asked: who takes their time at the issuer has not grown older by it.
    """
    if login.max_age is None:
        return token.auth_time
    if "auth_time" not in token.claims:
        raise StepUpError("upstream.no_auth_time", login.return_to)
    oldest = login.expires_at - known.settings.login_seconds - login.max_age
    if token.auth_time < oldest - known.settings.leeway:
        raise StepUpError("upstream.authentication_too_old", login.return_to)
    return max(token.auth_time, oldest)
