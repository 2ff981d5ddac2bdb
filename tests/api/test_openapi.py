"""The OpenAPI document: valid, complete, and true whatever is sent (OpenAPI 3.1.0)."""

import importlib
import pkgutil
import re
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from authserver import api
from tests.web.sending import ENDLESS
from tests.world import ISSUER, World

DOCUMENT = "/api/v1/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    answer = world.api("GET", DOCUMENT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.json


def test_document_is_valid_openapi_3_1(world: World, document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document, config=SchemathesisConfig()).validate()
    assert world.api("GET", DOCUMENT, token="whatever").json == document


def test_every_route_is_documented_and_every_documented_one_exists(world: World, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<string:(\w+)>", r"{\1}", rule.rule), method)
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint.startswith(("api.", "appetize.")) and rule.endpoint != "api.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method.upper()) for path, item in document["paths"].items() for method in item} == routes


def test_every_operation_has_a_name_words_a_credential_and_its_refusals(document: dict[str, Any]) -> None:
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert {"bearer": []} in operation["security"]
        refusals = {status: shown for status, shown in operation["responses"].items() if status[0] in "45"}
        assert refusals.keys() >= {"400", "401", "403", "413"}
        for shown in refusals.values():
            schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
            assert shown["content"] == {"application/problem+json": schema}


def test_what_can_be_read_without_a_token_holds_no_secret(world: World) -> None:
    text = world.api("GET", DOCUMENT).text
    assert not [value for value in world.credentials["clients"]["backend"].values() if f'"{value}"' in text]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("who", ["agent", "admin", None])
def test_no_input_brings_out_a_crash_or_an_undocumented_answer(
    world: World, who: str | None, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, world.app, base_url=ISSUER, config=SchemathesisConfig())
    headers = {"Authorization": f"Bearer {world.token(who)}"} if who else {}
    started = world.start().json["id"]
    handoff = world.api("POST", "/appetize/handoffs", "agent", json={"impersonation": started, "app": "demo-bank"})
    over = world.start(ticket_id="OVER-1").json["id"]
    world.end(over)  # of what goes on a stream would not end
    real = {f"/appetize/handoffs/{{id}}/{what}": handoff.json["id"] for what in ("config", "code")}
    real["/api/v1/impersonations/{id}/stream"] = over
    for found in schema.get_all_operations():
        assert not isinstance(found, Err)
        operation = found.ok()
        if who and operation.path == ENDLESS:
            continue

        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        @settings(
            max_examples=5,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def attack(case: schemathesis.Case[Any], known: bool) -> None:  # noqa: FBT001 - hypothesis draws it
            if known and mode is GenerationMode.POSITIVE and "id" in (case.path_parameters or {}):
                case.path_parameters["id"] = real.get(case.path, started)
            case.call_and_validate(base_url=ISSUER, headers=headers, checks=CHECKS)

        attack()


def test_no_two_shapes_have_one_name() -> None:
    """In the document a shape is known by its name alone: a second one would describe the first one's answers."""
    modules = [importlib.import_module(f"authserver.api.{each.name}") for each in pkgutil.iter_modules(api.__path__)]
    shapes = {shape for module in modules for shape in vars(module).values() if isinstance(shape, type)}
    names = Counter(shape.__name__ for shape in shapes if issubclass(shape, BaseModel))
    assert [name for name, count in names.items() if count > 1] == []
