"""`/api/v1/clients`: OAuth clients, for admins. No secret is shown but in the answer to its making."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call
from authserver.api.schemas import problems
from authserver.api.schemas_directory import (
    ClientBody,
    ClientOut,
    ClientPath,
    ClientShownOut,
    ClientsOut,
    ClientWithSecretOut,
    DisabledClientOut,
    EndedOut,
    NewClientBody,
    RotateBody,
    SecretOut,
)
from authserver.api.shapes import instant, moment
from authserver.api.users import allowed
from authserver.protocol.refusals import InvalidRequest
from authserver.registry.refusals import Unknown
from authserver.storage import clients

Answer = tuple[dict[str, Any], int]
_SORTED = ("grant_types", "ways", "scopes", "accepts_tokens_of")
_KEPT = ("default_resources", "redirect_uris", "post_logout_redirect_uris")


def add_clients(blueprint: APIBlueprint) -> None:
    """Add the operations."""
    _add_reading(blueprint)
    _add_changing(blueprint)
    _add_enabling(blueprint)


def _add_reading(blueprint: APIBlueprint) -> None:
    @blueprint.get("/clients", responses={200: ClientsOut})
    def list_clients() -> Answer:
        """List OAuth clients by id; no secret is ever shown."""
        present = allowed()
        rows = clients.listing(present.work.session)
        shown = [ClientOut.model_validate(row, from_attributes=True) for row in rows]
        return ClientsOut(items=shown).model_dump(mode="json"), 200

    @blueprint.get("/clients/<string:id>", responses={200: ClientShownOut, **problems(404)})
    def read_client(path: ClientPath) -> Answer:
        """Show one client, and when its secrets were made."""
        present = allowed()
        return ClientShownOut(**_shown(present, path.id)).model_dump(mode="json"), 200


def _add_changing(blueprint: APIBlueprint) -> None:
    @blueprint.post("/clients", responses={201: ClientWithSecretOut, **problems(409)})
    def create_client(body: NewClientBody) -> Answer:
        """Register a client; its secret is in the answer, this once."""
        present = allowed()
        registry, by = present.parts.registry.clients, present.caller.user_id
        values = body.model_dump(exclude_unset=True, exclude={"client_id"})
        secret = registry.create(present.work, body.client_id, values, by=by)
        shown = ClientWithSecretOut(**_shown(present, body.client_id), client_secret=secret)
        return shown.model_dump(mode="json"), 201

    @blueprint.patch("/clients/<string:id>", responses={200: ClientWithSecretOut, **problems(404, 409)})
    def change_client(path: ClientPath, body: ClientBody) -> Answer:
        """Change what is given and leave the rest; who turns to a secret gets one, in the answer, this once."""
        present = allowed()
        values = body.model_dump(exclude_unset=True)
        if not values:
            raise InvalidRequest("clients.nothing", "Nothing to change was given.")
        registry, by = present.parts.registry.clients, present.caller.user_id
        secret = registry.change(present.work, path.id, values, by=by)
        shown = ClientWithSecretOut(**_shown(present, path.id), client_secret=secret)
        return shown.model_dump(mode="json"), 200

    @blueprint.post("/clients/<string:id>/secrets", responses={201: ClientWithSecretOut, **problems(404, 409)})
    def create_client_secret(path: ClientPath, body: RotateBody) -> Answer:
        """Make a new secret, shown this once; the old ones live on for `overlap_seconds`."""
        present = allowed()
        registry, by = present.parts.registry.clients, present.caller.user_id
        secret = registry.rotate_secret(present.work, path.id, overlap=body.overlap_seconds, by=by)
        shown = ClientWithSecretOut(**_shown(present, path.id), client_secret=secret)
        return shown.model_dump(mode="json"), 201


def _add_enabling(blueprint: APIBlueprint) -> None:
    @blueprint.post("/clients/<string:id>/disable", responses={200: DisabledClientOut, **problems(404, 409)})
    def disable_client(path: ClientPath) -> Answer:
        """Disable a client: its tokens are dead at once and its impersonations end."""
        present = allowed()
        registry, caller = present.parts.registry.clients, present.caller
        ended = registry.disable(present.work, path.id, by=caller.user_id, using=caller.token.client_id)
        told = None
        if ended is not None:
            told = EndedOut(sessions=ended.sessions, impersonations=ended.impersonations)
        return DisabledClientOut(**_shown(present, path.id), ended=told).model_dump(mode="json"), 200

    @blueprint.post("/clients/<string:id>/enable", responses={200: ClientShownOut, **problems(404)})
    def enable_client(path: ClientPath) -> Answer:
        """Enable a client again; the tokens and impersonations that it had stay dead."""
        present = allowed()
        present.parts.registry.clients.enable(present.work, path.id, by=present.caller.user_id)
        return ClientShownOut(**_shown(present, path.id)).model_dump(mode="json"), 200


def _shown(present: Call, client_id: str) -> dict[str, Any]:
    """Return one client as it is now. Raises Unknown."""
    session, now = present.work.session, present.parts.clock.now()
    client = clients.find(session, client_id)
    if client is None:
        raise Unknown("clients.unknown")
    shown = {name: getattr(client, name) for name in ClientOut.model_fields}
    shown |= {name: sorted(shown[name]) for name in _SORTED}
    shown |= {name: list(shown[name]) for name in _KEPT}
    secrets = [
        SecretOut(created_at=moment(created_at), expires_at=instant(expires_at))
        for created_at, expires_at in clients.living_secrets(session, client_id, now=now)
    ]
    in_use = present.caller.token.client_id == client_id
    return {**shown, "jwks": client.jwks, "secrets": secrets, "in_use": in_use}
