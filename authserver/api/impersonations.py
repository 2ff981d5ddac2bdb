"""`/api/v1/impersonations`: start, read, end."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.offers import may_exchange
from authserver.api.schemas import (
    IdPath,
    ImpersonationOut,
    StartBody,
    StartedOut,
    problems,
)
from authserver.impersonation.asks import ActingPerson, Ask, Started, consent_way
from authserver.protocol.names import State, is_user_id
from authserver.protocol.refusals import Busy, Conflict, InvalidRequest, InvalidToken
from authserver.storage import clients, impersonations
from authserver.storage.clients import RegisteredClient
from authserver.storage.impersonations import Record
from authserver.tokens import targets
from authserver.web.bearer import Bearer

_TRIES = 4
Answer = tuple[dict[str, Any], int]


def add_impersonations(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post("/impersonations", responses={201: StartedOut, **problems(503)})
    def start_impersonation(body: StartBody) -> Answer:
        """Ask to act as a customer; the exchanging client gets its token with the handle (way C)."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        started = _start(present, _ask(present, body))
        return {**present.shown(started.record), "handle": started.handle}, 201

    @blueprint.get("/impersonations/<string:id>", responses={200: ImpersonationOut, **problems(404)})
    def read_impersonation(path: IdPath) -> Answer:
        """Read one impersonation."""
        present = call()
        return present.shown(present.impersonation(path.id)), 200

    @blueprint.post("/impersonations/<string:id>/end", responses={200: ImpersonationOut, **problems(404)})
    def end_impersonation(path: IdPath) -> Answer:
        """End an impersonation; every token of it is dead at once. Ending it twice is ending it once."""
        present = call()
        record = present.impersonation(path.id)
        bearer = present.caller
        by = bearer.token.act.sub if bearer.token.act is not None else bearer.user_id
        ended = present.parts.lifecycle.end(
            present.work, record, state=State.ENDED, by=by, reason=_side(bearer, record)
        )
        return present.shown(ended or _again(present, record)), 200


def _ask(present: Call, body: StartBody) -> Ask:
    session, bearer = present.work.session, present.caller
    if bearer.token.authentication is None:
        raise InvalidToken("token.not_a_person")
    client = _exchanging_client(present, body.client_id or bearer.token.client_id)
    present.trace.way = "api"
    present.trace.target = body.subject if is_user_id(body.subject) else None
    target = targets.resolve(session, client, body.resource, body.scope or None)
    limit = present.parts.settings.impersonation.expires_in
    return Ask(
        way="api",
        actor=ActingPerson(user_id=bearer.user_id, authentication=bearer.token.authentication),
        client=client,
        subject_id=body.subject,
        resources=target.resources,
        asked=target.asked,
        mode=body.mode,
        reason=body.reason,
        reason_code=body.reason_code,
        ticket_id=body.ticket_id,
        lifetime=min(body.expires_in or limit, limit),
        break_glass=body.override is not None,
        client_address=present.trace.address,
        consent_way=consent_way(present.parts.settings.consent, body.consent_way),
    )


def _exchanging_client(present: Call, client_id: str) -> RegisteredClient:
    client = clients.find(present.work.session, client_id)
    if client is None or not may_exchange(client):
        raise InvalidRequest("client.cannot_exchange", "client_id is not a client that may exchange.")
    return client


def _start(present: Call, ask: Ask) -> Started:
    lifecycle = present.parts.lifecycle
    for _ in range(_TRIES):
        started = lifecycle.start(present.work, lifecycle.plan(present.work, ask))
        if started is not None:
            return started
    raise Busy("start.contended")


def _side(bearer: Bearer, record: Record) -> str:
    """Name the side from which it ends."""
    if bearer.token.act is not None or bearer.user_id == record.actor_id:
        return "actor"
    return "subject" if bearer.user_id == record.subject_id else "staff"


def _again(present: Call, record: Record) -> Record:
    found = impersonations.find(present.work.session, record.id)
    if found is None:
        raise Conflict("impersonation.gone")
    return found
