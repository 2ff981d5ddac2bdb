"""Resource servers and their scopes: who has each, and what nobody can ever be given of it."""

from flask import Blueprint, Response, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.record_form import Form, Kind
from authserver.console.users import ROLES

API = "/api/v1/resources"
_KINDS = {
    "name": Kind.LINE,
    "owner_client_id": Kind.LINE,
    "subject_identifier": Kind.LINE,
    "extra_claims": Kind.CHOICES,
    "reason_visible": Kind.FLAG,
}
_NEW = {"uri": Kind.LINE, **_KINDS}
_SCOPE = {
    "name": Kind.LINE,
    "description": Kind.LINE,
    "access": Kind.LINE,
    "non_delegable": Kind.FLAG,
    "roles": Kind.CHOICES,
}
_IDENTIFIERS = (("id", "Id"), ("username", "User name"), ("email", "E-mail address"))
_CLAIMS = tuple(
    (each, each, "") for each in ("name", "email", "username", "population", "tier", "country", "roles", "groups")
)


def add_resources(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/resources")
    def resources() -> Response:
        return page("resources.html", found=call().get(API)["items"])

    @blueprint.get("/resources/new")
    def new_resource() -> Response:
        here = call()
        typed = here.typed()
        return _new_page(here, Form.sent(_NEW, typed) if typed else Form.of(_NEW, {"subject_identifier": "id"}))

    @blueprint.post("/resources/new")
    def create_resource() -> Response:
        here, form = call(), Form.sent(_NEW, request.form)
        given = {name: value for name, value in form.values().items() if value or name == "uri"}
        try:
            added = here.post(API, given)
        except ApiRefusedError as refusal:
            return _new_page(here, form.refused(refusal))
        here.tell("It is registered. Give it its scopes here.")
        return _back(added["uri"])

    _add_one(blueprint)
    _add_scopes(blueprint)


def _add_one(blueprint: Blueprint) -> None:
    """Add the page of one resource server, which its URI names in the query."""

    @blueprint.get("/resources/one")
    def resource() -> Response:
        here = call()
        stored, typed = _stored(here), here.typed()
        return _one_page(here, stored, Form.sent(_KINDS, typed) if typed else Form.of(_KINDS, stored))

    @blueprint.post("/resources/one")
    def change_resource() -> Response:
        here = call()
        stored, form = _stored(here), Form.sent(_KINDS, request.form)
        changes = form.changes()
        if not changes:
            here.tell("Nothing was changed.", "warn")
            return _back(stored["uri"])
        if "owner_client_id" in changes:
            changes["owner_client_id"] = changes["owner_client_id"] or None
        try:
            here.patch(API, changes, uri=stored["uri"])
        except ApiRefusedError as refusal:
            return _one_page(here, stored, form.refused(refusal))
        here.tell("Saved.")
        return _back(stored["uri"])


def _add_scopes(blueprint: Blueprint) -> None:
    """Add the page of one scope: without `name` in the query it is a new one."""

    @blueprint.get("/resources/scope")
    def scope() -> Response:
        here = call()
        stored, typed = _stored(here), here.typed()
        before = _scope(stored)
        return _scope_page(stored, Form.sent(_SCOPE, typed) if typed else Form.of(_SCOPE, before), before)

    @blueprint.post("/resources/scope")
    def put_scope() -> Response:
        here = call()
        stored, form = _stored(here), Form.sent(_SCOPE, request.form)
        before = _scope(stored)
        values = form.values()
        if "name" in before:
            values["name"] = before["name"]
        elif values["name"] in {each["name"] for each in stored["scopes"]}:
            form.wrong("name", "is there already: change it in its place")
            return _scope_page(stored, form, before)
        try:
            here.patch(API, {"scopes": [values]}, uri=stored["uri"])
        except ApiRefusedError as refusal:
            return _scope_page(stored, _scope_refused(form, refusal), before)
        here.tell(f"The scope {values['name']} is saved.")
        return _back(stored["uri"])


def _stored(here: Call) -> Json:
    """Return the resource server that the query names. Raises ApiRefusedError where there is none."""
    uri = request.args.get("uri", "")
    found = here.get(API, uri=uri)["items"] if uri else []
    if len(found) != 1:
        raise ApiRefusedError(404, {})
    return found[0]


def _scope(stored: Json) -> Json:
    """Return the scope that the query names, or what a new one begins with."""
    name = request.args.get("name", "")
    found = [each for each in stored["scopes"] if each["name"] == name]
    if name and not found:
        raise ApiRefusedError(404, {})
    return found[0] if found else {"access": "read"}


def _scope_refused(form: Form, refusal: ApiRefusedError) -> Form:
    """Put what the API says of `scopes` where it was typed."""
    problems = [str(each["problem"]) for each in refusal.members.get("errors") or [] if each["field"] == "scopes"]
    for problem in problems:
        form.wrong("description" if "description" in problem else "name", problem)
    for name in (place.split(".")[2] for place in refusal.invalid if place.count(".") > 1):
        form.wrong(name if name in _SCOPE else "name", "is not as it has to be")
    form.words, form.status = form.words or refusal.words, refusal.status
    return form


def _new_page(here: Call, form: Form) -> Response:
    return page("resource_new.html", form.status, form=form, **_choices(here))


def _one_page(here: Call, stored: Json, form: Form) -> Response:
    return page("resource.html", form.status, resource=stored, form=form, **_choices(here))


def _scope_page(stored: Json, form: Form, before: Json) -> Response:
    here = request.full_path.rstrip("?")
    return page("scope.html", form.status, resource=stored, form=form, before=before, address=here, roles=ROLES)


def _choices(here: Call) -> dict[str, Json]:
    owners = [(each["client_id"], each["name"]) for each in here.get("/api/v1/clients")["items"]]
    return {"owners": [("", "Nobody"), *owners], "identifiers": _IDENTIFIERS, "claims": _CLAIMS}


def _back(uri: str) -> Response:
    return go(url_for("console.resource", uri=uri))
