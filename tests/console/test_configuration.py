"""An admin's pages of the configuration: what they show, each refusal, each wrong role, and hostile words."""

import re

import pytest

from authserver.federation.refusals import UnavailableError
from tests.conftest import MakeWorld
from tests.console.configuring import ESCAPED, HOSTILE, PLAIN, app, create
from tests.console.staff import Staff, console_world, text, wire
from tests.world import World

PAGES = (
    "/console/issuers",
    "/console/apps",
    "/console/apps/_new",
    "/console/apps/demo-bank",
    "/console/apps/bank/disable",
    "/console/keys",
    "/console/keys/rotate?kid=x",
    "/console/policy",
    "/console/policy/try",
    "/console/policy/try?target.tier=vip",
    "/console/health",
)
FORMS = (
    "/console/apps/_new",
    "/console/apps/bank",
    "/console/apps/bank/disable",
    "/console/apps/bank/enable",
    "/console/keys/rotate",
)


# --- who


@pytest.mark.parametrize("who", ["agent", "lead", "auditor"])
def test_whoever_is_no_admin_is_refused_by_the_api_everywhere(world: World, staff: Staff, who: str) -> None:
    create(world)
    shown = staff.enter(who)
    assert "/console/apps" not in shown.text
    before = app(world), world.api("GET", "/api/v1/keys", "admin").json
    for path in PAGES:
        refused = staff.get(path)
        assert (refused.status_code, "You may not do this" in refused.text) == (403, True), path
        assert world.events("request:refused")[-1]["actor"] == world.id(who)
    for path in FORMS:
        refused = staff.send(path, shown if who != "auditor" else refused, name="other", **PLAIN, kid="x")
        assert refused.status_code == 403, path
    assert (app(world), world.api("GET", "/api/v1/keys", "admin").json) == before


def test_a_customer_is_refused_too(world: World, staff: Staff) -> None:
    staff.enter("customer")
    assert {staff.get(path).status_code for path in PAGES} == {403}
    del world


def test_no_form_goes_without_its_proof(world: World, admin: Staff) -> None:
    create(world)
    for path in FORMS:
        for form in ({}, {"csrf": "x"}):
            refused = admin.post(path, **form, name="other", **PLAIN)
            assert (refused.status_code, "Nothing was done" in refused.text) == (403, True), path
    assert app(world)["enabled"] is True
    assert not [event for event in world.events("key:changed") if event["by"] == world.id("admin")]


def test_an_admin_finds_each_page(world: World, admin: Staff) -> None:
    create(world)
    for path in (each for each in PAGES if "kid=" not in each):
        shown = admin.get(path)
        assert shown.status_code == 200, path
        assert "aria-current" in shown.text


def test_a_server_that_does_not_answer_is_said(world: World, admin: Staff) -> None:
    wire(world).down = 9
    assert admin.get("/console/health").status_code == 502


# --- trusted issuers


def test_without_trusted_issuers_it_is_said_where_they_are_set(admin: Staff) -> None:
    assert "No other issuer is trusted" in admin.get("/console/issuers").text


def test_issuers_are_shown_with_the_state_of_their_documents(make_sqlite_world: MakeWorld) -> None:
    corp = {
        "issuer": "http://127.0.0.1:1",
        "label": HOSTILE,
        "population": "staff",
        "client_id": "authserver",
        "client_secret": "s3cret-of-ours",
        "allow_private_addresses": True,
        "connect_timeout": 1,
        "presenters": [{"client": "backend", "types": ["id_token"]}],
    }
    world = console_world(make_sqlite_world, **{"federation.issuers.corp": corp})
    staff = Staff(world)
    shown = staff.enter("admin", "/console/issuers")
    words = text(shown)
    assert (ESCAPED in shown.text, "<script>alert" in shown.text) == (True, False)
    assert "People sign in with it" in words
    assert words.count("Not fetched yet") == 2
    assert "backend id token" in words
    assert "s3cret" not in shown.text
    [known] = world.wired.federation.trusted.all()
    with pytest.raises(UnavailableError):
        known.metadata.get()
    assert "The last try failed, 15 Jan 2027, 08:00 : transport." in text(staff.get("/console/issuers"))


# --- keys


def kids(world: World) -> dict[str, str]:
    return {
        key["alg"]: key["kid"]
        for key in world.api("GET", "/api/v1/keys", "admin").json["items"]
        if key["state"] == "signing"
    }


def test_keys_say_what_they_sign_and_for_how_long(world: World, admin: Staff) -> None:
    world.clock.pass_(3500)
    assert "Less than a day" in text(admin.get("/console/keys"))
    world.clock.pass_(2 * 86_400)
    admin.sign_in("admin")
    words = text(admin.go("/console/keys"))
    for expected in ("Tokens in ES256", "Tokens in RS256", "The audit trail", "2 days"):
        assert expected in words


def test_a_key_is_rotated_after_one_question(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world, keys={"publish_seconds": 600})
    staff, kid = Staff(world), kids(world)["ES256"]
    asked = staff.enter("admin", f"/console/keys/rotate?kid={kid}")
    assert "Nobody is signed out" in asked.text
    assert kids(world)["ES256"] == kid
    assert staff.send("/console/keys/rotate", asked, kid=kid).headers["Location"] == "/console/keys"
    shown = staff.get("/console/keys")
    assert "takes over by itself" in shown.text
    assert "A successor takes over" in shown.text
    assert f"rotate?kid={kid}" not in shown.text
    again = staff.send("/console/keys/rotate", asked, kid=kid)
    assert (again.status_code, "has not taken over yet" in again.text) == (409, True)
    assert [event["action"] for event in world.events("key:changed")][-2:] == ["published", "retired"]


def test_the_trails_own_key_is_rotated_at_once(world: World, admin: Staff) -> None:
    kid = kids(world)["Ed25519"]
    asked = admin.get(f"/console/keys/rotate?kid={kid}")
    assert "stays provable" in asked.text
    assert admin.send("/console/keys/rotate", asked, kid=kid).status_code == 303
    assert "signs." in admin.get("/console/keys").text
    assert kids(world)["Ed25519"] != kid


def test_young_key_is_rotated_all_the_same_once_somebody_says_why(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world, keys={"rotation_seconds": 86_400})
    staff, kid = Staff(world), kids(world)["Ed25519"]
    world.clock.pass_(120)
    asked = staff.enter("admin", f"/console/keys/rotate?kid={kid}")
    refused = staff.send("/console/keys/rotate", asked, kid=kid)
    assert (refused.status_code, "rotated lately" in refused.text) == (409, True)
    unsaid = staff.send("/console/keys/rotate", asked, kid=kid, force="true", remark=" ")
    assert unsaid.status_code == 400
    assert kids(world)["Ed25519"] == kid
    assert staff.send("/console/keys/rotate", asked, kid=kid, force="true", remark="a disk is gone").status_code == 303
    assert kids(world)["Ed25519"] != kid


@pytest.mark.parametrize("kid", ["", "none", HOSTILE])
def test_what_is_no_key_that_signs_is_not_rotated(world: World, admin: Staff, kid: str) -> None:
    before = kids(world)
    shown = admin.get("/console/keys/rotate", kid=kid)
    assert shown.status_code == 404
    assert "<script>alert" not in shown.text
    assert admin.send("/console/keys/rotate", kid=kid).status_code == 404
    assert kids(world) == before


# --- health


def test_health_says_each_thing_in_words_and_what_is_wrong_first(world: World, admin: Staff) -> None:
    found = world.api("GET", "/api/v1/health", "admin").json
    shown = admin.get("/console/health")
    words = text(shown)
    assert all(check["words"].replace("'", "&#39;") in words for check in found["checks"])
    looks = {"fail": "Broken", "warn": "Look at this", "ok": "OK"}
    order = re.findall(r'<span class="tag \w+">(Broken|Look at this|OK)</span>', shown.text)
    assert order == sorted((looks[check["status"]] for check in found["checks"]), key=list(looks.values()).index)
    headline = {"ok": "All is well.", "warn": "wants a look", "fail": "Something is broken."}[found["status"]]
    assert headline in words
