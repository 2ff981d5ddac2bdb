"""OAuth clients: what each may do, and how it proves itself. A secret is in the answer to its making alone."""

from flask import Blueprint, Response, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.client_choices import ALGS, GRANTS, LIFETIMES, METHODS, WAYS, choices_of, method_words
from authserver.console.record_form import Form, Kind
from authserver.console.users import ended_words

API = "/api/v1/clients"
_KINDS = {
    "name": Kind.LINE,
    "auth_method": Kind.LINE,
    "jwks": Kind.OBJECT,
    "grant_types": Kind.CHOICES,
    "ways": Kind.CHOICES,
    "scopes": Kind.CHOICES,
    "default_resources": Kind.CHOICES,
    "redirect_uris": Kind.LINES,
    "post_logout_redirect_uris": Kind.LINES,
    "first_party": Kind.FLAG,
    "accepts_tokens_of": Kind.CHOICES,
    "presents_id_tokens": Kind.FLAG,
    "receives_id_tokens": Kind.FLAG,
    "id_token_alg": Kind.LINE,
}
_NEW = {"client_id": Kind.LINE, **_KINDS}
_ONCE = "It is shown this once. Put it where the client reads it: nobody can be shown it again."
_DAY = 86400


def add_clients(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/clients")
    def clients() -> Response:
        query = request.args.get("q", "").strip()
        every = call().get(API)["items"]
        words = query.lower()
        found = [each for each in every if words in each["client_id"].lower() or words in each["name"].lower()]
        return page("clients.html", found=found, query=query, grants=dict(_pairs(GRANTS)), method_words=method_words)

    @blueprint.get("/clients/~new")
    def new_client() -> Response:
        here = call()
        typed = here.typed()
        empty: dict[str, Json] = {"auth_method": "client_secret", "id_token_alg": "RS256"}
        return _new_page(here, Form.sent(_NEW, typed) if typed else Form.of(_NEW, empty))

    @blueprint.post("/clients/~new")
    def create_client() -> Response:
        here, form = call(), Form.sent(_NEW, request.form)
        values = form.values()
        if form.errors:
            return _new_page(here, form)
        given = {name: value for name, value in values.items() if value or name == "client_id"}
        try:
            added = here.post(API, given)
        except ApiRefusedError as refusal:
            return _new_page(here, form.refused(refusal))
        return _done(here, added, "It is registered")

    _add_one(blueprint)
    _add_verbs(blueprint)


def _add_one(blueprint: Blueprint) -> None:
    """Add the page of one client."""

    @blueprint.get("/clients/<client_id>")
    def client(client_id: str) -> Response:
        here = call()
        stored, typed = here.get(f"{API}/{client_id}"), here.typed()
        return _one_page(here, stored, Form.sent(_KINDS, typed) if typed else Form.of(_KINDS, stored))

    @blueprint.post("/clients/<client_id>")
    def change_client(client_id: str) -> Response:
        here = call()
        stored = here.get(f"{API}/{client_id}")
        form = Form.sent(_KINDS, request.form)
        changes = form.changes()
        if form.errors:
            return _one_page(here, stored, form)
        if changes.get("jwks", {}) is None:
            del changes["jwks"]  # keys go with the method that they are for; nothing takes them away by themselves
        if not changes:
            here.tell("Nothing was changed.", "warn")
            return _back(client_id)
        try:
            changed = here.patch(f"{API}/{client_id}", changes)
        except ApiRefusedError as refusal:
            return _one_page(here, stored, form.refused(refusal))
        return _done(here, changed, "Saved")


def _add_verbs(blueprint: Blueprint) -> None:
    """Add what can be done to one client."""

    @blueprint.post("/clients/<client_id>/secrets")
    def rotate_secret(client_id: str) -> Response:
        here = call()
        overlap = request.form.get("overlap_seconds", default=_DAY, type=int)
        try:
            made = here.post(f"{API}/{client_id}/secrets", {"overlap_seconds": overlap})
        except ApiRefusedError as refusal:
            return _refused(here, client_id, refusal)
        return _done(here, made, "A new secret", lives=overlap)

    @blueprint.post("/clients/<client_id>/disable")
    def disable_client(client_id: str) -> Response:
        here = call()
        try:
            ended = here.post(f"{API}/{client_id}/disable")["ended"]
        except ApiRefusedError as refusal:
            return _refused(here, client_id, refusal)
        here.tell(f"Disabled. {ended_words(ended)}")
        return _back(client_id)

    @blueprint.post("/clients/<client_id>/enable")
    def enable_client(client_id: str) -> Response:
        here = call()
        try:
            here.post(f"{API}/{client_id}/enable")
        except ApiRefusedError as refusal:
            return _refused(here, client_id, refusal)
        here.tell("Enabled. The tokens and impersonations that it had stay dead.")
        return _back(client_id)

    @blueprint.get("/clients/<client_id>/<verb>")
    def after_client_verb(client_id: str, verb: str) -> Response:
        """Lead from the address of what was done, which is no page, to the client."""
        del verb
        return _back(client_id)


def _new_page(here: Call, form: Form) -> Response:
    return page("client_new.html", form.status, form=form, **_choices(here, form))


def _one_page(here: Call, stored: Json, form: Form) -> Response:
    choices = _choices(here, form)
    return page("client.html", form.status, client=stored, form=form, lifetimes=LIFETIMES, **choices)


def _choices(here: Call, form: Form) -> dict[str, Json]:
    """Return what each field can be: what is registered now, and what the client has already."""
    registered = {"clients": here.get(API)["items"], "resources": here.get("/api/v1/resources")["items"]}
    fixed = {"methods": METHODS, "grants": GRANTS, "ways": WAYS, "algs": ALGS}
    return {**fixed, **choices_of(registered, form), "every": registered["clients"]}


def _done(here: Call, client: Json, title: str, *, lives: int | None = None) -> Response:
    """Show a secret that was made, or go to the client where none was."""
    if client["client_secret"] is None:
        here.tell(f"{title}.")
        return _back(client["client_id"])
    more = ""
    if lives is not None:
        more = "The secrets of before are dead." if lives == 0 else "The secrets of before live on for the time chosen."
    return page(
        "secret.html",
        title=title,
        warning=_ONCE,
        of="Client",
        name=client["client_id"],
        what="Client secret",
        secret=client["client_secret"],
        more=more,
        onward=url_for("console.client", client_id=client["client_id"]),
    )


def _refused(here: Call, client_id: str, refusal: ApiRefusedError) -> Response:
    """Say on a client's page why something was not done."""
    stored = here.get(f"{API}/{client_id}")
    return _one_page(here, stored, Form.of(_KINDS, stored).refused(refusal))


def _pairs(choices: Json) -> list[tuple[str, str]]:
    return [(value, words) for value, words, _ in choices]


def _back(client_id: str) -> Response:
    return go(url_for("console.client", client_id=client_id))
