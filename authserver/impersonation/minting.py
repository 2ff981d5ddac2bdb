"""What an impersonation's tokens say (RFC 8693 §4.1, RFC 9068 §2.2, design section 3 "The token")."""

from collections.abc import Sequence
from typing import Any

from authserver.impersonation.asks import Plan
from authserver.protocol.actors import Actor
from authserver.protocol.names import Kind
from authserver.protocol.refusals import AccessDenied, InvalidTarget
from authserver.settings import Tokens
from authserver.storage import DbSession, people
from authserver.storage import resources as resource_servers
from authserver.storage.clients import RegisteredClient
from authserver.storage.impersonations import Record
from authserver.storage.tables import User
from authserver.tokens.issuer import Draft


class Minting:
    """Drafts the tokens of impersonations; never with `auth_time`, `acr` or `amr`: the customer did not sign in."""

    def __init__(self, issuer: str, limits: Tokens) -> None:
        """Draft as `issuer`, within `limits` of life."""
        self._issuer = issuer
        self._limits = limits

    def access_token(
        self,
        session: DbSession,
        plan: Plan,
        *,
        resources: tuple[str, ...] | None = None,
        expires_in: int | None = None,
    ) -> Draft:
        """Draft the access token of an active impersonation.

        `resources` may only be fewer than granted, `expires_in` (seconds) only shorten its life.
        """
        record = plan.record
        audience = record.resources if resources is None else resources
        scopes = {scope.name for scope in plan.ask.asked if scope.resource in audience}
        sub, extra = self.profile(session, audience, _subject(session, record))
        return Draft(
            way=plan.ask.way,
            client_id=record.client_id,
            user_id=record.subject_id,
            sub=sub,
            audience=audience,
            scope=tuple(name for name in plan.verdict.scopes if name in scopes),
            expires_at=_expiry(plan, expires_in, self._limits.impersonation_token_seconds),
            session_id=plan.ask.actor.authentication.session_id,
            act=Actor(record.actor_id, self._issuer),
            impersonation_id=record.id,
            impersonation=_claim(record),
            extra=extra,
        )

    def id_token(
        self, session: DbSession, plan: Plan, client: RegisteredClient, *, expires_in: int | None = None
    ) -> Draft:
        """Draft the ID token of an active impersonation (S3): for its client alone, and for a short time."""
        record = plan.record
        return Draft(
            kind=Kind.ID,
            way=plan.ask.way,
            client_id=client.client_id,
            user_id=record.subject_id,
            sub=_subject(session, record).id,
            audience=(client.client_id,),
            expires_at=_expiry(plan, expires_in, self._limits.impersonation_id_token_seconds),
            session_id=plan.ask.actor.authentication.session_id,
            act=Actor(record.actor_id, self._issuer),
            impersonation_id=record.id,
            impersonation=_claim(record),
            alg=client.id_token_alg,
        )

    def profile(self, session: DbSession, uris: Sequence[str], user: User) -> tuple[str, dict[str, Any]]:
        """Return `sub` and the further claims that these resources' profiles want of a user."""
        identifier = self.subject_identifier(session, uris)
        found = resource_servers.find(session, uris).values()
        names = {name for resource in found for name in resource.extra_claims}
        return str(getattr(user, identifier)), {name: getattr(user, name) for name in sorted(names)}

    def subject_identifier(self, session: DbSession, uris: Sequence[str]) -> str:
        """Return the identifier that becomes `sub` in one token for these resources.

        Resources that want different ones cannot share a token: `invalid_target`.
        """
        identifiers = {resource.subject_identifier for resource in resource_servers.find(session, uris).values()}
        if len(identifiers) != 1:
            raise InvalidTarget("resource.profiles_differ")
        return identifiers.pop()


def _claim(record: Record) -> dict[str, Any]:
    claim = {"id": record.id, "mode": record.mode, "ticket_id": record.ticket_id}
    return claim if record.override is None else claim | {"override": record.override}


def _subject(session: DbSession, record: Record) -> User:
    subject = people.find(session, record.subject_id)
    if subject is None:
        raise AccessDenied("target.unknown")
    return subject


def _expiry(plan: Plan, expires_in: int | None, limit: int) -> int:
    """Return the earliest of policy, what was asked, the impersonation's clock and the session of its actor."""
    record, actor = plan.record, plan.ask.actor.authentication
    clock = plan.now + record.lifetime if record.expires_at is None else record.expires_at
    return min(plan.now + min(limit, expires_in or limit), clock, actor.expires_at)
