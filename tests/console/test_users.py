"""People in the console: an admin finds, adds, changes and disables them; nobody else does."""

import re
from typing import Any

import pytest

from tests.console.staff import Staff, text
from tests.signing_in import hidden
from tests.world import Answer, World

HOSTILE = '"><script>window.hit=1</script>'
ACTS = ("password", "disable", "enable")


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.enter("admin", "/console/users")
    return staff


def of(world: World, who: str) -> str:
    return f"/console/users/{world.id(who)}"


def stored(world: World, who: str) -> dict[str, Any]:
    return world.api("GET", f"/api/v1/users/{world.id(who)}", "admin").json


def form_of(shown: Answer) -> dict[str, Any]:
    """Return what a browser would send of a person's form as it is shown."""
    fields: dict[str, Any] = {**hidden(shown)}
    for tag in re.findall(r"<input[^>]*>", shown.text):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") in {"text", "email"}:
            fields[found["name"]] = found["value"]
        elif found.get("type") == "checkbox" and " checked" in tag:
            fields.setdefault(found["name"], []).append(found.get("value", "on"))
    for name, inside in re.findall(r'<select id="[^"]*" name="([^"]*)"[^>]*>(.*?)</select>', shown.text):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        fields[name] = "" if chosen is None else chosen[1]
    return fields


def secret_of(shown: Answer) -> str:
    found = re.search(r'<code class="secret"[^>]*>([^<]+)</code>', shown.text)
    assert found is not None, text(shown)
    return found[1]


def test_people_are_found_by_what_is_known_of_them(admin: Staff) -> None:
    assert "Casey Customer" in admin.get("/console/users").text
    found = admin.get("/console/users", q="casey")
    assert "Casey Customer" in found.text
    assert "Avery" not in found.text
    assert "Casey Customer" not in admin.get("/console/users", role="lead").text
    assert "Casey Customer" not in admin.get("/console/users", population="staff").text
    assert "Nobody like that" in admin.get("/console/users", q="nobody of that name").text


def test_a_filter_that_there_is_not_is_said(admin: Staff) -> None:
    assert "There is no such filter." in admin.get("/console/users", role=HOSTILE).text


def test_a_long_list_goes_on(world: World, admin: Staff) -> None:
    rows = [{"username": f"person{number:03}"} for number in range(60)]
    assert world.api("POST", "/api/v1/users/import", "admin", json={"rows": rows}).status_code == 200
    shown = admin.get("/console/users", q="person")
    more = re.search(r'rel="next" href="([^"]+)"', shown.text)
    assert more is not None
    names = set(re.findall(r"person\d{3}", shown.text + admin.get(more[1].replace("&amp;", "&")).text))
    assert len(names) == 60


def test_somebody_is_added_with_a_password_that_is_shown_once(world: World, admin: Staff) -> None:
    shown = admin.get("/console/users/new")
    made = admin.send(
        "/console/users/new",
        shown,
        username="nora",
        population="staff",
        name="Nora",
        roles="support",
        with_password="on",
    )
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    password = secret_of(made)
    assert len(password) == 43
    assert "Location" not in made.headers
    onward = re.search(r'href="(/console/users/usr_[^"]+)">I have it', made.text)
    assert onward is not None
    page = admin.get(onward[1])
    assert ("Nora" in page.text, password in page.text) == (True, False)
    found = world.api("GET", "/api/v1/users?q=nora", "admin").json["items"]
    assert [(each["username"], each["roles"]) for each in found] == [("nora", ["support"])]


def test_somebody_who_signs_in_elsewhere_is_added_without_a_password(admin: Staff) -> None:
    made = admin.send("/console/users/new", username="ext", population="customers")
    assert made.status_code == 303
    assert "without a password" in admin.get(made.headers["Location"]).text


def test_what_does_not_fit_is_said_at_its_field_and_what_was_typed_stays(admin: Staff) -> None:
    form: dict[str, Any] = {
        "username": "nora",
        "population": "staff",
        "name": HOSTILE,
        "country": "Sweden",
        "roles": "customer",
    }
    shown = admin.send("/console/users/new", **form, with_password="on")
    assert shown.status_code == 400
    assert 'id="country-wrong">Is two capital letters' in shown.text
    assert re.search(r'id="roles" [^>]*aria-invalid="true"', shown.text)
    assert re.search(
        r'id="country"[^>]* value="Sweden"[^>]* aria-invalid="true" aria-describedby="country-wrong', shown.text
    )
    assert "&#34;&gt;&lt;script&gt;" in shown.text
    assert HOSTILE not in shown.text
    assert 'href="#country">Country' in shown.text


def test_a_user_name_that_is_taken_is_said_there(world: World, admin: Staff) -> None:
    taken = world.credentials["users"]["agent"]["username"]
    shown = admin.send("/console/users/new", username=taken, population="staff")
    assert shown.status_code == 409
    assert 'id="username-wrong">There is such a user already' in shown.text


def test_only_what_was_changed_is_written(world: World, admin: Staff) -> None:
    """Another admin's change of another field, meanwhile, stays."""
    shown = admin.get(of(world, "customer"))
    assert (
        world.api("PATCH", f"/api/v1/users/{world.id('customer')}", "admin", json={"tier": "gold"}).status_code == 200
    )
    done = admin.post(of(world, "customer"), **{**form_of(shown), "name": "Casey C."})
    assert done.status_code == 303
    assert (stored(world, "customer")["name"], stored(world, "customer")["tier"]) == ("Casey C.", "gold")
    assert world.events("user:changed")[-1]["changes"] == {"fields": ["name"]}
    assert "Saved." in admin.get(of(world, "customer")).text


def test_everything_about_a_person_can_be_changed(world: World, admin: Staff) -> None:
    shown = admin.get(of(world, "agent"))
    form = {**form_of(shown), "roles": ["support", "lead"], "groups": "a, b", "tier": "inner", "country": "SE"}
    form |= {
        "conflicts": world.id("customer"),
        "locale": "sv-SE",
        "time_zone": "Europe/Stockholm",
        "appearance": "dark",
    }
    assert admin.post(of(world, "agent"), **{**form, "app_version": "1.2"}).status_code == 303
    found = stored(world, "agent")
    assert (found["roles"], found["groups"], found["country"]) == (["support", "lead"], ["a", "b"], "SE")
    assert (found["conflicts"], found["appearance"]) == ([world.id("customer")], "dark")
    assert "Casey Customer</a>" in admin.get(of(world, "agent")).text


def test_a_form_that_changes_nothing_says_so(world: World, admin: Staff) -> None:
    shown = admin.get(of(world, "agent"))
    before = len(world.events("user:changed"))
    assert admin.post(of(world, "agent"), **form_of(shown)).status_code == 303
    assert "Nothing was changed." in admin.get(of(world, "agent")).text
    assert len(world.events("user:changed")) == before


def test_another_address_is_not_checked_yet(world: World, admin: Staff) -> None:
    shown = admin.get(of(world, "customer"))
    assert stored(world, "customer")["email_verified"] is True
    admin.post(of(world, "customer"), **{**form_of(shown), "email": "new@example.com"})
    assert stored(world, "customer")["email_verified"] is False


@pytest.mark.parametrize("was", ["", "[", "[1]", "null", '{"name": {"a": 1}, "roles": 3}', "[" * 5000])
def test_what_is_said_to_have_stood_there_is_believed_of_nobody(world: World, admin: Staff, was: str) -> None:
    shown = admin.get(of(world, "agent"))
    answer = admin.post(of(world, "agent"), **{**form_of(shown), "was": was, "name": "Avery A."})
    assert answer.status_code in {303, 400}


def test_disabling_says_what_ended_and_asks_before(world: World, admin: Staff) -> None:
    world.start("agent")
    shown = admin.get(of(world, "agent"))
    assert "<details" in shown.text.split("Disable…")[0][-80:]
    assert admin.post(f"{of(world, 'agent')}/disable", csrf=hidden(shown)["csrf"]).status_code == 303
    after = admin.get(of(world, "agent"))
    assert re.search(r"Disabled\. (\d+ sessions? and )?1 impersonation ended", text(after))
    assert "They cannot sign in" in after.text
    assert admin.post(f"{of(world, 'agent')}/enable", csrf=hidden(after)["csrf"]).status_code == 303
    assert stored(world, "agent")["enabled"] is True


def test_a_new_password_is_shown_once_and_the_one_before_is_dead(world: World, admin: Staff) -> None:
    made = admin.send(f"{of(world, 'agent')}/password")
    assert (made.status_code, made.headers["Cache-Control"]) == (200, "no-store")
    password = secret_of(made)
    assert Staff(world).sign_in("agent").status_code != 303
    world.credentials["users"]["agent"]["password"] = password
    assert Staff(world).sign_in("agent").status_code == 303
    assert admin.get(f"{of(world, 'agent')}/password").headers["Location"] == of(world, "agent")


def test_nobody_takes_their_own_rights_away(world: World, admin: Staff) -> None:
    mine = of(world, "admin")
    shown = admin.get(mine)
    assert "changed by another admin" in shown.text
    assert 'name="roles"' not in shown.text
    assert admin.post(mine, **{**form_of(shown), "roles": "customer", "name": "Addison"}).status_code == 303
    assert stored(world, "admin")["roles"] == ["admin"]
    for verb in ("disable", "password"):
        refused = admin.send(f"{mine}/{verb}")
        assert refused.status_code == 409
        assert "another admin does" in refused.text


@pytest.mark.parametrize("who", ["agent", "lead", "auditor", "customer"])
def test_nobody_else_comes_here(world: World, staff: Staff, who: str) -> None:
    entered = staff.enter(who)
    assert "/console/users" not in entered.text
    seen = world.id("agent2")
    for path in ("/console/users", "/console/users/new", f"/console/users/{seen}"):
        refused = staff.get(path)
        assert refused.status_code == 403, path
        assert "@example.com" not in text(refused)
    assert staff.send("/console/users/new", entered, username="x", population="staff").status_code == 403
    assert staff.send(f"/console/users/{seen}", entered, name="x").status_code == 403
    for verb in ACTS:
        assert staff.send(f"/console/users/{seen}/{verb}", entered).status_code == 403
    assert world.api("GET", f"/api/v1/users/{seen}", "admin").json["enabled"] is True


def test_no_form_works_without_its_proof(world: World, admin: Staff) -> None:
    one = of(world, "agent")
    for path in ("/console/users/new", one, *(f"{one}/{verb}" for verb in ACTS)):
        assert admin.post(path, username="x", name="x").status_code == 403, path
        csrf = hidden(admin.get("/console/users/new"))["csrf"]
        assert admin.post(path, _origin="https://evil.example", csrf=csrf).status_code == 403, path
    assert stored(world, "agent")["enabled"] is True


def test_somebody_who_is_not_there_is_404(admin: Staff) -> None:
    assert admin.get("/console/users/usr_nobody").status_code == 404
    for verb in ACTS:
        assert admin.send(f"/console/users/usr_nobody/{verb}").status_code == 404


def test_what_was_typed_outlives_a_sign_in(world: World, admin: Staff) -> None:
    """The session ends while somebody types; after the sign-in the form stands there as it was."""
    shown = admin.get("/console/users/new")
    with world.work() as work:
        work.lock()
        world.wired.sessions.end(
            work, world.events("session:started")[-1]["session_id"], user_id=world.id("admin"), by="x"
        )
    sent = admin.send("/console/users/new", shown, username="nora", population="customers", roles="customer")
    onward = re.search(r'content="0;url=([^"]+)"', sent.text)
    assert onward is not None, sent.text
    answer = admin.log_in(admin.go(admin.local(onward[1].replace("&amp;", "&"))), "admin")
    while answer.status_code == 303:
        answer = admin.get(admin.local(answer.headers["Location"]))
    assert re.search(r'id="username"[^>]* value="nora"', answer.text)
    assert '<option value="customers" selected>' in answer.text
