"""`authserver policy`: the same decision as the exchange would get, in words, with nothing written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text

from authserver.storage.tables import Base
from tests.world import PAYMENTS, World

Command = Callable[..., Result]
SHIPPED = Path(__file__).parents[2] / "config" / "policy"
ALLOWED = "It is allowed."


def explain(world: World, command: Command, actor: str, subject: str, *options: str) -> Result:
    names = (f"{actor}@example.com", f"{subject}@example.com")
    return command(world, "policy", "explain", "--actor", names[0], "--subject", names[1], *options)


def rows(world: World) -> dict[str, int]:
    """Count the rows of every table."""
    with world.work() as work:
        tables = Base.metadata.sorted_tables
        return {t.name: work.session.scalar(text(f"SELECT count(*) FROM {t.name}")) or 0 for t in tables}  # noqa: S608


def test_check_lists_every_policy_with_its_sentence(world: World, command: Command) -> None:
    result = command(world, "policy", "check")
    assert result.exit_code == 0
    assert "target.customers" in result.stdout
    assert "Staff are never acted for" in result.stdout


@pytest.mark.parametrize(
    ("actor", "subject", "options", "words", "policy", "form"),
    [
        ("agent", "customer", (), ALLOWED, "who.agents-read-only, target.customers", {}),
        ("agent", "customer-ask", (), "The customer must consent first.", "needs.consent", {}),
        ("agent", "vip", (), "A second person must approve it first.", "needs.vip-approval", {}),
        ("agent", "lead", (), "It is refused (access_denied).", "target.staff", {}),
        ("agent", "disabled", (), "It is refused (access_denied).", "target.disabled", {}),
        ("customer", "vip", (), "It is refused (access_denied).", "who.staff-only", {}),
        ("agent", "customer", ("--mode", "full"), "Because full mode is for leads.", "who.full-mode", {"mode": "full"}),
        ("lead", "customer", ("--mode", "full"), ALLOWED, "who.leads", {"mode": "full"}),
        ("agent", "customer", ("--reason", ""), "(invalid_request)", "reason.required", {"reason": None}),
        ("agent", "customer", ("--ticket", ""), "(invalid_request)", "reason.ticket-required", {"ticket_id": None}),
        ("agent", "customer", ("--ticket", "nonsense"), "not valid", "reason.ticket-valid", {"ticket_id": "nonsense"}),
        ("agent", "customer", ("--ticket", "BANK-1", "--reason", "x"), ALLOWED, "target.customers", {}),
        (
            "agent",
            "customer",
            ("--reason-code", "boredom"),
            "not one of",
            "reason.code-known",
            {"reason_code": "boredom"},
        ),
        ("agent", "customer", ("--resource", PAYMENTS), "Scopes: payments:read.", "target", {"resource": PAYMENTS}),
    ],
)
def test_explanation_is_the_decision_that_the_exchange_gets(
    *,
    world: World,
    command: Command,
    actor: str,
    subject: str,
    options: tuple[str, ...],
    words: str,
    policy: str,
    form: dict[str, str],
) -> None:
    result = explain(world, command, actor, subject, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert words in result.stdout
    assert policy in result.stdout.split("Decided by ")[1]
    answer = world.way_a(actor, subject, **form)
    said = {
        ALLOWED: None,
        "It is refused (access_denied).": "access_denied",
        "It is refused (invalid_request).": "invalid_request",
        "The customer must consent first.": "consent_required",
        "A second person must approve it first.": "approval_required",
    }
    (decision,) = (error for line, error in said.items() if line in result.stdout)
    assert answer.json.get("error") == decision
    if decision is None:
        assert f"Scopes: {answer.json['scope']}." in result.stdout


def test_explaining_writes_nothing_and_counts_no_attempt(world: World, command: Command) -> None:
    before = rows(world)
    for subject in ("customer", "vip", "customer-ask", "lead"):
        explain(world, command, "agent", subject)
    assert rows(world) == before
    assert "customers 1 in the quota's window" in explain(world, command, "agent", "customer").stdout
    world.way_a(target="vip")
    assert "customers 2 in the quota's window" in explain(world, command, "agent", "customer").stdout


@pytest.mark.parametrize(
    ("subject", "options", "told"),
    [
        ("customer", ("--mode", "full"), "Full mode is for leads."),
        ("vip", (), "Another person approves this first."),
        ("lead", (), "The policy does not allow this."),
    ],
)
def test_explanation_says_what_the_actor_is_told(
    world: World, command: Command, subject: str, options: tuple[str, ...], told: str
) -> None:
    assert f'The actor is told: "{told}"' in explain(world, command, "agent", subject, *options).stdout


def test_ids_do_as_well_as_user_names(world: World, command: Command) -> None:
    by_id = command(world, "policy", "explain", "--actor", world.id("agent"), "--subject", world.id("vip"))
    assert by_id.stdout == explain(world, command, "agent", "vip").stdout


def test_what_was_not_given_is_said_to_be_supposed(world: World, command: Command) -> None:
    supposed = explain(world, command, "agent", "customer").stdout
    assert "reason    supposed to be given" in supposed
    assert "ticket    supposed to be given and valid" in supposed
    given = explain(world, command, "agent", "customer", "--reason", "a call", "--ticket", "BANK-1").stdout
    assert "reason    a call" in given
    assert "supposed" not in given


def test_a_support_code_can_be_supposed(world: World, command: Command) -> None:
    without = explain(world, command, "agent", "customer-ask").stdout
    assert "The customer must consent first." in without
    supposed = explain(world, command, "agent", "customer-ask", "--support-code").stdout
    assert "consent   a support code is supposed" in supposed
    assert ALLOWED in supposed


def test_actor_without_a_live_session_is_said_to_have_none(world: World, command: Command) -> None:
    assert "urn:authserver:acr:mfa from 127.0.0.1" in explain(world, command, "agent", "customer").stdout
    command(world, "users", "end-sessions", "agent@example.com")
    result = explain(world, command, "agent", "customer")
    assert "session   none is alive" in result.stdout
    assert "Nothing can be exchanged before the actor has signed in." in result.stdout
    assert "The actor must sign in again" in result.stdout
    assert ALLOWED not in result.stdout


def test_address_is_the_one_that_is_judged(world: World, command: Command) -> None:
    result = explain(world, command, "agent", "customer", "--address", "192.0.2.1")
    assert "network.client-address" in result.stdout
    assert ALLOWED in explain(world, command, "agent", "customer", "--address", "127.0.0.9").stdout
    assert explain(world, command, "agent", "customer", "--address", "nonsense").exit_code == 2


def test_client_that_may_not_exchange_is_said_to_be_out(world: World, command: Command) -> None:
    result = explain(world, command, "agent", "customer", "--client", "other-backend")
    assert "other-backend may not start an exchange at all (unauthorized_client)." in result.stdout
    command(world, "clients", "disable", "backend")
    assert "who.disabled-client" in explain(world, command, "agent", "customer").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--client", "nobody"), "nobody: no such client"),
        (("--client", "resource-server"), "refused before the policy is asked: invalid_target"),
        (("--resource", "https://nobody.example"), "refused before the policy is asked: invalid_target"),
    ],
)
def test_what_never_comes_before_the_policy_is_exit_1(
    world: World, command: Command, options: tuple[str, ...], words: str
) -> None:
    result = explain(world, command, "agent", "customer", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert "nobody@example.com: no such user" in explain(world, command, "agent", "nobody").stderr


def test_client_is_asked_for_where_several_may_exchange(world: World, command: Command) -> None:
    command(world, "clients", "set", "other-backend", "--grants", "token_exchange", "--ways", "A")
    result = explain(world, command, "agent", "customer")
    assert result.exit_code == 1
    assert "name the client with --client; those that may exchange: backend, other-backend" in result.stderr
    assert ALLOWED in explain(world, command, "agent", "customer", "--client", "other-backend").stdout


# --- break-glass


def test_explanation_of_break_glass_is_the_decision_that_it_gets(world: World, command: Command) -> None:
    plain = explain(world, command, "lead", "vip").stdout
    assert "A second person must approve it first." in plain
    broken = explain(world, command, "lead", "vip", "--override", "break_glass").stdout
    assert ALLOWED in broken
    assert "mode      read_only, by break-glass, from" in broken
    assert "A report would be owed within 24 h, and 0 security contacts would be told." in broken
    assert "owed" not in plain
    refused = explain(world, command, "agent", "vip", "--override", "break_glass").stdout
    assert "break-glass.who" in refused
    assert "would be owed" not in refused
    assert explain(world, command, "lead", "vip", "--override", "please").exit_code == 2


def test_explanation_says_what_is_owed_and_that_it_stands_in_the_way(world: World, command: Command) -> None:
    owed = world.way_a("lead", "vip", override="break_glass").json["impersonation_id"]
    said = f"A report of break-glass is owed for {owed}, due 2027-01-16T08:00:00Z."
    again = explain(world, command, "lead", "customer", "--override", "break_glass").stdout
    assert said in again
    assert "break-glass.report-owed" in again
    other = explain(world, command, "lead", "customer").stdout
    assert said in other
    assert ALLOWED in other
    assert "is owed" not in explain(world, command, "agent", "customer").stdout
    world.clock.pass_(86_401)
    late = explain(world, command, "lead", "customer").stdout
    assert f"{owed}, due 2027-01-16T08:00:00Z, which is over." in late


def test_step_up_of_break_glass_is_explained(world: World, command: Command) -> None:
    world.clock.pass_(301)
    result = explain(world, command, "lead", "vip", "--override", "break_glass").stdout
    assert "The actor must sign in again: at most 300 s ago, with one of phr phrh." in result


# --- tables of cases


def test_shipped_cases_hold(world: World, command: Command) -> None:
    result = command(world, "policy", "test")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(" cases, 0 failed.\n")
    assert "No case is decided by" not in result.stdout


def test_failed_case_is_exit_1_and_said_with_the_policies_that_decided(
    world: World, command: Command, tmp_path: Path
) -> None:
    table = tmp_path / "table.toml"
    table.write_text('[[case]]\nname = "staff may be seen"\nexpect = "allow"\ntarget.population = "staff"\n')
    result = command(world, "policy", "test", str(table))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "FAILED  staff may be seen",
        "        Expected allow; it is deny.",
        "        It is refused (access_denied).",
        "        Because staff are never acted for.",
        "        Decided by target.staff.",
    ]
    assert lines[5].startswith("No case is decided by authentication.strength, ")
    assert lines[6] == "1 case, 1 failed."


def test_cases_are_tried_on_the_folder_that_is_named(world: World, command: Command, tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED, tmp_path / "policy")
    quota = (folder / "quota.cedar").read_text()
    (folder / "quota.cedar").write_text(quota.replace("distinctCustomers > 200", "distinctCustomers > 20"))
    result = command(world, "policy", "test", "--policy", str(folder))
    assert result.exit_code == 1
    assert "FAILED  two hundred customers in an hour are enough" in result.stdout
    assert "quota.distinct-customers" in result.stdout


def test_table_or_policy_that_cannot_be_used_is_exit_1(world: World, command: Command, tmp_path: Path) -> None:
    missing = command(world, "policy", "test", str(tmp_path / "none.toml"))
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "No such file" in missing.stderr
    empty = command(world, "policy", "test", "--policy", str(tmp_path))
    assert empty.exit_code == 1
    assert "schema.cedarschema:1: No such file" in empty.stderr
