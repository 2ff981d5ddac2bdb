"""Token exchange (RFC 8693): parse, verify the evidence, decide, sign, write, respond.

Ways A, B and C act as another person, by an impersonation; way D acts on behalf of the user whose token it is.
"""

from dataclasses import replace
from typing import Any

from authserver.impersonation.asks import ActingPerson, Ask, Plan, ask_again
from authserver.impersonation.policy import NeedsApproval
from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.grants.base import Grant
from authserver.protocol.actors import Actor
from authserver.protocol.names import (
    GRANT_TOKEN_EXCHANGE,
    PENDING_STATES,
    TYPE_ID_TOKEN,
    TYPE_USER_ID,
    Mode,
    State,
    Way,
    is_user_id,
)
from authserver.protocol.refusals import (
    AccessDenied,
    ApprovalRequired,
    AuthorizationPending,
    Busy,
    ConsentRequired,
    ExpiredToken,
    InvalidEvidence,
    InvalidRequest,
    InvalidScope,
    Refusal,
    SlowDown,
    UnauthorizedClient,
)
from authserver.protocol.scopes import Ceiling, cut, join_scope
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import people, resources
from authserver.storage.impersonations import Record
from authserver.tokens import targets
from authserver.tokens.issuer import Draft, Minted

_TRIES = 4


class TokenExchangeGrant(Grant):
    """Exchanges evidence about a subject, and about who acts, for a token that names both."""

    GRANT_TYPE = GRANT_TOKEN_EXCHANGE

    def respond(self) -> dict[str, Any]:
        """Parse, then go one of the ways."""
        settings = self.parts.settings
        exchange = ExchangeRequest.parse(
            self.form, settings.exchange.token_type_aliases, settings.impersonation.max_reason_chars
        )
        self.trace.way = exchange.way
        client = self.registered_client
        if exchange.way not in client.ways:
            raise UnauthorizedClient("way.not_the_clients")
        if exchange.requested_token_type == TYPE_ID_TOKEN and not client.receives_id_tokens:
            raise UnauthorizedClient("requested_token_type.not_the_clients")
        match exchange.way:
            case Way.USER_ID | Way.OWN_TOKEN:
                return self._impersonate(exchange)
            case Way.IMPERSONATION:
                return self._continue(exchange)
            case Way.ON_BEHALF_OF:
                return self._on_behalf_of(exchange)

    def _impersonate(self, exchange: ExchangeRequest) -> dict[str, Any]:
        """Ways A and B: start an impersonation, or find the one that the same request started before."""
        work, lifecycle = self.work, self.parts.lifecycle
        ask = self._ask(exchange)
        for _ in range(_TRIES):
            plan = lifecycle.plan(work, ask)
            minted = self._sign(exchange, plan) if plan.active else None
            started = lifecycle.start(work, plan)
            if started is None:
                continue
            self.trace.impersonation_id = started.record.id
            handle = {"impersonation": started.handle, "impersonation_id": started.record.id}
            if minted is None:
                raise self._still_needed(plan, handle)
            self.parts.issuer.register(work, minted)
            return _body(exchange, minted) | handle
        raise Busy("start.contended")

    def _ask(self, exchange: ExchangeRequest) -> Ask:
        """Verify who acts, and resolve what is asked; nothing about the target is read."""
        work, client = self.work, self.registered_client
        if exchange.subject_token_type == TYPE_USER_ID:
            subject_id = exchange.unverified_subject_token
            actor = self._actor(exchange)
        else:
            subject_id = exchange.requested_subject or ""
            actor, token = self.parts.evidence.acting_person(
                work.session, client, exchange.unverified_subject_token, exchange.subject_token_type, self.trace
            )
            _check_may_act(token, Actor(client.client_id, self.parts.settings.issuer))
        self.trace.target = subject_id if is_user_id(subject_id) else None
        target = targets.resolve(work.session, client, self.named_resources, self.form.get("scope"))
        if exchange.requested_token_type != TYPE_ID_TOKEN:
            self.parts.minting.subject_identifier(work.session, target.resources)
        return Ask(
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
            lifetime=self.parts.settings.impersonation.expires_in,
            break_glass=exchange.break_glass,
            client_address=self.trace.address,
        )

    def _continue(self, exchange: ExchangeRequest) -> dict[str, Any]:
        """Way C: mint again for an impersonation's handle, after checking everything again."""
        work, lifecycle = self.work, self.parts.lifecycle
        handle = exchange.unverified_subject_token
        actor = self._actor(exchange)
        for _ in range(_TRIES):
            record = self._of_handle(exchange, handle, actor)
            ask = ask_again(
                work.session, record, actor, self.registered_client, way=exchange.way, client_address=self.trace.address
            )
            plan = lifecycle.plan_again(work, ask, record)
            if not plan.active:
                raise AccessDenied("impersonation.needs_again", policies=plan.verdict.decision.policies)
            minted = self._sign(exchange, plan)
            if lifecycle.proceed(work, plan):
                self.parts.issuer.register(work, minted)
                return _body(exchange, minted) | {"impersonation_id": record.id}
        raise Busy("continue.contended")

    def _of_handle(self, exchange: ExchangeRequest, handle: str, actor: ActingPerson) -> Record:
        """Return the active impersonation of a handle that this client and this actor may use."""
        work = self.work
        record = self.parts.lifecycle.of_handle(work.session, handle)
        if record is None or record.client_id != self.registered_client.client_id:
            raise InvalidEvidence("handle.unknown_or_not_the_clients")
        self.trace.impersonation_id = record.id
        if record.actor_id != actor.user_id:
            raise AccessDenied("handle.of_another_actor")
        self._check_same(exchange, record)
        if record.overdue(self.parts.clock.now()):
            self.parts.lifecycle.expire(work, record)
            raise ExpiredToken("impersonation.overdue")
        if record.state in PENDING_STATES:
            fast_enough = self.parts.lifecycle.poll(work, handle)
            raise AuthorizationPending("impersonation.pending") if fast_enough else SlowDown("impersonation.polled")
        if record.state is State.EXPIRED or record.end_reason == "clock":
            raise ExpiredToken("impersonation.expired")
        if record.state is not State.ACTIVE:
            raise AccessDenied(f"impersonation.{record.state}")
        return record

    def _check_same(self, exchange: ExchangeRequest, record: Record) -> None:
        """Refuse parameters that are neither absent nor equal to what was granted or asked."""
        given = (exchange.mode, exchange.reason, exchange.reason_code, exchange.ticket_id)
        granted = (record.mode, record.reason, record.reason_code, record.ticket_id)
        named = set(self.named_resources)
        scope = set((self.form.get("scope") or "").split())
        if (
            any(value is not None and value != was for value, was in zip(given, granted, strict=True))
            or exchange.break_glass
            or (named and named != set(record.resources))
            or (scope and scope not in (set(record.scopes), set(record.asked_scopes)))
        ):
            raise InvalidRequest("handle.parameters_differ", "A parameter differs from what was granted.")

    def _on_behalf_of(self, exchange: ExchangeRequest) -> dict[str, Any]:
        """Way D: the same user, with the client as actor; what an impersonation bounds stays bounded."""
        work, client, evidence = self.work, self.registered_client, self.parts.evidence
        if exchange.requested_token_type == TYPE_ID_TOKEN:
            raise InvalidRequest("requested_token_type.unexpected", "An ID token is not issued in this exchange.")
        subject = evidence.own_user(work.session, client, exchange.unverified_subject_token)
        self.trace.target = subject.user_id
        self.trace.impersonation_id = subject.impersonation_id
        actor = evidence.acting_client(
            work.session, client, exchange.unverified_actor_token, exchange.actor_token_type, self.trace
        )
        _check_may_act(subject, actor)
        chain = replace(actor, before=subject.act)
        if chain.depth() > self.parts.settings.tokens.max_act_depth:
            raise AccessDenied("act.too_deep")
        minted = self.parts.issuer.sign(work.session, self._on_behalf_draft(exchange, subject, chain))
        work.lock()
        self._still_alive(exchange.unverified_subject_token)
        self.parts.issuer.register(work, minted)
        return _body(exchange, minted)

    def _on_behalf_draft(self, exchange: ExchangeRequest, subject: VerifiedToken, chain: Actor) -> Draft:
        session, client, now = self.work.session, self.registered_client, self.parts.clock.now()
        target = targets.resolve(session, client, self.named_resources, self.form.get("scope"))
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
        limit = self.parts.settings.tokens.access_token_seconds
        expires_at = min(now + min(limit, exchange.expires_in or limit), subject.authentication.expires_at)
        if subject.impersonation_id is not None:
            expires_at = min(expires_at, subject.expires_at)
        sub, extra = self.parts.minting.profile(session, target.resources, user)
        return Draft(
            way=exchange.way,
            client_id=client.client_id,
            user_id=user.id,
            sub=sub,
            audience=target.resources,
            scope=scopes,
            expires_at=expires_at,
            session_id=subject.authentication.session_id,
            act=chain,
            impersonation_id=subject.impersonation_id,
            impersonation=subject.claims.get("impersonation"),
            extra=extra,
        )

    def _still_alive(self, unverified_subject_token: str) -> None:
        """Check under lock that the subject token did not die while the new one was being signed."""
        self.parts.evidence.own_user(self.work.session, self.registered_client, unverified_subject_token)

    def _actor(self, exchange: ExchangeRequest) -> ActingPerson:
        person, _ = self.parts.evidence.acting_person(
            self.work.session,
            self.registered_client,
            exchange.unverified_actor_token or "",
            exchange.actor_token_type or "",
            self.trace,
        )
        return person

    def _sign(self, exchange: ExchangeRequest, plan: Plan) -> Minted:
        minting, session = self.parts.minting, self.work.session
        if exchange.requested_token_type == TYPE_ID_TOKEN:
            draft = minting.id_token(session, plan, self.registered_client, expires_in=exchange.expires_in)
        else:
            draft = minting.access_token(session, plan, expires_in=exchange.expires_in)
        return self.parts.issuer.sign(session, draft)

    def _still_needed(self, plan: Plan, handle: dict[str, str]) -> Refusal:
        """Return the answer to what was started, but waits for somebody's decision."""
        settings = self.parts.settings
        extra = {
            **handle,
            "interval": settings.impersonation.poll_interval,
            "interaction_uri": f"{settings.issuer}/interactions/{plan.record.id}",
        }
        if isinstance(plan.verdict.decision, NeedsApproval):
            return ApprovalRequired("policy.needs_approval", extra=extra)
        return ConsentRequired("policy.needs_consent", extra=extra)


def _check_may_act(token: VerifiedToken, actor: Actor) -> None:
    """Hold a `may_act` claim against who acts, by `iss` and `sub` (RFC 8693 §4.4)."""
    if token.may_act is not None and not token.may_act.names(actor):
        raise AccessDenied("may_act.names_another")


def _body(exchange: ExchangeRequest, minted: Minted) -> dict[str, Any]:
    """Return the members of RFC 8693 §2.2.1."""
    body: dict[str, Any] = {
        "access_token": minted.token,
        "issued_token_type": exchange.requested_token_type,
        "token_type": "N_A" if exchange.requested_token_type == TYPE_ID_TOKEN else "Bearer",
        "expires_in": minted.expires_in,
    }
    if exchange.requested_token_type != TYPE_ID_TOKEN:
        body["scope"] = join_scope(minted.draft.scope)
    return body
