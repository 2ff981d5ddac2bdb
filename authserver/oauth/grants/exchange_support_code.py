"""Way F of token exchange: what a customer's support code says about who is asked for, and within which limits."""

from dataclasses import replace
from typing import TYPE_CHECKING

from authserver.accounts.refusals import Throttled
from authserver.accounts.throttle import Guess
from authserver.impersonation.asks import ActingPerson, Ask, PresentedCode
from authserver.impersonation.support_codes import CodeReplayed
from authserver.oauth.exchange_request import ExchangeRequest
from authserver.protocol.names import Mode
from authserver.protocol.refusals import AccessDenied, InvalidScope, InvalidTarget, Refusal
from authserver.storage import resources
from authserver.storage.support_codes import StoredCode

if TYPE_CHECKING:
    from authserver.oauth.grants.base import Grant


class TooManyCodes(Refusal):
    """`slow_down`: this actor presented too many wrong codes through this client; `interval` says how long to wait."""

    error = "slow_down"
    words = "Too many codes were wrong. Wait a while, then try again."


def presented(grant: "Grant", exchange: ExchangeRequest, actor: ActingPerson) -> StoredCode:
    """Return the living code that is presented. Wrong ones count, by client and actor, before anything is told.

    A right one takes back what was mistyped before it, and a used one was right.
    """
    work, parts = grant.work, grant.parts
    account = f"{grant.registered_client.client_id}\0{actor.user_id}"
    try:
        limits = parts.settings.support_codes
        free, forget = limits.free_failures, limits.forget_seconds
        parts.throttle.claim_by(work, Guess.SUPPORT_CODE, account, free=free, forget=forget)
        code = parts.support_codes.presented(work.session, exchange.unverified_subject_token)
    except Throttled as refusal:
        raise TooManyCodes("support_code.throttled", extra={"interval": refusal.retry_after}) from refusal
    except CodeReplayed as refusal:
        grant.trace.impersonation_id = refusal.impersonation_id
        parts.throttle.give_back(work, Guess.SUPPORT_CODE, account)
        raise
    parts.throttle.forgive(work, Guess.SUPPORT_CODE, account)
    work.commit()
    return code


def limited(grant: "Grant", ask: Ask, code: StoredCode) -> Ask:
    """Cut an ask to the code's limits. Raises AccessDenied, InvalidTarget or InvalidScope for what goes beyond."""
    if ask.mode == Mode.FULL and code.mode != Mode.FULL:
        raise AccessDenied("support_code.mode")
    catalogue = resources.scopes_of(grant.work.session, ask.resources)
    covered = {scope.resource for scope in catalogue.values() if scope.name in code.scopes}
    if grant.named_resources and set(ask.resources) - covered:
        raise InvalidTarget("support_code.resource")
    asked = tuple(scope for scope in ask.asked if scope.name in code.scopes)
    if not asked:
        raise InvalidScope("scope.nothing_left")
    return replace(
        ask,
        resources=tuple(uri for uri in ask.resources if uri in covered),
        asked=asked,
        lifetime=min(ask.lifetime, code.lifetime),
        code=PresentedCode(id=code.id, session_id=code.session_id, consent_id=grant.parts.entropy.identifier("con")),
    )
