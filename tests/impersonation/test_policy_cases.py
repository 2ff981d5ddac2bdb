"""Tables of cases: the shipped one holds, a wrong one says what is wrong, and a failure says what was decided."""

import shutil
from pathlib import Path

import pytest

from authserver.impersonation.policy import Allow, PolicySet
from authserver.impersonation.policy_cases import BASE, CasesError, Result, Table, untried

SHIPPED = Path(__file__).parents[2] / "config" / "policy"
POLICY = PolicySet.load(SHIPPED)
RESULTS = Table.read(SHIPPED / "cases.toml").try_on(POLICY)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.case.name)
def test_shipped_policy_decides_its_case(result: Result) -> None:
    assert result.met, result.in_words()


def test_every_shipped_policy_decides_a_case() -> None:
    assert untried(POLICY, RESULTS) == []


def test_all_is_in_order_at_the_base() -> None:
    assert isinstance(POLICY.decide(BASE), Allow)


def tried(tmp_path: Path, text: str) -> list[Result]:
    (tmp_path / "cases.toml").write_text(text)
    return Table.read(tmp_path / "cases.toml").try_on(POLICY)


@pytest.mark.parametrize(
    ("case", "met"),
    [
        ('expect = "allow"', True),
        ('expect = "deny"', False),
        ('expect = "allow"\npolicies = ["who.agents-read-only"]', True),
        ('expect = "allow"\npolicies = ["who.leads"]', False),
        ('expect = "invalid_request"\nfacts.reason = ""', True),
        ('expect = "deny"\nfacts.reason = ""', False),
        ('expect = "needs_consent"\nfacts.consent = "none"', True),
        ('expect = "needs_approval"\nfacts.consent = "none"', False),
        ('expect = "needs_step_up"\nfacts.acr = "0"', True),
        ('expect = "deny"\nactor.roles = []\nfacts.scopes = ["a", "b"]', True),
    ],
)
def test_case_is_met_by_its_outcome_and_the_policies_it_names(tmp_path: Path, case: str, met: bool) -> None:  # noqa: FBT001
    [result] = tried(tmp_path, f'[[case]]\nname = "x"\n{case}\n')
    assert result.met is met


def test_base_of_a_file_changes_every_case(tmp_path: Path) -> None:
    text = """
    base.facts.client_address = "10.0.0.1"
    base.actor.country = "CH"
    [[case]]
    name = "from the company's network"
    expect = "deny"
    policies = ["network.client-address"]
    actor.roles = ["lead"]
    [[case]]
    name = "from this machine"
    expect = "allow"
    facts.client_address = "127.0.0.1"
    """
    results = tried(tmp_path, text)
    assert [result.met for result in results] == [True, True]
    assert {result.case.facts.actor.country for result in results} == {"CH"}


def test_failure_is_said_in_plain_words(tmp_path: Path) -> None:
    text = '[[case]]\nname = "x"\nexpect = "allow"\npolicies = ["who.leads"]\ntarget.enabled = false\n'
    [result] = tried(tmp_path, text)
    assert result.in_words() == [
        "Expected allow, by who.leads; it is deny.",
        "It is refused (access_denied).",
        "Because the target is disabled.",
        "Decided by target.disabled.",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no [[case]]"),
        ("case = 1", "there is no [[case]]"),
        ("case = [1]", "case 1 is no table"),
        ("[[cases]]", "the file: cases is not known here"),
        ("[[case]]\n[[", "Invalid initial character"),
        ('[[case]]\nexpect = "deny"', "case 1 has no name"),
        ('[[case]]\nname = "x"', "case 1 (x): expect is one of allow, deny, invalid_request, needs_step_up"),
        ('[[case]]\nname = "x"\nexpect = "maybe"', "expect is one of"),
        ('[[case]]\nname = "x"\nexpect = "deny"\npolicies = "a"', "policies is a list of ids"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfact.mode = "full"', "case 1 (x): fact is not known here"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.hours = 3', "facts: hours is not known here"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.hour = "3"', "facts.hour is a whole number"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.hour = true', "facts.hour is a whole number"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.break_glass = 1', "facts.break_glass is true or false"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.consent = "yes"', "facts.consent is one of none, standing"),
        ('[[case]]\nname = "x"\nexpect = "deny"\nfacts.target = 1', "target is a table of its own"),
        ('[[case]]\nname = "x"\nexpect = "deny"\ntarget.roles = "lead"', "target.roles is a list of texts"),
        ('[[case]]\nname = "x"\nexpect = "deny"\ntarget.roles = [[]]', "target.roles is a list of texts"),
        ('[[case]]\nname = "x"\nexpect = "deny"\ntarget = "lead"', "case 1 (x): target is no table"),
        ("base.name = 1\n[[case]]", "base: name is not known here"),
        (
            '[[case]]\nname = "x"\nexpect = "deny"\n[[case]]\nname = "x"\nexpect = "deny"',
            "case 2: the name 'x' is taken",
        ),
    ],
)
def test_table_that_is_wrong_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "cases.toml").write_text(text)
    with pytest.raises(CasesError) as raised:
        Table.read(tmp_path / "cases.toml")
    assert str(raised.value).startswith(f"{tmp_path / 'cases.toml'}: ")
    assert words in str(raised.value)


def test_table_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match="No such file"):
        Table.read(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(CasesError, match="utf-8"):
        Table.read(tmp_path / "bytes.toml")


def test_narrowed_copy_fails_the_cases_that_it_narrowed(tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED, tmp_path / "policy")
    hours = (folder / "hours.cedar").read_text().replace("context.hour <= 23", "context.hour < 17")
    (folder / "hours.cedar").write_text(hours.replace("context.hour >= 0", "context.hour >= 9"))
    failed = [result for result in Table.read(folder / "cases.toml").try_on(PolicySet.load(folder)) if not result.met]
    assert [result.case.name for result in failed] == ["any hour is one of work"]
