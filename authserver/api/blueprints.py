"""The API's two blueprints, and its OpenAPI document."""

from typing import Any

from flask import Response, json
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.openapi import OpenAPI
from pydantic import ValidationError

from authserver.api.call import call, govern
from authserver.api.directory import add_directory
from authserver.api.handoffs import add_handoffs
from authserver.api.impersonations import add_impersonations
from authserver.api.parts import ApiParts
from authserver.api.schemas import Problem
from authserver.api.trail import add_trail
from authserver.protocol.refusals import InvalidRequest
from authserver.web.refusals import json_answer, problem_answer

_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]
_PROBLEMS = ("400", "401", "403", "404", "405", "409", "410", "413", "503")


def create_blueprints(parts: ApiParts) -> list[APIBlueprint]:
    """Return the blueprints of `/api/v1` and `/appetize`."""
    shape = {"content": {"application/problem+json": {"schema": _problem_schema()}}}
    problems: Any = {status: shape for status in _PROBLEMS}  # noqa: C420 - nobody changes the shape
    api = APIBlueprint("api", __name__, url_prefix="/api/v1", abp_security=_BEARER, abp_responses=problems)
    govern(api, parts, open_endpoints=frozenset({"api.openapi"}))
    add_impersonations(api)
    add_trail(api)
    add_directory(api)
    appetize = APIBlueprint("appetize", __name__, url_prefix="/appetize", abp_security=_BEARER, abp_responses=problems)
    govern(appetize, parts, open_endpoints=frozenset({"appetize.handoff_config"}))
    add_handoffs(appetize)
    return [api, appetize]


def add_document(app: OpenAPI, api: APIBlueprint) -> None:
    """Serve the OpenAPI 3.1 document at `/api/v1/openapi.json`."""

    @api.route("/openapi.json")
    def openapi() -> Response:
        return json_answer(app.api_doc)


def invalid_body(error: ValidationError) -> Response:
    """Answer what does not fit the schema, naming the places and never the values."""
    present = call()
    present.parts.refusals.refuse(present.work, present.trace, InvalidRequest("body.schema"))
    places = [".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False)]
    return problem_answer(
        400, "The request does not fit the schema.", {"error": "invalid_request", "invalid": places[:20]}
    )


def _problem_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(Problem.model_json_schema()))
    return schema
