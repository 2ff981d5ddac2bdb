"""People: found, added, changed, disabled. What may be said of them, and by whom, is the API's to tell."""

from flask import Blueprint, Response, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.record_form import Form, Kind

API = "/api/v1/users"
STAFF_ROLES = (
    ("support", "Support", "acts as customers"),
    ("lead", "Lead", "approves, and ends any"),
    ("auditor", "Auditor", "reads the trail"),
    ("admin", "Admin", "keeps this directory"),
)
ROLES = (*STAFF_ROLES, ("customer", "Customer", "a customer, and nothing else"))
_ABOUT = {
    "name": Kind.LINE,
    "email": Kind.LINE,
    "email_verified": Kind.FLAG,
    "locale": Kind.LINE,
    "time_zone": Kind.LINE,
    "appearance": Kind.LINE,
    "app_version": Kind.LINE,
}
_POLICY = {
    "roles": Kind.CHOICES,
    "tier": Kind.LINE,
    "country": Kind.LINE,
    "groups": Kind.WORDS,
    "conflicts": Kind.WORDS,
}
"""What the policy decides by: nobody changes their own."""
_CHANGED = {**_ABOUT, **_POLICY}
_NEW = {"username": Kind.LINE, "population": Kind.LINE, "with_password": Kind.FLAG, **_CHANGED}
_LABELS = {"username": "User name", "email": "E-mail address", "conflicts": "Never with", "locale": "Language"}
_FILTERS = ("q", "population", "role", "enabled")
_SHOWN_CONFLICTS = 8
_ONCE = "It is shown this once. Give it to them in a safe way; they change it in their account."


def add_users(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/users")
    def users() -> Response:
        filters = {name: request.args.get(name, "").strip() for name in _FILTERS}
        here = call()
        try:
            found, words = here.get(API, **filters, cursor=request.args.get("cursor")), ""
        except ApiRefusedError as refusal:
            if not refusal.invalid:
                raise
            found, words = {"items": [], "next_cursor": None}, "There is no such filter."
        return page("users.html", found=found, filters=filters, roles=ROLES, alert_words=words)

    @blueprint.get("/users/new")
    def new_user() -> Response:
        here = call()
        here.get(API, limit=1)  # the API says who may be here
        typed = here.typed()
        form = Form.sent(_NEW, typed) if typed else Form.of(_NEW, {"population": "staff", "with_password": True})
        return _new_page(form)

    @blueprint.post("/users/new")
    def create_user() -> Response:
        here, form = call(), Form.sent(_NEW, request.form)
        values = form.values()
        given = {name: value for name, value in values.items() if value not in ("", []) or name == "username"}
        try:
            added = here.post(API, given)
        except ApiRefusedError as refusal:
            return _new_page(form.refused(refusal))
        if added["password"] is None:
            here.tell(f"{added['name']} was added, without a password.")
            return _back(added["id"])
        return _password_page(added, added["password"], "They are added")

    _add_one(blueprint)
    _add_verbs(blueprint)


def _add_one(blueprint: Blueprint) -> None:
    """Add the page of one person."""

    @blueprint.get("/users/<user_id>")
    def user(user_id: str) -> Response:
        here = call()
        person, typed = here.get(f"{API}/{user_id}"), here.typed()
        kinds = _kinds(person)
        return _one_page(here, person, Form.sent(kinds, typed) if typed else Form.of(kinds, person))

    @blueprint.post("/users/<user_id>")
    def change_user(user_id: str) -> Response:
        here = call()
        person = here.get(f"{API}/{user_id}")
        form = Form.sent(_kinds(person), request.form)
        changes = form.changes()
        if not changes:
            here.tell("Nothing was changed.", "warn")
            return _back(user_id)
        try:
            here.patch(f"{API}/{user_id}", changes)
        except ApiRefusedError as refusal:
            return _one_page(here, person, form.refused(refusal))
        here.tell("Saved.")
        return _back(user_id)


def _add_verbs(blueprint: Blueprint) -> None:
    """Add what can be done to one person."""

    @blueprint.post("/users/<user_id>/password")
    def reset_password(user_id: str) -> Response:
        here = call()
        try:
            made = here.post(f"{API}/{user_id}/password")
        except ApiRefusedError as refusal:
            return _refused(here, user_id, refusal)
        return _password_page(here.get(f"{API}/{user_id}"), made["password"], "A new password")

    @blueprint.post("/users/<user_id>/disable")
    def disable_user(user_id: str) -> Response:
        here = call()
        try:
            ended = here.post(f"{API}/{user_id}/disable")["ended"]
        except ApiRefusedError as refusal:
            return _refused(here, user_id, refusal)
        here.tell(f"Disabled. {ended_words(ended)}")
        return _back(user_id)

    @blueprint.post("/users/<user_id>/enable")
    def enable_user(user_id: str) -> Response:
        here = call()
        try:
            here.post(f"{API}/{user_id}/enable")
        except ApiRefusedError as refusal:
            return _refused(here, user_id, refusal)
        here.tell("Enabled. They sign in anew: what had ended stays ended.")
        return _back(user_id)

    @blueprint.get("/users/<user_id>/<verb>")
    def after_user_verb(user_id: str, verb: str) -> Response:
        """Lead from the address of what was done, which is no page, to the person."""
        del verb
        return _back(user_id)


def ended_words(ended: Json) -> str:
    """Say what came to its end."""
    if ended is None:
        return "That had been done before."
    counts = [(ended["sessions"], "session"), (ended["impersonations"], "impersonation")]
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    return f"{' and '.join(parts)} ended, and every token." if parts else "Nothing was running; every token is dead."


def _kinds(person: Json) -> dict[str, Kind]:
    return _ABOUT if person["oneself"] else _CHANGED


def _new_page(form: Form) -> Response:
    return page("user_new.html", form.status, form=form, roles=ROLES, labels=_LABELS)


def _one_page(here: Call, person: Json, form: Form) -> Response:
    roles = ROLES[-1:] if person["population"] == "customers" else STAFF_ROLES
    conflicts = [here.get(f"{API}/{each}") for each in person["conflicts"][:_SHOWN_CONFLICTS]]
    shown = {"person": person, "form": form, "roles": roles, "conflicts": conflicts, "labels": _LABELS}
    return page("user.html", form.status, **shown)


def _refused(here: Call, user_id: str, refusal: ApiRefusedError) -> Response:
    """Say on a person's page why something was not done."""
    person = here.get(f"{API}/{user_id}")
    return _one_page(here, person, Form.of(_kinds(person), person).refused(refusal))


def _password_page(person: Json, password: str, title: str) -> Response:
    return page(
        "secret.html",
        title=title,
        warning=_ONCE,
        of="Person",
        name=f"{person['name']} ({person['username']})",
        what="Password",
        secret=password,
        onward=url_for("console.user", user_id=person["id"]),
    )


def _back(user_id: str) -> Response:
    return go(url_for("console.user", user_id=user_id))
