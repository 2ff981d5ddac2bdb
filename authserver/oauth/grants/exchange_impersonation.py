"""Ways A, B, C and F of token exchange: somebody acts as another person, by an impersonation."""

from typing import TYPE_CHECKING, Any

from authserver.impersonation.asks import ActingPerson, Ask, Plan, ask_again, consent_way
from authserver.impersonation.policy import NeedsApproval, NeedsNotice
from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.grants import exchange_support_code
from authserver.oauth.grants.exchange_answer import answer, check_may_act
from authserver.protocol.actors import Actor
from authserver.protocol.names import PENDING_STATES, TYPE_ID_TOKEN, Mode, State, Way, is_user_id
from authserver.protocol.refusals import (
    AccessDenied,
    ApprovalRequired,
    AuthorizationPending,
    Busy,
    ConsentRequired,
    ExpiredToken,
    InvalidEvidence,
    InvalidRequest,
    Refusal,
    SlowDown,
)
from authserver.storage.impersonations import Record
from authserver.tokens import targets
from authserver.tokens.issuer import Minted

if TYPE_CHECKING:
    from authserver.oauth.grants.base import Grant

_TRIES = 4


def start(grant: "Grant", exchange: ExchangeRequest) -> dict[str, Any]:
    """Ways A, B and F: start an impersonation, or find the one that the same request started before."""
    work, lifecycle = grant.work, grant.parts.lifecycle
    ask = _ask(grant, exchange)
    for _ in range(_TRIES):
        plan = lifecycle.plan(work, ask)
        minted = _sign(grant, exchange, plan) if plan.active else None
        started = lifecycle.start(work, plan)
        if started is None:
            continue
        grant.trace.impersonation_id = started.record.id
        handle = {"impersonation": started.handle, "impersonation_id": started.record.id}
        if minted is None:
            raise _still_needed(grant, plan, handle)
        grant.parts.issuer.register(work, minted)
        return answer(exchange, minted) | handle
    raise Busy("start.contended")


def _ask(grant: "Grant", exchange: ExchangeRequest) -> Ask:
    """Verify who acts, and resolve what is asked; nothing about the target is read but the code that names them."""
    work, client, code = grant.work, grant.registered_client, None
    if exchange.way is Way.SUPPORT_CODE:
        actor = _actor(grant, exchange)
        code = exchange_support_code.presented(grant, exchange, actor)
        subject_id = code.user_id
    elif exchange.way is Way.USER_ID:
        subject_id = exchange.unverified_subject_token
        actor = _actor(grant, exchange)
    else:
        subject_id = exchange.requested_subject or ""
        actor, may_act = grant.parts.evidence.acting_person(
            work, client, exchange.unverified_subject_token, exchange.subject_token_type, grant.trace
        )
        check_may_act(may_act, Actor(client.client_id, grant.parts.settings.issuer))
    grant.trace.target = subject_id if is_user_id(subject_id) else None
    target = targets.resolve(work.session, client, grant.named_resources, grant.form.get("scope"))
    ask = Ask(
        way=exchange.way,
        actor=actor,
        client=client,
        subject_id=subject_id,
        resources=target.resources,
        asked=target.asked,
        mode=exchange.mode or Mode.READ_ONLY,
        reason=exchange.reason or "",
        reason_code=exchange.reason_code or "",
        ticket_id=exchange.ticket_id or "",
        lifetime=grant.parts.settings.impersonation.expires_in,
        break_glass=exchange.break_glass,
        client_address=grant.trace.address,
        consent_way=consent_way(grant.parts.settings.consent, exchange.consent_way),
    )
    if code is not None:
        ask = exchange_support_code.limited(grant, ask, code)
    if exchange.requested_token_type != TYPE_ID_TOKEN:
        grant.parts.minting.subject_identifier(work.session, ask.resources)
    return ask


def renew(grant: "Grant", exchange: ExchangeRequest) -> dict[str, Any]:
    """Way C: mint again for an impersonation's handle, after checking everything again."""
    work, lifecycle = grant.work, grant.parts.lifecycle
    handle = exchange.unverified_subject_token
    actor = _actor(grant, exchange)
    for _ in range(_TRIES):
        record = _of_handle(grant, exchange, handle, actor)
        ask = ask_again(
            work.session, record, actor, grant.registered_client, way=exchange.way, client_address=grant.trace.address
        )
        plan = lifecycle.plan_again(work, ask, record)
        if not plan.active:
            raise AccessDenied("impersonation.needs_again", policies=plan.verdict.decision.policies)
        minted = _sign(grant, exchange, plan)
        if lifecycle.proceed(work, plan):
            grant.parts.issuer.register(work, minted)
            return answer(exchange, minted) | {"impersonation_id": record.id}
    raise Busy("continue.contended")


def _of_handle(grant: "Grant", exchange: ExchangeRequest, handle: str, actor: ActingPerson) -> Record:
    """Return the active impersonation of a handle that this client and this actor may use."""
    work = grant.work
    record = grant.parts.lifecycle.of_handle(work.session, handle)
    if record is None or record.client_id != grant.registered_client.client_id:
        raise InvalidEvidence("handle.unknown_or_not_the_clients")
    grant.trace.impersonation_id = record.id
    if record.actor_id != actor.user_id:
        raise AccessDenied("handle.of_another_actor")
    _check_same(grant, exchange, record)
    if record.overdue(grant.parts.clock.now()):
        grant.parts.lifecycle.expire(work, record)
        raise ExpiredToken("impersonation.overdue")
    if record.state in PENDING_STATES:
        fast_enough = grant.parts.lifecycle.poll(work, handle)
        raise AuthorizationPending("impersonation.pending") if fast_enough else SlowDown("impersonation.polled")
    if record.state is State.EXPIRED or record.end_reason == "clock":
        raise ExpiredToken("impersonation.expired")
    if record.state is not State.ACTIVE:
        raise AccessDenied(f"impersonation.{record.state}")
    return record


def _check_same(grant: "Grant", exchange: ExchangeRequest, record: Record) -> None:
    """Refuse parameters that are neither absent nor equal to what was granted or asked."""
    given = (exchange.mode, exchange.reason, exchange.reason_code, exchange.ticket_id)
    granted = (record.mode, record.reason, record.reason_code, record.ticket_id)
    named = set(grant.named_resources)
    scope = set((grant.form.get("scope") or "").split())
    if (
        any(value is not None and value != was for value, was in zip(given, granted, strict=True))
        or (exchange.break_glass and record.override is None)
        or exchange.consent_way not in {None, record.consent_way}
        or (named and named != set(record.resources))
        or (scope and scope not in (set(record.scopes), set(record.asked_scopes)))
    ):
        raise InvalidRequest("handle.parameters_differ", "A parameter differs from what was granted.")


def _actor(grant: "Grant", exchange: ExchangeRequest) -> ActingPerson:
    person, _ = grant.parts.evidence.acting_person(
        grant.work,
        grant.registered_client,
        exchange.unverified_actor_token or "",
        exchange.actor_token_type or "",
        grant.trace,
    )
    return person


def _sign(grant: "Grant", exchange: ExchangeRequest, plan: Plan) -> Minted:
    minting, session = grant.parts.minting, grant.work.session
    if exchange.requested_token_type == TYPE_ID_TOKEN:
        draft = minting.id_token(session, plan, grant.registered_client, expires_in=exchange.expires_in)
    else:
        draft = minting.access_token(session, plan, expires_in=exchange.expires_in)
    return grant.parts.issuer.sign(session, draft)


def _still_needed(grant: "Grant", plan: Plan, handle: dict[str, str]) -> Refusal:
    """Return the answer to what was started, but waits for somebody's decision."""
    settings = grant.parts.settings
    extra = {
        **handle,
        "interval": settings.impersonation.poll_interval,
        "interaction_uri": f"{settings.issuer}/interactions/{plan.record.id}",
    }
    if isinstance(plan.verdict.decision, NeedsApproval):
        return ApprovalRequired("policy.needs_approval", extra=extra)
    if isinstance(plan.verdict.decision, NeedsNotice):
        return AuthorizationPending("policy.needs_notice", extra=extra)
    number = grant.parts.consents.number(plan.record)
    if number is not None:
        extra["consent_number"] = number
    return ConsentRequired("policy.needs_consent", extra=extra)
