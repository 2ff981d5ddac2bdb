"""The policy's pages: prose and text, and cases that are tried."""

import html
import re
import shutil
from pathlib import Path

from authserver import settings as settings_module
from tests.conftest import MakeWorld
from tests.console.configuring import ESCAPED, HOSTILE, chosen, problem
from tests.console.staff import Staff, console_world, text
from tests.world import World

SHIPPED = settings_module.config_folder() / "policy"
CASES: tuple[tuple[dict[str, str], str, str | None], ...] = (
    ({"facts.mode": "read_only"}, "Allowed", "target.customers"),
    ({"facts.mode": "full"}, "Refused", "who.full-mode-is-for-leads"),
    ({"actor.roles": "lead", "facts.mode": "full"}, "Allowed", "who.leads"),
    ({"actor.roles": ""}, "Refused", None),
    ({"actor.roles": "auditor"}, "Refused", None),
    ({"actor.population": "customers"}, "Refused", "who.staff-only"),
    ({"actor.enabled": "false"}, "Refused", "who.disabled-actor"),
    ({"client.enabled": "false"}, "Refused", "who.disabled-client"),
    ({"actor.groups": "a, own-country-only", "target.country": "NO"}, "Refused", "target.own-country-only"),
    ({"target.tier": "vip"}, "An approval comes first", "needs.vip-approval"),
    ({"target.tier": "vip", "facts.approval": "given"}, "Allowed", "who.agents-read-only"),
    ({"target.population": "staff"}, "Refused", "target.staff"),
    ({"target.enabled": "false"}, "Refused", "target.disabled"),
    ({"target.groups": "notify-first"}, "The customer is told first", "needs.notice"),
    ({"relation": "conflict"}, "Refused", "target.conflict"),
    ({"relation": "self"}, "Refused", "target.self"),
    ({"facts.consent": "none"}, "The customer's consent comes first", "needs.consent"),
    ({"facts.acr": "0"}, "A new sign-in comes first", "authentication.strength"),
    ({"facts.auth_age": "721"}, "A new sign-in comes first", "authentication.age"),
    ({"facts.distinct_customers": "201"}, "Refused", "quota.distinct-customers"),
    ({"facts.active_impersonations": "1000"}, "Refused", "quota.active-impersonations"),
    ({"facts.client_address": "10.0.0.1"}, "Refused", "network.client-address"),
    ({"facts.ticket_id": ""}, "Refused: the request lacks something", "reason.ticket-required"),
    ({"facts.ticket_valid": "false"}, "Refused: the request lacks something", "reason.ticket-valid"),
    ({"facts.reason_code_known": "false"}, "Refused: the request lacks something", "reason.code-known"),
    ({"facts.reason": ""}, "Refused: the request lacks something", "reason.required"),
    ({"facts.break_glass": "true", "facts.report_owed": "true"}, "Refused", "break-glass.report-owed"),
)


def test_the_policy_is_prose_with_its_text_beside(admin: Staff) -> None:
    shown = admin.get("/console/policy")
    words = text(shown)
    assert "Staff are never acted for, nor is anybody with a role of theirs." in words
    assert "Said to the agent Full mode is for leads." in words
    assert '<span class="cedar-word">forbid</span> (principal' in shown.text
    assert "For whom. Whoever may ask may act for a customer, and for nobody else." in words
    ids = re.findall(r'id="([^"]+)"', shown.text)
    assert len(ids) == len(set(ids))
    assert {path.name for path in SHIPPED.glob("*.cedar*")} <= set(words.split())


def test_a_policy_of_ones_own_stays_text_and_what_differs_on_disk_is_said(
    make_sqlite_world: MakeWorld, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "policy"))
    hours = folder / "hours.cedar"
    sound = hours.read_text()
    hostile = f'\n// {HOSTILE}\n@id("own.rule")\n@why("<script>alert(1)</script>")\n'
    hours.write_text(f'{sound}{hostile}forbid (principal, action, resource) when {{ context.mode == "<script>" }};\n')
    world = console_world(make_sqlite_world, policy={"folder": str(folder)})
    staff = Staff(world)
    shown = staff.enter("admin", "/console/policy")
    assert ("<script>alert" in shown.text, shown.text.count(ESCAPED) > 2) == (False, True)
    hours.write_text(sound)
    assert "The policy folder has changed" in staff.get("/console/policy").text
    hours.write_text("nonsense <script>alert(1)</script>")
    broken = staff.get("/console/policy")
    assert "a restart would fail" in broken.text
    assert "<script>alert" not in broken.text


def test_a_case_is_decided_and_names_its_policies(admin: Staff) -> None:
    for case, answer, policy in CASES:
        shown = admin.get("/console/policy/try", **case)
        assert shown.status_code == 200, case
        assert f"<title>{html.escape(answer)}".replace("&#x27;", "&#39;") in shown.text, case
        linked = re.findall(r'href="/console/policy#policy-([^"]+)"', shown.text)
        assert policy in linked if policy else linked == [], case
        assert {name: chosen(shown, name) for name in case} == case


def test_a_case_that_is_none_is_named_at_its_field(admin: Staff) -> None:
    case = {"facts.hour": "noon", "facts.distinct_customers": "many", "facts.consent": "maybe", "target.tier": "vip"}
    shown = admin.get("/console/policy/try", **case)
    assert shown.status_code == 400
    assert "From 0 to 23." in problem(shown, "facts.hour")
    assert problem(shown, "facts.distinct_customers")
    assert problem(shown, "facts.consent")
    assert (chosen(shown, "facts.hour"), chosen(shown, "target.tier")) == ("noon", "vip")


def test_trying_a_case_leaves_nothing(world: World, admin: Staff) -> None:
    before = len(world.events())
    admin.get("/console/policy/try", **{"facts.mode": "full"})
    assert len(world.events()) == before


def test_hostile_words_of_a_case_stay_words(admin: Staff) -> None:
    names = ("target.tier", "actor.groups", "actor.roles", "facts.reason", "facts.acr", "facts.client_address")
    for case in ({name: HOSTILE} for name in (*names, "facts.hour", "relation", "unknown")):
        shown = admin.get("/console/policy/try", **case)
        assert "<script>alert" not in shown.text, case
