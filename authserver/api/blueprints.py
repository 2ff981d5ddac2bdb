"""The API's two blueprints, and its OpenAPI document."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.schema import Schema
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import ValidationError

from authserver.api.actions import add_actions
from authserver.api.call import call, govern
from authserver.api.directory import add_directory
from authserver.api.handoffs import add_handoffs
from authserver.api.impersonations import add_impersonations
from authserver.api.parts import ApiParts
from authserver.api.schemas import Problem, problems
from authserver.api.trail import add_trail
from authserver.protocol.refusals import InvalidRequest
from authserver.web.refusals import json_answer, problem_answer

_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]


def create_blueprints(parts: ApiParts) -> list[APIBlueprint]:
    """Return the blueprints of `/api/v1` and `/appetize`."""
    api = _blueprint("api", "/api/v1")
    govern(api, parts)
    add_impersonations(api)
    add_actions(api)
    add_trail(api)
    add_directory(api)
    appetize = _blueprint("appetize", "/appetize")
    govern(appetize, parts)
    add_handoffs(appetize)
    return [api, appetize]


def _blueprint(name: str, prefix: str) -> APIBlueprint:
    """Return a blueprint that documents what every call may answer."""
    refusals = problems(400, 401, 403, 413)
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix=prefix,
        abp_tags=[Tag(name=name)],
        abp_security=_BEARER,
        abp_responses=refusals,
        operation_id_callback=lambda *, name, **_: str(name),
    )
    blueprint.components_schemas["Problem"] = Schema(**Problem.model_json_schema())
    return blueprint


def add_document(app: OpenAPI, api: APIBlueprint) -> None:
    """Serve the OpenAPI 3.1 document at `/api/v1/openapi.json`."""

    @api.route("/openapi.json")
    def openapi() -> Response:
        return json_answer(app.api_doc)


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
