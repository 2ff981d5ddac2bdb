"""A table of cases for a policy: facts that differ from ones where all is in order, and what is to be decided.

```toml
[[case]]
name = "staff are never a target"
expect = "deny"
policies = ["target.staff"]         # may be left out: that these are among the policies that decide
target.population = "staff"
facts.mode = "full"
```

A case may change `actor`, `target`, `client` and `facts`; `[base]` with the same tables changes every case of the file.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from authserver.impersonation.policy import Allow, ClientFacts, Decision, Deny, Facts, Person, PolicySet, explain
from authserver.impersonation.policy_files import DEFAULT_ORDER
from authserver.protocol.names import Population, Role

CASES_FILE = "cases.toml"
"""Where a policy's own table stands, beside it."""
OUTCOMES = ("allow", "deny", "invalid_request", *DEFAULT_ORDER)

BASE = Facts(
    actor=Person(
        id="agent", roles=frozenset({Role.SUPPORT}), groups=frozenset(), tier="", country="SE",
        population=Population.STAFF, enabled=True, conflicts=frozenset(),
    ),
    client=ClientFacts(id="backend", enabled=True),
    target=Person(
        id="customer", roles=frozenset({Role.CUSTOMER}), groups=frozenset(), tier="standard", country="SE",
        population=Population.CUSTOMERS, enabled=True, conflicts=frozenset(),
    ),
    mode="read_only", reason="a wrong balance", reason_code="customer_initiated_support", reason_code_known=True,
    ticket_id="BANK-1", ticket_valid=True, client_address="127.0.0.1", session_address="127.0.0.1", hour=10, weekday=3,
    acr="urn:authserver:acr:mfa", auth_age=60, distinct_customers=1, active_impersonations=0, lifetime=3600,
    resources=frozenset({"https://api.example.com"}), scopes=frozenset({"accounts:read"}), consent="standing",
    approval="none", break_glass=False, report_owed=False,
)  # fmt: skip
"""All is in order: an agent, on a Wednesday at ten, asks to see what a customer sees who has a standing consent."""

_PARTS = ("actor", "target", "client", "facts")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


Described = TypeVar("Described", Facts, Person, ClientFacts)


class CasesError(Exception):
    """A table of cases that cannot be used; the message names the file, the case and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is to be decided on some facts; `policies` are to be among those that decide."""

    name: str
    expect: str
    policies: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was decided on a case."""

    case: Case
    decision: Decision

    @property
    def met(self) -> bool:
        """Tell whether it is what the case expects."""
        return outcome(self.decision) == self.case.expect and set(self.case.policies) <= set(self.decision.policies)

    def in_words(self) -> list[str]:
        """Say what was expected and what was decided, by which policies and why."""
        by = f", by {', '.join(self.case.policies)}" if self.case.policies else ""
        return [f"Expected {self.case.expect}{by}; it is {outcome(self.decision)}.", *explain(self.decision)]


@dataclass(frozen=True, slots=True)
class Table:
    """The cases of one file."""

    cases: tuple[Case, ...]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file; raises CasesError."""
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise CasesError(f"{file}: {error.strerror or 'cannot be read'}") from error
        except ValueError as error:  # no UTF-8, or no TOML
            raise CasesError(f"{file}: {error}") from error
        try:
            return cls(tuple(_cases(tree)))
        except ValueError as error:
            raise CasesError(f"{file}: {error}") from error

    def try_on(self, policy: PolicySet) -> list[Result]:
        """Decide every case."""
        return [Result(case=case, decision=policy.decide(case.facts)) for case in self.cases]


def facts_of(tables: Mapping[str, Any]) -> Facts:
    """Return the facts of one case's tables on the usual base. Raises ValueError."""
    return _changed(BASE, tables, "case")


def outcome(decision: Decision) -> str:
    """Return the one word for a decision that a case expects."""
    match decision:
        case Allow():
            return "allow"
        case Deny(refusal=refusal):
            return "invalid_request" if refusal == "invalid_request" else "deny"
        case _:
            return _CAPITAL.sub("_", type(decision).__name__).lower()


def untried(policy: PolicySet, results: Sequence[Result]) -> list[str]:
    """Name the policies that decide no case, in the order of the files."""
    deciding = {name for result in results for name in result.decision.policies}
    return [rule.id for rule in policy.rules if rule.id not in deciding]


def _cases(tree: Mapping[str, Any]) -> Iterable[Case]:
    _only(tree, {"base", "case"}, "the file")
    listed = tree.get("case", [])
    if not isinstance(listed, list) or not listed:
        msg = "there is no [[case]]"
        raise ValueError(msg)
    base, names = _changed(BASE, _table(tree.get("base", {}), "base"), "base"), set[str]()
    for number, entry in enumerate(listed, 1):
        case = _case(base, _table(entry, f"case {number}"), f"case {number}")
        if case.name in names:
            msg = f"case {number}: the name {case.name!r} is taken"
            raise ValueError(msg)
        names.add(case.name)
        yield case


def _case(base: Facts, entry: dict[str, Any], where: str) -> Case:
    name, expect, policies = entry.pop("name", None), entry.pop("expect", None), entry.pop("policies", [])
    if not isinstance(name, str) or not name.strip():
        msg = f"{where} has no name"
        raise ValueError(msg)
    where = f"{where} ({name})"
    _only(entry, set(_PARTS), where)
    if expect not in OUTCOMES:
        msg = f"{where}: expect is one of {', '.join(OUTCOMES)}"
        raise ValueError(msg)
    if not isinstance(policies, list) or not all(isinstance(policy, str) for policy in policies):
        msg = f"{where}: policies is a list of ids"
        raise ValueError(msg)
    return Case(name=name, expect=expect, policies=tuple(policies), facts=_changed(base, entry, where))


def _changed(facts: Facts, tables: Mapping[str, Any], where: str) -> Facts:
    """Return facts with what the tables of a case, or of the base, say otherwise."""
    _only(tables, set(_PARTS), where)
    part = {name: _table(tables.get(name, {}), f"{where}: {name}") for name in _PARTS}
    for name in ("actor", "target", "client"):
        if name in part["facts"]:
            msg = f"{where}: {name} is a table of its own"
            raise ValueError(msg)
    changed = _with(facts, part["facts"], f"{where}: facts")
    return replace(
        changed,
        actor=_with(facts.actor, part["actor"], f"{where}: actor"),
        client=_with(facts.client, part["client"], f"{where}: client"),
        target=None if facts.target is None else _with(facts.target, part["target"], f"{where}: target"),
    )


def _with(described: Described, values: Mapping[str, Any], where: str) -> Described:
    """Return a description with other values, each checked against the type of its field."""
    hints = get_type_hints(type(described))
    _only(values, {field.name for field in fields(described)}, where)
    checked = {}
    for name, value in values.items():
        many = get_origin(hints[name]) is frozenset and isinstance(value, list)
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hints[name])
            checked[name] = adapter.validate_python(frozenset(value) if many else value, strict=True)
        except (ValidationError, TypeError) as error:
            msg = f"{where}.{name} is {_type_in_words(hints[name])}"
            raise ValueError(msg) from error
    return replace(described, **checked)


def _type_in_words(hint: Any) -> str:  # noqa: ANN401 - whatever a field is declared as
    if get_origin(hint) is frozenset:
        return "a list of texts"
    if get_args(hint):
        return f"one of {', '.join(map(str, get_args(hint)))}"
    return {str: "a text", int: "a whole number", bool: "true or false"}[hint]


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"{where} is no table"
        raise ValueError(msg)  # noqa: TRY004 - what is wrong is the file
    return dict(value)


def _only(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(entry.keys() - known):
        msg = f"{where}: {unknown[0]} is not known here; known are {', '.join(sorted(known))}"
        raise ValueError(msg)
