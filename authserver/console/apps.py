"""The apps that a device can be opened with: their list, and each as a form with every setting."""

import re
from http import HTTPStatus
from typing import Never
from urllib.parse import quote

from flask import Blueprint, Response, abort, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.app_form import FIELDS, GROUPS, settings_of
from authserver.console.calls import Json, call, page
from authserver.console.setting_fields import Values, parsed, problems_by_field, stored, typed

_API = "/api/v1/appetize/apps"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_HINT = "Letters, digits, dots, - and _; it stays as it is."
_WRONG = "Some settings do not fit. Each is named below, where it stands."
_CHANGED = (
    "Somebody else changed this app since you opened it. What you typed is kept, and where it differs, what stands "
    "there now is said. Save to put yours in its place."
)


def add_apps(blueprint: Blueprint) -> None:
    """Add the pages. No app's name begins with `_`, so `_new` is none."""

    @blueprint.get("/apps")
    def apps() -> Response:
        return page("apps.html", apps=call().get(_API)["items"])

    @blueprint.get("/apps/_new")
    def new_app() -> Response:
        here = call()
        here.get(_API)  # whoever may not is told before they type
        kept = here.typed()
        return _form_page(None, typed(FIELDS, kept), name=kept.get("name", ""))

    @blueprint.post("/apps/_new")
    def create_app() -> Response:
        here, values, name = call(), typed(FIELDS, request.form), request.form.get("name", "").strip()
        settings, wrong = settings_of(values)
        if not _NAME.fullmatch(name):
            wrong["name"] = f"This does not fit. {_NAME_HINT}"
        if wrong:
            return _form_page(None, values, name=name, wrong=wrong, status=400)
        try:
            here.post(_API, {"name": name, "settings": settings})
        except ApiRefusedError as refusal:
            return _refused(None, values, refusal, name=name)
        here.tell(f"{name} is there. Agents can open it from now on.")
        return go(url_for("console.app", name=name))

    _add_one(blueprint)
    _add_switch(blueprint)


def _add_one(blueprint: Blueprint) -> None:
    """Add the page of one app."""

    @blueprint.get("/apps/<name>")
    def app(name: str) -> Response:
        here = call()
        found = here.get(_address(name))
        kept = here.typed()
        values = typed(FIELDS, kept) if kept else stored(FIELDS, found["settings"])
        wrong, elsewhere = problems_by_field(FIELDS, found["problems"])
        version = kept.get("seen", found["version"])
        return _form_page(found, values, wrong=wrong, elsewhere=elsewhere, name=name, version=version)

    @blueprint.post("/apps/<name>")
    def change_app(name: str) -> Response:
        here, values, version = call(), typed(FIELDS, request.form), request.form.get("seen", "")
        found = here.get(_address(name))
        settings, wrong = settings_of(values)
        if wrong:
            return _form_page(found, values, name=name, wrong=wrong, status=400, version=version)
        try:
            here.put(_address(name), {"settings": settings}, version=version)
        except ApiRefusedError as refusal:
            if refusal.status == HTTPStatus.PRECONDITION_FAILED:
                return _changed(here.get(_address(name)), values, name=name)
            return _refused(found, values, refusal, name=name, version=version)
        here.tell("Saved. It holds at once.")
        return go(url_for("console.app", name=name))


def _add_switch(blueprint: Blueprint) -> None:
    """Add disabling, which is asked once, and enabling."""

    @blueprint.get("/apps/<name>/disable")
    def ask_disable_app(name: str) -> Response:
        return page("app_disable.html", app=call().get(_address(name)))

    @blueprint.post("/apps/<name>/disable")
    def disable_app(name: str) -> Response:
        here = call()
        here.delete(_address(name))
        here.tell(f"{name} is disabled. Its settings stay.")
        return go(url_for("console.app", name=name))

    @blueprint.post("/apps/<name>/enable")
    def enable_app(name: str) -> Response:
        here = call()
        found = here.get(_address(name))
        try:
            here.put(_address(name), {"settings": found["settings"], "enabled": True}, version=found["version"])
        except ApiRefusedError as refusal:
            return _refused(found, stored(FIELDS, found["settings"]), refusal, name=name)
        here.tell(f"{name} is enabled. Agents can open it from now on.")
        return go(url_for("console.app", name=name))


def _address(name: str) -> str:
    """Return an app's place at the API; what is no name has none."""
    return f"{_API}/{quote(name, safe='')}" if _NAME.fullmatch(name) else _nothing()


def _nothing() -> Never:
    abort(404)


def _changed(app: Json, values: Values, *, name: str) -> Response:
    """Show what was typed again, and beside it what somebody else made of the app; sent once more, it is put."""
    settings, now = app["settings"], stored(FIELDS, app["settings"])
    differing = [each for each in FIELDS if parsed(each, values[each.name]) != settings.get(each.name)]
    differs = {each.name: _now(now[each.name]) for each in differing}
    return _form_page(app, values, name=name, wrong=differs, alert=_CHANGED, status=HTTPStatus.PRECONDITION_FAILED)


def _now(value: str | list[str]) -> str:
    words = ", ".join(value if isinstance(value, list) else value.splitlines())
    return f"It is now: {words or 'empty'}."


def _refused(
    app: Json | None, values: Values, refusal: ApiRefusedError, *, name: str, version: str | None = None
) -> Response:
    """Show the form again: a setting that cannot work is named at its field, anything else above."""
    named = refusal.members.get("problems")
    if not isinstance(named, list):
        wrong = {"name": refusal.words} if app is None and refusal.error == "conflict" else {}
        return _form_page(
            app, values, name=name, wrong=wrong, alert=refusal.words, status=refusal.status, version=version
        )
    wrong, elsewhere = problems_by_field(FIELDS, named)
    return _form_page(app, values, name=name, wrong=wrong, elsewhere=elsewhere, status=refusal.status, version=version)


def _form_page(  # noqa: PLR0913 - what the page of a form shows
    app: Json | None,
    values: Values,
    *,
    name: str,
    wrong: dict[str, str] | None = None,
    elsewhere: list[str] | None = None,
    alert: str = "",
    status: int = 200,
    version: str | None = None,
) -> Response:
    """Show the form; what is sent is meant for `version`, by default the one that stands there."""
    wrong, is_wrong = wrong or {}, bool(wrong or elsewhere)
    return page(
        "app.html",
        status,
        app=app,
        version=app["version"] if app and version is None else version,
        name=name,
        name_hint=_NAME_HINT,
        groups=GROUPS,
        filled={
            group.title for group in GROUPS if any(values[it.name] or it.name in (wrong or {}) for it in group.fields)
        },
        values=values,
        wrong=wrong,
        elsewhere=elsewhere or [],
        alert_words=alert or (_WRONG if is_wrong else ""),
    )
