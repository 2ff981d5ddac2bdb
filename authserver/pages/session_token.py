"""`/session/token`: a page of a first-party client gets a short-lived token of who is signed in in the browser (S1).

The session itself is never handed over. Which page asks is told by `Origin` alone, which a browser sets and a page
cannot; it has to be there, and to be allow-listed for the client, to the byte.
"""

from flask import Blueprint, Response, request

from authserver.accounts.authentication import meets
from authserver.audit.events.tokens import SessionTokenIssued
from authserver.pages.parts import PageParts
from authserver.protocol.access import entitled
from authserver.protocol.refusals import (
    InsufficientUserAuthentication,
    InvalidScope,
    Refusal,
    UnauthorizedClient,
)
from authserver.protocol.scopes import join_scope
from authserver.storage import DbSession, clients, people, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work, unit_of_work
from authserver.tokens import targets
from authserver.tokens.issuer import Draft, Minted
from authserver.web.browser import SignedIn
from authserver.web.fields import Fields
from authserver.web.refusals import Trace, json_answer, new_trace, oauth_error

PATH = "/session/token"
_WAY = "session"
_UNKNOWN_STRENGTH = frozenset({"", "0"})


class LoginRequired(Refusal):
    """`login_required`: nobody is signed in in this browser any more (OIDC Core §3.1.2.6)."""

    error = "login_required"
    words = "The user has to sign in."


class ForeignOrigin(Refusal):
    """The request does not come from a page that may ask."""

    status = 403
    words = "The Origin is not allowed here."


def add_session_token(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the endpoint, and its preflight (Fetch §3.2)."""

    @blueprint.route(PATH, methods=["POST"], provide_automatic_options=False)
    def session_token() -> Response:
        trace = new_trace()
        with unit_of_work() as work:
            try:
                response = json_answer(_respond(parts, work, trace))
            except Refusal as refusal:
                parts.refusals.refuse(work, trace, refusal)
                response = oauth_error(refusal)
        return _shared(parts, response)

    @blueprint.route(PATH, methods=["OPTIONS"], provide_automatic_options=False)
    def session_token_preflight() -> Response:
        response = _shared(parts, Response(status=204))
        if "Access-Control-Allow-Origin" in response.headers:
            response.headers["Access-Control-Allow-Methods"] = "POST"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type"
            response.headers["Access-Control-Max-Age"] = "600"
        return response


def _respond(parts: PageParts, work: Work, trace: Trace) -> dict[str, object]:
    origin = request.headers.get("Origin")
    if origin is None or origin not in parts.settings.session_token.allowed_origins():
        raise ForeignOrigin("origin.missing" if origin is None else "origin.foreign")
    fields = Fields.read(request, single=("client_id", "scope"), lists=("resource",))
    signed_in = parts.browser.signed_in(work)
    if signed_in is None:
        raise LoginRequired("session.none")
    trace.actor = signed_in.user_id
    _check_strength(parts, signed_in)
    client = _client(parts, work.session, fields.get("client_id"), origin, trace)
    minted = parts.issuer.sign(work.session, _draft(parts, work.session, signed_in, client, fields))
    _check_again(work, signed_in, client, now=parts.clock.now())
    parts.issuer.register(work, minted)
    parts.trail.record(work, _event(signed_in, client, origin, minted))
    return {
        "access_token": minted.token,
        "token_type": "Bearer",
        "expires_in": minted.expires_in,
        "scope": join_scope(minted.draft.scope),
    }


def _check_strength(parts: PageParts, signed_in: SignedIn) -> None:
    wanted = parts.settings.session_token.acr_values
    if signed_in.acr in _UNKNOWN_STRENGTH or not meets(signed_in.acr, wanted):
        raise InsufficientUserAuthentication("session.weak", extra={"acr_values": " ".join(wanted)})


def _client(parts: PageParts, session: DbSession, client_id: str | None, origin: str, trace: Trace) -> RegisteredClient:
    """Return the client whose page asks: registered, first-party, enabled, and allow-listed for its origin."""
    trace.tried_client_id = client_id
    known = parts.settings.session_token.clients.get(client_id or "")
    if known is None or origin not in known.allowed_origins:
        raise UnauthorizedClient("client.not_at_this_origin")
    client = clients.find(session, client_id or "")
    if client is None or not client.enabled or not client.first_party:
        raise UnauthorizedClient("client.unknown_or_third_party")
    trace.client_id = client.client_id
    return client


def _draft(
    parts: PageParts, session: DbSession, signed_in: SignedIn, client: RegisteredClient, fields: Fields
) -> Draft:
    """Draft the person's own token: what is asked, cut by what the client may have and what they have; no `act`."""
    user = people.find(session, signed_in.user_id)
    if user is None:
        raise LoginRequired("session.none")
    target = targets.resolve(session, client, fields.all("resource") or (), fields.get("scope"), of_people=True)
    has = entitled(user.roles) | resources.scopes_of_roles(session, user.roles)
    scopes = tuple(name for name in target.names if name in has)
    if not scopes:
        raise InvalidScope("scope.nothing_left")
    sub, extra = parts.minting.profile(session, target.resources, user)
    authenticated = {"auth_time": signed_in.auth_time, "acr": signed_in.acr, "amr": list(signed_in.amr)}
    return Draft(
        way=_WAY,
        client_id=client.client_id,
        user_id=user.id,
        sub=sub,
        audience=target.resources,
        scope=scopes,
        expires_at=min(parts.clock.now() + parts.settings.session_token.seconds, signed_in.expires_at),
        session_id=signed_in.session_id,
        extra={**extra, **authenticated},
    )


def _check_again(work: Work, signed_in: SignedIn, client: RegisteredClient, *, now: int) -> None:
    """Check under lock that nobody and nothing ended while the token was being signed."""
    work.lock()
    user = people.find(work.session, signed_in.user_id, hold=True)
    behind = people.find_session(work.session, signed_in.session_id, hold=True)
    if user is None or not user.enabled or behind is None or behind.ended_at is not None or now >= behind.expires_at:
        raise LoginRequired("session.ended")
    found = clients.find(work.session, client.client_id, hold=True)
    if found is None or not found.enabled:
        raise UnauthorizedClient("client.disabled")


def _event(signed_in: SignedIn, client: RegisteredClient, origin: str, minted: Minted) -> SessionTokenIssued:
    return SessionTokenIssued(
        session_id=signed_in.session_id,
        user_id=signed_in.user_id,
        client_id=client.client_id,
        origin=origin,
        jti=minted.jti,
    )


def _shared(parts: PageParts, response: Response) -> Response:
    """Let the page at an allow-listed origin read the answer, refusals too, and nobody else (Fetch §3.2)."""
    response.headers["Vary"] = "Origin"
    response.headers["Cache-Control"] = "no-store"
    origin = request.headers.get("Origin")
    if origin is not None and origin in parts.settings.session_token.allowed_origins():
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response
