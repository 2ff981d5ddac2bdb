"""Reading the policy: what is wrong is named by file and line, and nothing half-read is ever used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from authserver.cli import Options
from authserver.cli.policy import command
from authserver.impersonation.policy import PolicyError, PolicySet

SHIPPED = Path(__file__).parents[2] / "config" / "policy"
YES = '@id("yes")\npermit (principal, action, resource);\n'
FORBID = "forbid (principal, action, resource);\n"
REQUEST, IMPERSONATE = 'Action::"request"', 'Action::"impersonate"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SHIPPED / "schema.cedarschema", tmp_path)
    (tmp_path / "a.cedar").write_text(YES)
    return tmp_path


@pytest.fixture
def error(folder: Path) -> Callable[[str], str]:
    def load(text: str) -> str:
        """Load the folder with one more file and give the error, without the folder."""
        (folder / "b.cedar").write_text(text)
        with pytest.raises(PolicyError) as raised:
            PolicySet.load(folder)
        return str(raised.value).replace(f"{folder}/", "")

    return load


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("// fine\n\n" + FORBID, "b.cedar:3", "no @id"),
        (f'@id("x;") // ;\n{FORBID}', "b.cedar:1", "lower-case words"),
        (f'@id("policy.error")\n{FORBID}', "b.cedar:1", "policy."),
        (f'@id("one")\n{FORBID}\n@id("yes")\n{FORBID}', "b.cedar:4", "the id yes is taken by a.cedar:1"),
        (f'@id("one")\n@colour("red")\n{FORBID}', "b.cedar:1", "@colour is not known"),
        (f'@id("one") @outcome("needs_luck")\n{FORBID}', "b.cedar:1", "needs_luck"),
        ('@id("one") @outcome("needs_consent")\npermit (principal, action, resource);', "b.cedar:1", "on a forbid"),
        (f'@id("one") @outcome("needs_step_up")\n{FORBID}', "b.cedar:1", "@acr_values"),
        (f'@id("one") @outcome("needs_step_up") @acr_values("phr")\n{FORBID}', "b.cedar:1", "@max_age"),
        (f'@id("one") @max_age("300")\n{FORBID}', "b.cedar:1", "needs_step_up alone"),
        (f'@id("one") @order("1")\n{FORBID}', "b.cedar:1", "@order"),
        (f'@id("one") @outcome("needs_consent") @order("x")\n{FORBID}', "b.cedar:1", "@order"),
        (f'@id("one") @refusal("invalid_grant")\n{FORBID}', "b.cedar:1", "@refusal"),
        (f'@id("one") @says("Not you.")\n{FORBID}', "b.cedar:1", "@says stands on a forbid of the action request"),
        ('@id("one") @says("x")\n' + FORBID.replace("action", f"action == {IMPERSONATE}"), "b.cedar:1", "@says"),
        ('@id("one") @says("x")\n' + FORBID.replace("action", f"action in [{REQUEST}]"), "b.cedar:1", "@says"),
        ('@id("one") @says("x")\npermit (principal, action, resource);', "b.cedar:1", "@says"),
        ('@id("one") @id("two")\n' + FORBID, "b.cedar:2", "duplicate annotation"),
        ('@id("one")\nforbid (principal == ?principal, action, resource);', "b.cedar:1", "templates"),
        ('@id("one")\n' + FORBID.replace(";\n", "\n") + '\n@id("two")\n' + FORBID, "b.cedar:4", "unexpected token"),
        ('@id("one")\nforbid (principal, action, resource)\nwhen { 1 + };\n', "b.cedar:3", "unexpected token"),
        ('@id("one")\nforbid (principal,\n', "b.cedar:2", "end of input"),
        ('\n@id("one")\nforbid (principal, action, resource) when { context.luck };', "b.cedar:2", "luck"),
        ('@id("one")\nforbid (principal, action, resource) when { context.hour == "x" };', "b.cedar:1", "policy one: "),
        ('@id("one")\nforbid (principal, action == Action::"guess", resource);', "b.cedar:1", "guess"),
    ],
)
def test_broken_policy_is_named_by_file_line_and_reason(
    error: Callable[[str], str], text: str, place: str, words: str
) -> None:
    message = error(text)
    assert message.startswith(f"{place}: ")
    assert words in message


def test_file_that_is_not_utf8_is_named(folder: Path) -> None:
    (folder / "b.cedar").write_bytes(b"// \n// \xff")
    with pytest.raises(PolicyError, match=r"b\.cedar:2: is not UTF-8"):
        PolicySet.load(folder)


def test_folder_without_a_schema_is_refused(folder: Path) -> None:
    (folder / "schema.cedarschema").unlink()
    with pytest.raises(PolicyError, match=r"schema\.cedarschema:1: No such file"):
        PolicySet.load(folder)


def test_broken_schema_is_named_by_file_and_line(folder: Path) -> None:
    (folder / "schema.cedarschema").write_text("// one\nentity User {\n  roles Set<String>,\n};\n")
    with pytest.raises(PolicyError, match=r"schema\.cedarschema:3: "):
        PolicySet.load(folder)


def test_schema_that_does_not_describe_the_facts_is_refused(folder: Path) -> None:
    schema = folder / "schema.cedarschema"
    schema.write_text(schema.read_text().replace("  tier: String, ", "  tier: Long, "))
    with pytest.raises(PolicyError, match=r"schema\.cedarschema:1: does not describe the facts"):
        PolicySet.load(folder)


def test_folder_without_a_policy_or_without_a_permit_is_refused(folder: Path) -> None:
    (folder / "a.cedar").write_text(f'@id("no") {FORBID}')
    with pytest.raises(PolicyError, match="no policy permits"):
        PolicySet.load(folder)
    (folder / "a.cedar").unlink()
    with pytest.raises(PolicyError, match=r"no \.cedar file"):
        PolicySet.load(folder)


def test_rules_stand_in_the_order_of_the_files_with_line_and_comment(folder: Path) -> None:
    first = f'// Never,\n// ever.\n@id("no")\n@why("a; b")\n{FORBID}'
    text = f'// About the file; "not" a policy.\n\n{first}\n@id("two") {FORBID}// the end\n'
    (folder / "b.cedar").write_text(text)
    found = [(rule.id, rule.file.name, rule.line, rule.comment) for rule in PolicySet.load(folder).rules]
    assert found == [("yes", "a.cedar", 1, ""), ("no", "b.cedar", 5, "Never, ever."), ("two", "b.cedar", 9, "")]


def test_every_shipped_policy_has_a_sentence_and_every_forbid_says_why() -> None:
    for rule in PolicySet.load(SHIPPED).rules:
        assert rule.comment.endswith(".")
        assert rule.why or rule.effect == "permit"


def test_digest_changes_with_any_text(folder: Path) -> None:
    before = PolicySet.load(folder).digest
    assert before == PolicySet.load(folder).digest
    (folder / "a.cedar").write_text(YES + "// more\n")
    after = PolicySet.load(folder).digest
    (folder / "a.cedar").rename(folder / "c.cedar")
    assert len({before, after, PolicySet.load(folder).digest}) == 3


def test_check_lists_the_policies(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("AUTHSERVER_POLICY__FOLDER", str(folder))
    result = CliRunner().invoke(command, ["check"], obj=Options())
    assert result.exit_code == 0
    assert result.stdout.startswith(f"1 policy in {folder}")
    assert "yes" in result.stdout


def test_check_fails_with_file_line_and_reason(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "a.cedar").write_text(f"\n{FORBID}")
    monkeypatch.setenv("AUTHSERVER_POLICY__FOLDER", str(folder))
    result = CliRunner().invoke(command, ["check"], obj=Options())
    assert result.exit_code == 1
    assert f"{folder}/a.cedar:2: the policy has no @id" in result.stderr


def test_words_for_the_actor_stand_on_what_is_about_them_or_told_anyway(folder: Path) -> None:
    of_actor = FORBID.replace("action", f"action == {REQUEST}")
    needed = FORBID.replace("action", f"action == {IMPERSONATE}")
    text = f'@id("one") @says("Not now.")\n{of_actor}\n@id("two") @outcome("needs_consent") @says("Ask.")\n{needed}'
    (folder / "b.cedar").write_text(text)
    assert {rule.id: rule.says for rule in PolicySet.load(folder).rules} == {
        "yes": "",
        "one": "Not now.",
        "two": "Ask.",
    }


def test_every_shipped_policy_that_may_be_told_of_has_its_words() -> None:
    rules = PolicySet.load(SHIPPED).rules
    silent = {rule.id for rule in rules if rule.effect == "forbid" and not rule.says}
    assert silent == {rule.id for rule in rules if rule.id.startswith("target.") and rule.effect == "forbid"}
