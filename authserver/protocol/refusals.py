"""Refusals: a public error in the standard's words, and a private reason for the trail and the log."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A request that is refused (RFC 6749 §5.2).

    `reason` is private: a dotted name for trail and log. `public` is fixed text, never input.
    `extra` holds further members of the error response. One that only asks to wait is `pending`: it is no refusal to
    the trail, where what it waits for stands already.
    """

    error = "invalid_request"
    pending = False
    status = 400
    words = "The request is not valid."

    def __init__(self, reason: str, public: str | None = None, *, extra: Mapping[str, Any] = _NOTHING) -> None:
        """Refuse for `reason`, saying `public`."""
        super().__init__(reason)
        self.reason = reason
        self.public = public or self.words
        self.extra = extra


class InvalidRequest(Refusal):
    """`invalid_request` (RFC 6749 §5.2; RFC 8693 §2.2.2 for evidence that fails)."""


class InvalidEvidence(InvalidRequest):
    """A subject_token or actor_token that proves nothing here (RFC 8693 §2.2.2)."""

    words = "The subject_token or the actor_token is not acceptable."


class InvalidClient(Refusal):
    """`invalid_client` (RFC 6749 §5.2)."""

    error = "invalid_client"
    status = 401
    words = "Client authentication failed."


class InvalidGrant(Refusal):
    """`invalid_grant`: the code or refresh token is unknown, used, expired, or of another client (RFC 6749 §5.2)."""

    error = "invalid_grant"
    words = "The grant is invalid, expired, revoked, or was issued to another client."


class UnauthorizedClient(Refusal):
    """`unauthorized_client`: this client may not use this grant, or this way of it."""

    error = "unauthorized_client"
    words = "The client is not allowed to use this grant in this way."


class UnsupportedGrantType(Refusal):
    """`unsupported_grant_type`."""

    error = "unsupported_grant_type"
    words = "The grant type is not supported."


class UnsupportedTokenType(Refusal):
    """`unsupported_token_type` (RFC 7009 §2.2.1)."""

    error = "unsupported_token_type"
    words = "The token type is not supported."


class InvalidScope(Refusal):
    """`invalid_scope`."""

    error = "invalid_scope"
    words = "The requested scope is unknown, not allowed, or leaves nothing to grant."


class InvalidTarget(Refusal):
    """`invalid_target` (RFC 8693 §2.2.2, RFC 8707 §2)."""

    error = "invalid_target"
    words = "The resource or audience is not acceptable."


class AccessDenied(Refusal):
    """`access_denied`: the evidence is good and policy says no. Its words never vary, so that they tell nothing."""

    error = "access_denied"
    words = "The request is not allowed."

    def __init__(self, reason: str, *, policies: tuple[str, ...] = ()) -> None:
        """Deny for `reason`, by `policies`."""
        super().__init__(reason)
        self.policies = policies


class ExpiredToken(Refusal):
    """`expired_token`: the request or its handle has run out (RFC 8628 §3.5)."""

    error = "expired_token"
    words = "The request has expired."


class AuthorizationPending(Refusal):
    """`authorization_pending` (RFC 8628 §3.5)."""

    error = "authorization_pending"
    pending = True
    words = "The decision is still awaited."


class SlowDown(Refusal):
    """`slow_down` (RFC 8628 §3.5)."""

    error = "slow_down"
    pending = True
    words = "The request is polled too fast."


class ConsentRequired(Refusal):
    """`consent_required`: started, and the customer is asked."""

    error = "consent_required"
    pending = True
    words = "The consent of the user is required."


class ApprovalRequired(Refusal):
    """`approval_required`: started, and a second person is asked."""

    error = "approval_required"
    pending = True
    words = "The approval of another person is required."


class InsufficientUserAuthentication(Refusal):
    """`insufficient_user_authentication` (RFC 9470 §3, extended to this endpoint)."""

    error = "insufficient_user_authentication"
    words = "The authentication of the actor is too old or too weak."


class Busy(Refusal):
    """`temporarily_unavailable`: others changed what this request decides on, again and again."""

    error = "temporarily_unavailable"
    status = 503
    words = "The request could not be completed now; try again."


class TooMany(Refusal):
    """More than one person may have open at a time (RFC 6585 §4)."""

    error = "slow_down"
    status = 429
    words = "Too many of these are open; close one, or try again later."


class InvalidToken(Refusal):
    """`invalid_token`: the bearer token at a protected endpoint (RFC 6750 §3.1)."""

    error = "invalid_token"
    status = 401
    words = "The access token is missing, expired, revoked or not meant for this server."


class BoundToken(InvalidToken):
    """`invalid_token`: presented by the wrong scheme, of a bearer or of a key's holder (RFC 9449 §7.1, §7.2)."""

    words = "An access token that is bound to a key comes with a DPoP proof, and no other one does."


class InvalidDpopProof(Refusal):
    """`invalid_dpop_proof`: the proof of whoever asks for tokens (RFC 9449 §5)."""

    error = "invalid_dpop_proof"
    words = "The DPoP proof is not acceptable."


class InvalidTokenProof(InvalidDpopProof):
    """`invalid_dpop_proof` at a protected endpoint (RFC 9449 §7.1)."""

    status = 401
    words = "The DPoP proof is missing or not acceptable."


class Forbidden(Refusal):
    """`insufficient_scope` (RFC 6750 §3.1): known, but not allowed."""

    error = "insufficient_scope"
    status = 403
    words = "The access token does not allow this."


class NotFound(Refusal):
    """No such resource, or not one's own: the two look the same."""

    error = "not_found"
    status = 404
    words = "There is no such resource."


class Conflict(Refusal):
    """The resource is in a state that does not allow this."""

    error = "conflict"
    status = 409
    words = "The state of the resource does not allow this."


class PreconditionFailed(Refusal):
    """The resource is not any more what the caller saw of it (RFC 9110 §13.1.1)."""

    error = "precondition_failed"
    status = 412
    words = "This was changed meanwhile; look at it again."


class Gone(Refusal):
    """What could be had once has been had, or its time is over."""

    error = "gone"
    status = 410
    words = "This is no longer available."
