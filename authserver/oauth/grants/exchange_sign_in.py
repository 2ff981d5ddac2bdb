"""Way E of token exchange: a trusted issuer's user signs in with their own token; nobody acts for anybody."""

from typing import TYPE_CHECKING, Any

from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.foreign_evidence import SignedIn
from authserver.oauth.grants.exchange_answer import answer
from authserver.protocol.access import IMPERSONATE, entitled
from authserver.protocol.names import TYPE_ID_TOKEN
from authserver.protocol.refusals import InvalidEvidence, InvalidRequest, InvalidScope
from authserver.storage import people, resources
from authserver.tokens import targets
from authserver.tokens.issuer import Draft

if TYPE_CHECKING:
    from authserver.oauth.grants.base import Grant


def respond(grant: "Grant", exchange: ExchangeRequest) -> dict[str, Any]:
    """Give an access token of the local user that the token maps to, with their sign-in at the issuer behind it."""
    evidence, unverified_token = grant.parts.evidence.foreign, exchange.unverified_subject_token
    if exchange.requested_token_type == TYPE_ID_TOKEN:
        raise InvalidRequest("requested_token_type.unexpected", "An ID token is not issued in this exchange.")
    if not evidence.issued(unverified_token):
        raise InvalidEvidence("subject.not_of_a_trusted_issuer")
    person = evidence.signed_in(
        grant.work, grant.registered_client, unverified_token, exchange.subject_token_type, grant.trace
    )
    grant.trace.target = person.user_id
    minted = grant.parts.issuer.sign(grant.work.session, _draft(grant, exchange, person))
    grant.work.lock()
    _check_still_signed_in(grant, person)
    grant.parts.issuer.register(grant.work, minted)
    return answer(exchange, minted)


def _draft(grant: "Grant", exchange: ExchangeRequest, person: SignedIn) -> Draft:
    session, client, now = grant.work.session, grant.registered_client, grant.parts.clock.now()
    target = targets.resolve(session, client, grant.named_resources, grant.form.get("scope"), of_people=True)
    user = people.find(session, person.user_id)
    scopes = _scopes(grant, target, person)
    if user is None or not scopes:
        raise InvalidScope("scope.nothing_left")
    limit = grant.parts.settings.tokens.access_token_seconds
    sub, extra = grant.parts.minting.profile(session, target.resources, user)
    authentication = person.authentication
    return Draft(
        way=exchange.way,
        client_id=client.client_id,
        user_id=user.id,
        sub=sub,
        audience=target.resources,
        scope=scopes,
        expires_at=min(now + min(limit, exchange.expires_in or limit), person.token.expires_at),
        session_id=authentication.session_id,
        extra={**extra, **_authenticated(person)},
    )


def _scopes(grant: "Grant", target: targets.Target, person: SignedIn) -> tuple[str, ...]:
    """Cut what is asked of the client's scopes by the user's roles: no exchange gives what cannot be delegated.

    The issuer's own scopes are the user's to have, as by any sign-in, but for `impersonate`.
    """
    issuer = grant.parts.settings.issuer
    has = entitled(person.roles) | resources.scopes_of_roles(grant.work.session, person.roles)
    return tuple(
        scope.name
        for scope in target.asked
        if scope.name in has - {IMPERSONATE} and (scope.resource == issuer or not scope.non_delegable)
    )


def _authenticated(person: SignedIn) -> dict[str, Any]:
    """Return how the user authenticated, as far as the issuer told (RFC 9068 §2.2.1)."""
    token = person.token
    told = {"auth_time": token.auth_time, "acr": token.acr, "amr": list(token.amr)}
    return {name: value for name, value in told.items() if value}


def _check_still_signed_in(grant: "Grant", person: SignedIn) -> None:
    """Check under lock that user and session did not end while the token was being signed."""
    session, now = grant.work.session, grant.parts.clock.now()
    user = people.find(session, person.user_id, hold=True)
    behind = people.find_session(session, person.authentication.session_id, hold=True)
    if user is None or not user.enabled or behind is None or behind.ended_at is not None or now >= behind.expires_at:
        raise InvalidEvidence("session.ended")
