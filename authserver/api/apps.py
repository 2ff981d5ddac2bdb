"""`/api/v1/appetize/apps`: the apps that impersonations can be handed to (design section 6)."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api import names
from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_apps import AppBody, AppOut, AppPath, AppProblemOut, AppsOut, NewAppBody
from authserver.api.shapes import instant
from authserver.appetize.managed_apps import ShownApp

Answer = tuple[dict[str, Any], int]


def add_apps(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/appetize/apps", responses={200: AppsOut})
    def list_apps() -> Answer:
        """List every app, those of the configuration files too."""
        present = _allowed()
        items = [_out(app) for app in present.parts.configuration.apps.listing(present.work.session)]
        return AppsOut(items=items).model_dump(mode="json"), 200

    @blueprint.get("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404)})
    def read_app(path: AppPath) -> Answer:
        """Read an app."""
        present = _allowed()
        return _shown(present.parts.configuration.apps.find(present.work.session, path.name)), 200

    @blueprint.post("/appetize/apps", responses={201: AppOut, **problems(409)})
    def create_app(body: NewAppBody) -> Answer:
        """Add an app; settings that cannot work are refused, each named in `problems`."""
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        return _shown(apps.create(present.work, body.name, body.settings, by=by)), 201

    @blueprint.put("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404, 409)})
    def change_app(path: AppPath, body: AppBody) -> Answer:
        """Put other settings in the place of an app's; it holds at once, on every node."""
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        return _shown(apps.change(present.work, path.name, body.settings, enabled=body.enabled, by=by)), 200

    @blueprint.delete("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404, 409)})
    def disable_app(path: AppPath) -> Answer:
        """Disable an app: nothing is handed to it any more; its settings stay."""
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        return _shown(apps.disable(present.work, path.name, by=by)), 200


def _allowed() -> Call:
    present = call()
    present.caller.demand(present.trace.endpoint)
    return present


def _shown(app: ShownApp) -> dict[str, Any]:
    return _out(app).model_dump(mode="json")


def _out(app: ShownApp) -> AppOut:
    return AppOut(
        name=app.name,
        label=names.of_app(app.name),
        source="config" if app.in_settings else "api",
        read_only=app.in_settings,
        enabled=app.enabled,
        in_force=app.in_force,
        settings=dict(app.settings),
        problems=[AppProblemOut(field=each.field, problem=each.problem) for each in app.problems],
        created_at=instant(app.created_at),
        changed_at=instant(app.changed_at),
    )
