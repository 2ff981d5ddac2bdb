"""`/api/v1/appetize/apps`: the apps that impersonations can be handed to (design section 6)."""

from collections.abc import Container
from typing import Any

from flask_openapi.blueprint import APIBlueprint
from werkzeug.http import parse_etags, quote_etag

from authserver.api import names
from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_apps import AppBody, AppHeaders, AppOut, AppPath, AppProblemOut, AppsOut, NewAppBody
from authserver.api.shapes import instant
from authserver.appetize.managed_apps import ShownApp

Answer = tuple[dict[str, Any], int]
Tagged = tuple[dict[str, Any], int, dict[str, str]]


def add_apps(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/appetize/apps", responses={200: AppsOut})
    def list_apps() -> Answer:
        """List every app, those of the configuration files too."""
        present = _allowed()
        items = [_out(app) for app in present.parts.configuration.apps.listing(present.work.session)]
        return AppsOut(items=items).model_dump(mode="json"), 200

    @blueprint.get("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404)})
    def read_app(path: AppPath) -> Tagged:
        """Read an app; the answer's `ETag` is its version."""
        present = _allowed()
        return _shown(present.parts.configuration.apps.find(present.work.session, path.name))

    @blueprint.post("/appetize/apps", responses={201: AppOut, **problems(409)})
    def create_app(body: NewAppBody) -> Tagged:
        """Add an app; settings that cannot work are refused, each named in `problems`."""
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        return _shown(apps.create(present.work, body.name, body.settings, by=by), 201)

    @blueprint.put("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404, 409, 412)})
    def change_app(header: AppHeaders, path: AppPath, body: AppBody) -> Tagged:
        """Put other settings in the place of an app's; it holds at once, on every node.

        With `If-Match`, only while the app is as it was read: who changed it meanwhile is not overwritten unseen.
        """
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        seen = _seen(header)
        return _shown(apps.change(present.work, path.name, body.settings, enabled=body.enabled, by=by, seen=seen))

    @blueprint.delete("/appetize/apps/<string:name>", responses={200: AppOut, **problems(404, 409, 412)})
    def disable_app(header: AppHeaders, path: AppPath) -> Tagged:
        """Disable an app: nothing is handed to it any more; its settings stay."""
        present = _allowed()
        apps, by = present.parts.configuration.apps, present.caller.user_id
        return _shown(apps.disable(present.work, path.name, by=by, seen=_seen(header)))


def _allowed() -> Call:
    present = call()
    present.caller.demand(present.trace.endpoint)
    return present


def _seen(header: AppHeaders) -> Container[str] | None:
    """Return the versions that a change is meant for, None for any; a weak tag is none (RFC 9110 §13.1.1)."""
    if header.if_match is None or header.if_match.strip() == "*":
        return None
    return parse_etags(header.if_match).as_set()


def _shown(app: ShownApp, status: int = 200) -> Tagged:
    return _out(app).model_dump(mode="json"), status, {"ETag": quote_etag(app.version)}


def _out(app: ShownApp) -> AppOut:
    return AppOut(
        name=app.name,
        version=app.version,
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
