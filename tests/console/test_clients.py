"""OAuth clients in the console: registered, changed, given new secrets, disabled; by an admin and nobody else."""

import html
import json
import re
from typing import Any

import pytest

from tests.console.staff import Staff, text
from tests.signing_in import hidden
from tests.world import API, Answer, World

NEW = "/console/clients/~new"
HOSTILE = '"><script>window.hit=1</script>'
VERBS = ("secrets", "disable", "enable")
KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k1", "alg": "EdDSA"}


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.enter("admin", "/console/clients")
    return staff


def stored(world: World, client_id: str) -> dict[str, Any]:
    return world.api("GET", f"/api/v1/clients/{client_id}", "admin").json


def form_of(shown: Answer) -> dict[str, Any]:
    """Return what a browser would send of the page's long form as it is shown."""
    inside = shown.text.partition("</form>")[2].partition("<form")[2].partition("</form>")[0]
    fields: dict[str, Any] = dict(hidden(Answer(200, shown.headers, inside, {})))
    for tag in re.findall(r"<input[^>]*>", inside):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") == "text":
            fields[found["name"]] = html.unescape(found["value"])
        elif found.get("type") == "checkbox" and " checked" in tag:
            fields.setdefault(found["name"], []).append(found.get("value", "on"))
    for name, value in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>', inside, re.DOTALL):
        fields[name] = html.unescape(value)
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]*)"[^>]*>(.*?)</select>', inside):
        fields[name] = "".join(re.findall(r'value="([^"]*)" selected', options))
    return fields


def secret_of(shown: Answer) -> str:
    found = re.search(r'<code class="secret"[^>]*>([^<]+)</code>', shown.text)
    assert found is not None, text(shown)
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    assert "Location" not in shown.headers
    return found[1]


def test_clients_are_listed_and_found(admin: Staff) -> None:
    assert "Support backend" in admin.get("/console/clients").text
    found = admin.get("/console/clients", q="another").text
    assert ("Another backend" in found, "Support backend" in found) == (True, False)
    nothing = admin.get("/console/clients", q=HOSTILE)
    assert "None is called that" in nothing.text
    assert HOSTILE not in nothing.text


def test_a_client_is_registered_and_its_secret_shown_once(world: World, admin: Staff) -> None:
    assert 'value="openid"' in admin.get(NEW).text
    form: dict[str, Any] = {
        "client_id": "new",
        "name": "Ledger",
        "auth_method": "client_secret",
        "id_token_alg": "RS256",
        "grant_types": "client_credentials",
        "scopes": "accounts:read",
        "default_resources": API,
        "redirect_uris": "https://ledger.example.com/cb\r\n\r\n https://ledger.example.com/other ",
        "accepts_tokens_of": ["backend", "other-backend"],
    }
    secret = secret_of(admin.send(NEW, **form))
    found = stored(world, "new")
    assert found["redirect_uris"] == ["https://ledger.example.com/cb", "https://ledger.example.com/other"]
    assert (found["accepts_tokens_of"], found["scopes"]) == (["backend", "other-backend"], ["accounts:read"])
    shown = admin.get("/console/clients/new")
    assert ("Ledger" in shown.text, secret in shown.text) == (True, False)
    world.credentials["clients"]["new"] = {"client_secret": secret}
    assert world.post("/oauth/token", {"grant_type": "client_credentials"}, client="new").status_code == 200
    assert 'href="/console/clients/new">Ledger' in admin.get("/console/clients/backend").text  # accepted by


def test_a_public_client_has_no_secret(world: World, admin: Staff) -> None:
    made = admin.send(NEW, client_id="app", auth_method="none", grant_types="authorization_code")
    assert made.headers["Location"] == "/console/clients/app"
    assert "It is registered." in admin.get("/console/clients/app").text
    assert "New secret" not in admin.get("/console/clients/app").text
    assert stored(world, "app")["auth_method"] == "none"


def test_what_does_not_fit_is_said_at_its_field_and_what_was_typed_stays(admin: Staff) -> None:
    uris = f"https://*.example.com/\r\n{HOSTILE}"
    form: dict[str, Any] = {
        "client_id": "a b",
        "name": HOSTILE,
        "redirect_uris": uris,
        "jwks": '{"keys": [',
        "grant_types": "nonsense",
    }
    shown = admin.send(NEW, **form)
    assert shown.status_code == 400
    assert 'id="jwks-wrong">Is no JSON object' in shown.text
    assert HOSTILE not in shown.text
    shown = admin.send(
        NEW, **{**form, "client_id": "ab", "jwks": "", "grant_types": "", "auth_method": "private_key_jwt"}
    )
    assert 'id="redirect_uris-wrong">Is no absolute URI' in shown.text
    assert form_of(shown)["redirect_uris"] == uris
    assert '<option value="private_key_jwt" selected>' in shown.text
    shown = admin.send(NEW, client_id="a b", auth_method="none")
    assert 'id="client_id-wrong"' in shown.text
    assert re.search(r'id="client_id"[^>]* aria-invalid="true"', shown.text)
    shown = admin.send(NEW, client_id="backend")
    assert (shown.status_code, "There is such a client already" in shown.text) == (409, True)


def test_only_what_was_changed_is_written(world: World, admin: Staff) -> None:
    shown = admin.get("/console/clients/backend")
    before = stored(world, "backend")
    assert world.api("PATCH", "/api/v1/clients/backend", "admin", json={"first_party": False}).status_code == 200
    form = {**form_of(shown), "redirect_uris": "https://bank.example.com/cb"}
    assert admin.post("/console/clients/backend", **form).status_code == 303
    after = stored(world, "backend")
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"redirect_uris", "first_party"}
    assert after["redirect_uris"] == ["https://bank.example.com/cb"]
    unchanged = admin.post("/console/clients/backend", **form_of(admin.get("/console/clients/backend")))
    assert unchanged.status_code == 303
    assert "Nothing was changed." in admin.get("/console/clients/backend").text


def test_keys_of_its_own_take_the_place_of_a_secret_and_back(world: World, admin: Staff) -> None:
    page = "/console/clients/other-backend"
    form = {**form_of(admin.get(page)), "auth_method": "private_key_jwt", "jwks": json.dumps({"keys": [KEY]})}
    assert admin.post(page, **form).status_code == 303
    assert stored(world, "other-backend")["jwks"]["keys"][0]["x"] == KEY["x"]
    shown = admin.get(page)
    assert KEY["x"] in shown.text
    private = json.dumps({"keys": [{**KEY, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]})
    refused = admin.post(page, **{**form_of(shown), "jwks": private})
    assert (refused.status_code, 'id="jwks-wrong"' in refused.text) == (400, True)
    assert len(secret_of(admin.post(page, **{**form_of(shown), "auth_method": "client_secret", "jwks": ""}))) == 43


def test_a_new_secret_is_shown_once_and_the_old_one_lives_for_a_while(world: World, admin: Staff) -> None:
    page = "/console/clients/other-backend"
    old = world.credentials["clients"]["other-backend"]["client_secret"]
    secret = secret_of(admin.send(f"{page}/secrets", overlap_seconds="3600"))
    form = {"grant_type": "client_credentials"}
    new: dict[str, Any] = {"headers": world.basic("other-backend", secret), "client": None}
    before: dict[str, Any] = {"headers": world.basic("other-backend", old), "client": None}
    assert world.post("/oauth/token", form, **new).status_code == 200
    assert world.post("/oauth/token", form, **before).status_code == 200
    shown = admin.get(page)
    assert ("Runs out" in shown.text, secret in shown.text) == (True, False)
    assert admin.get(f"{page}/secrets").headers["Location"] == page
    world.clock.pass_(3700)
    assert world.post("/oauth/token", form, **before).status_code == 401
    newest = secret_of(admin.send(f"{page}/secrets", overlap_seconds="0"))
    assert world.post("/oauth/token", form, **new).status_code == 401
    assert newest != secret


def test_an_overlap_that_there_is_not_is_refused(admin: Staff) -> None:
    for overlap in ("-1", "99999999999"):
        refused = admin.send("/console/clients/other-backend/secrets", overlap_seconds=overlap)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True)


def test_a_client_without_a_secret_is_given_none(admin: Staff) -> None:
    admin.send(NEW, client_id="app", auth_method="none")
    refused = admin.send("/console/clients/app/secrets", overlap_seconds="0")
    assert (refused.status_code, "This client has no secret" in refused.text) == (409, True)


def test_a_client_is_disabled_after_a_question_and_enabled_again(world: World, admin: Staff) -> None:
    page = "/console/clients/backend"
    world.start("agent")
    assert "<details" in admin.get(page).text.split("Disable…")[0][-80:]
    assert admin.send(f"{page}/disable").status_code == 303
    shown = admin.get(page)
    assert "Disabled." in text(shown)
    assert "It is refused everything." in shown.text
    assert world.post("/oauth/token", {"grant_type": "client_credentials"}).status_code == 401
    assert admin.send(f"{page}/enable").status_code == 303
    assert "stay dead." in admin.get(page).text
    assert world.post("/oauth/token", {"grant_type": "client_credentials"}).status_code == 200


def test_the_console_does_not_disable_itself(world: World, admin: Staff) -> None:
    assert "This console is using it" in admin.get("/console/clients/console").text
    refused = admin.send("/console/clients/console/disable")
    assert (refused.status_code, "You are using this client" in refused.text) == (409, True)
    assert stored(world, "console")["enabled"] is True


@pytest.mark.parametrize("who", ["agent", "lead", "auditor", "customer"])
def test_nobody_else_comes_here(world: World, staff: Staff, who: str) -> None:
    entered = staff.enter(who)
    assert "/console/clients" not in entered.text
    for path in ("/console/clients", NEW, "/console/clients/backend"):
        refused = staff.get(path)
        assert (refused.status_code, "backend" in text(refused)) == (403, False), path
    assert staff.send(NEW, entered, client_id="x").status_code == 403
    assert staff.send("/console/clients/backend", entered, name="x").status_code == 403
    for verb in VERBS:
        assert staff.send(f"/console/clients/backend/{verb}", entered, overlap_seconds="0").status_code == 403
    assert world.api("GET", "/api/v1/clients/x", "admin").status_code == 404
    assert len(stored(world, "backend")["secrets"]) == 1


def test_no_form_works_without_its_proof(world: World, admin: Staff) -> None:
    csrf = hidden(admin.get(NEW))["csrf"]
    for path in (NEW, "/console/clients/backend", *(f"/console/clients/backend/{verb}" for verb in VERBS)):
        assert admin.post(path, client_id="x", name="x").status_code == 403, path
        assert admin.post(path, _origin="https://evil.example", csrf=csrf, client_id="x").status_code == 403, path
    assert world.api("GET", "/api/v1/clients/x", "admin").status_code == 404


def test_a_client_that_is_not_there_is_404(admin: Staff) -> None:
    for path in ("nobody", "~other"):
        assert admin.get(f"/console/clients/{path}").status_code == 404
    for verb in VERBS:
        assert admin.send(f"/console/clients/nobody/{verb}").status_code == 404
