"""`/appetize/handoffs`: a device for an impersonation, and its configuration, once (design section 6)."""

from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import IdPath, problems
from authserver.api.schemas_appetize import ConfigBody, FreshCodeOut, HandoffBody, HandoffOut, SessionConfigurationOut
from authserver.appetize.found import Found
from authserver.appetize.minter import actor_of
from authserver.impersonation.asks import ActingPerson
from authserver.protocol.access import Caller, Credential, may_call
from authserver.protocol.refusals import Forbidden, InvalidToken, NotFound

_ORIGIN = "With config_secret the Origin must be one of the app's allowed_origins."
Answer = tuple[dict[str, Any], int]


def add_handoffs(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post("/handoffs", responses={201: HandoffOut, **problems(404, 409)})
    def create_handoff(body: HandoffBody) -> Answer:
        """Hand an impersonation of one's own to an app; `appetize.max_handoffs` times in its life, then 409."""
        present = call()
        record = present.impersonation(body.impersonation)
        handoffs, settings = present.parts.appetize.handoffs, present.parts.settings
        created = handoffs.create(present.work, record, body.app, build=body.build, resource=body.resource)
        here = f"{settings.issuer}/appetize"
        shown = HandoffOut(
            id=created.id,
            embed_url=f"{here}/embed/{created.id}" if settings.appetize.embed_origin else None,
            expires_in=created.expires_in,
            config_url=f"{here}/handoffs/{created.id}/config",
            config_secret=created.config_secret,
            build_mismatch=created.build_mismatch,
        )
        return shown.model_dump(mode="json", exclude_defaults=True), 201

    @blueprint.post(
        "/handoffs/<string:id>/config",
        responses={200: SessionConfigurationOut, **problems(404, 409, 410, 503)},
        security=[{}],
    )
    def handoff_config(path: IdPath, body: ConfigBody) -> Answer:
        """Give out the session configuration: to the actor, or to who holds the secret at an allow-listed Origin."""
        present = call()
        if present.bearer is None and body.config_secret is None:
            raise InvalidToken("token.missing")
        found = present.parts.appetize.registry.find(present.work, path.id)
        present.trace.impersonation_id = found.record.id
        actor, by = _actor(present, found, body.config_secret)
        configuration = present.parts.appetize.handoffs.configure(
            present.work, found, actor, by=by, client_address=present.trace.address
        )
        return configuration, 200

    @blueprint.post("/handoffs/<string:id>/code", responses={200: FreshCodeOut, **problems(404, 409, 410, 429, 503)})
    def handoff_code(path: IdPath) -> Answer:
        """Get a fresh value by deep link for a device that runs, such as after the app was started again."""
        present = call()
        found = present.parts.appetize.registry.find(present.work, path.id)
        actor = _bearer_actor(present, found)
        fresh = present.parts.appetize.codes.fresh(present.work, found, actor, client_address=present.trace.address)
        return FreshCodeOut(url=fresh.url, value=fresh.value, expires_in=fresh.expires_in).model_dump(mode="json"), 200

    @blueprint.after_request
    def share(response: Response) -> Response:
        """Let the pages of allow-listed origins read the configuration's answers, and ask first (Fetch, CORS)."""
        origin = request.headers.get("Origin")
        if request.endpoint == f"{blueprint.name}.handoff_config":
            response.headers["Vary"] = "Origin"
            present = call()
            if origin is not None and present.parts.appetize.apps.names(present.work.session, origin):
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Allow-Methods"] = "POST"
                response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        return response


def _actor(present: Call, found: Found, secret: str | None) -> tuple[ActingPerson, str]:
    if present.bearer is not None:
        return _bearer_actor(present, found), "actor"
    if secret is None or not present.parts.appetize.handoffs.secret_fits(found, secret):
        raise NotFound("handoff.secret")
    if not may_call(present.trace.endpoint, Caller(Credential.CONFIG_SECRET)):
        raise Forbidden("access.table")
    if request.headers.get("Origin") not in found.app.allowed_origins:
        raise Forbidden("handoff.origin", _ORIGIN)
    return actor_of(present.work, found.record), "config_secret"


def _bearer_actor(present: Call, found: Found) -> ActingPerson:
    present.impersonation(found.record.id)
    authentication = present.caller.token.authentication
    if authentication is None:
        raise InvalidToken("token.not_a_person")
    return ActingPerson(user_id=present.caller.user_id, authentication=authentication)
