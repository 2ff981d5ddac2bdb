"""Way D of token exchange: a client acts on behalf of the user whose own access token it presents."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.grants.exchange_answer import answer, check_may_act
from authserver.protocol.actors import Actor
from authserver.protocol.names import TYPE_ID_TOKEN
from authserver.protocol.refusals import AccessDenied, InvalidEvidence, InvalidRequest, InvalidScope, InvalidTarget
from authserver.protocol.scopes import Ceiling, cut
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import people, resources
from authserver.tokens import targets
from authserver.tokens.issuer import Draft

if TYPE_CHECKING:
    from authserver.oauth.grants.base import Grant


def respond(grant: "Grant", exchange: ExchangeRequest) -> dict[str, Any]:
    """Way D: the same user, with the client as actor; what an impersonation bounds stays bounded."""
    work, client, evidence = grant.work, grant.registered_client, grant.parts.evidence
    if exchange.requested_token_type == TYPE_ID_TOKEN:
        raise InvalidRequest("requested_token_type.unexpected", "An ID token is not issued in this exchange.")
    subject = evidence.own_user(work.session, client, exchange.unverified_subject_token)
    grant.trace.target = subject.user_id
    grant.trace.impersonation_id = subject.impersonation_id
    actor = evidence.acting_client(
        work.session, client, exchange.unverified_actor_token, exchange.actor_token_type, grant.trace
    )
    check_may_act(subject.may_act, actor)
    chain = replace(actor, before=subject.act)
    if chain.depth() > grant.parts.settings.tokens.max_act_depth:
        raise AccessDenied("act.too_deep")
    minted = grant.parts.issuer.sign(work.session, _draft(grant, exchange, subject, chain))
    work.lock()
    _still_alive(grant, exchange.unverified_subject_token)
    grant.parts.issuer.register(work, minted)
    return answer(exchange, minted)


def _draft(grant: "Grant", exchange: ExchangeRequest, subject: VerifiedToken, chain: Actor) -> Draft:
    session, client, now = grant.work.session, grant.registered_client, grant.parts.clock.now()
    target = targets.resolve(session, client, grant.named_resources, grant.form.get("scope"))
    user = people.find(session, subject.user_id or "")
    if user is None or subject.authentication is None:
        raise InvalidEvidence("subject.not_a_user")
    ceiling = Ceiling(
        client=client.scopes,
        target=resources.scopes_of_roles(session, user.roles),
        subject_token=subject.scope,
    )
    scopes = cut(target.asked, ceiling)
    if not scopes:
        raise InvalidScope("scope.nothing_left")
    _check_audience(target, scopes, subject)
    limit = grant.parts.settings.tokens.access_token_seconds
    expires_at = min(now + min(limit, exchange.expires_in or limit), subject.authentication.expires_at)
    if subject.act is not None or subject.impersonation_id is not None:
        expires_at = min(expires_at, subject.expires_at)
    sub, extra = grant.parts.minting.profile(session, target.resources, user)
    return Draft(
        way=exchange.way,
        client_id=client.client_id,
        user_id=user.id,
        sub=sub,
        audience=target.resources,
        scope=scopes,
        expires_at=expires_at,
        session_id=subject.authentication.session_id,
        family_id=subject.family_id,
        act=chain,
        impersonation_id=subject.impersonation_id,
        impersonation=subject.claims.get("impersonation"),
        extra=extra,
    )


def _check_audience(target: targets.Target, scopes: tuple[str, ...], subject: VerifiedToken) -> None:
    """Refuse a resource that gets no scope, and one that what an earlier exchange granted does not name."""
    served = {scope.resource for scope in target.asked if scope.name in scopes}
    if set(target.resources) - served:
        raise InvalidTarget("resource.without_scope")
    if subject.act is not None and set(target.resources) - subject.audience:
        raise InvalidTarget("resource.not_granted")


def _still_alive(grant: "Grant", unverified_subject_token: str) -> None:
    """Check under lock that the subject token did not die while the new one was being signed."""
    grant.parts.evidence.own_user(grant.work.session, grant.registered_client, unverified_subject_token)
