"""The API's two blueprints, and its OpenAPI document."""

from functools import cache
from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.info import Info
from flask_openapi.models.schema import Schema
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import ValidationError

from authserver.api.actions import add_actions
from authserver.api.call import call, govern
from authserver.api.configuration import add_configuration
from authserver.api.consents import add_consents
from authserver.api.decisions import add_decisions
from authserver.api.desk import add_desk
from authserver.api.devices import add_devices
from authserver.api.directory import add_directory
from authserver.api.exports import add_exports
from authserver.api.handoffs import add_handoffs
from authserver.api.impersonations import add_impersonations
from authserver.api.listing import add_listing
from authserver.api.listing_stream import add_listing_stream
from authserver.api.parts import ApiParts
from authserver.api.possession import describe_proofs
from authserver.api.proofs import add_proofs
from authserver.api.redemption import add_redemption
from authserver.api.schemas import Problem, problems
from authserver.api.schemas_listing import ListedOut, ReadyOut
from authserver.api.statistics import add_statistics
from authserver.api.streams import add_streams
from authserver.api.timeline import add_timeline
from authserver.api.trail import add_trail
from authserver.protocol.refusals import InvalidRequest
from authserver.web.refusals import json_answer, problem_answer

_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]


def create_blueprints(parts: ApiParts) -> list[APIBlueprint]:
    """Return the blueprints of `/api/v1` and `/appetize`."""
    blueprints = _blueprints(documented=False)
    for blueprint in blueprints:
        govern(blueprint, parts)
    return blueprints


def _blueprints(*, documented: bool) -> list[APIBlueprint]:
    api = _blueprint("api", "/api/v1", documented=documented)
    add_impersonations(api)
    add_listing(api)
    add_listing_stream(api)
    add_desk(api)
    add_actions(api)
    add_decisions(api)
    add_devices(api)
    add_streams(api)
    add_consents(api)
    add_trail(api)
    add_exports(api)
    add_proofs(api)
    add_timeline(api)
    add_statistics(api)
    add_directory(api)
    add_configuration(api)
    add_document(api)
    appetize = _blueprint("appetize", "/appetize", documented=documented)
    add_handoffs(appetize)
    add_redemption(appetize)
    return [api, appetize]


def _blueprint(name: str, prefix: str, *, documented: bool) -> APIBlueprint:
    """Return a blueprint that documents what every call may answer."""
    refusals = problems(400, 401, 403, 413)
    return APIBlueprint(
        name,
        __name__,
        url_prefix=prefix,
        abp_tags=[Tag(name=name)],
        abp_security=_BEARER,
        abp_responses=refusals,
        doc_ui=documented,
        operation_id_callback=lambda *, name, **_: str(name),
    )


def add_document(api: APIBlueprint) -> None:
    """Serve the OpenAPI 3.1 document at `/api/v1/openapi.json`."""

    @api.route("/openapi.json")
    def openapi() -> Response:
        return json_answer(document())


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; it is made when first asked for, since its schemas take most of a start."""
    described = OpenAPI(
        "document",
        info=Info(title="authserver", version="1"),
        security_schemes={
            "bearer": SecurityScheme(type="http", scheme="bearer", bearerFormat="at+jwt"),
            "basic": SecurityScheme(type="http", scheme="basic", description="A client's id and secret."),
        },
        doc_ui=False,
        validation_error_status=400,
        static_folder=None,
    )
    described.openapi_version = "3.1.0"
    for blueprint in _blueprints(documented=True):
        for shape in (Problem, ListedOut, ReadyOut):
            blueprint.components_schemas[shape.__name__] = Schema(**shape.model_json_schema())
        described.register_api(blueprint)
    shown = dict(described.api_doc)
    describe_proofs(shown)
    return shown


def invalid_body(error: ValidationError) -> Response:
    """Answer what does not fit the schema, naming the places and never the values."""
    present = call()
    present.parts.refusals.refuse(present.work, present.trace, InvalidRequest("body.schema"))
    places = [_place(item["type"], item["loc"]) for item in error.errors(include_input=False)]
    return problem_answer(
        400, "The request does not fit the schema.", {"error": "invalid_request", "invalid": places[:20]}
    )


def _place(kind: str, path: tuple[int | str, ...]) -> str:
    """Write where in a request; the name of a member that is not known is input, and not repeated."""
    known = path[:-1] if kind == "extra_forbidden" else path
    return ".".join([str(part) for part in known] + ["(unknown)"] * (len(path) - len(known)))
