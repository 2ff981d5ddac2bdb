"""Reading and checking the policy files: Cedar text in, rules with their annotations out, or the line that is wrong.

Each file is read policy by policy, so that an error can name where it stands; Cedar's own messages seldom do.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cedarpy

SCHEMA_FILE = "schema.cedarschema"

STEP_UP, APPROVAL, CONSENT, NOTICE = "needs_step_up", "needs_approval", "needs_consent", "needs_notice"
DEFAULT_ORDER = {STEP_UP: 10, APPROVAL: 20, CONSENT: 30, NOTICE: 40}
ANNOTATIONS = frozenset({"id", "outcome", "order", "acr_values", "max_age", "refusal", "why", "says"})
ABOUT_THE_ACTOR = "request"
"""The action that is decided before the target is read: what speaks of it can say nothing about the target."""

_FOLDERS = 4  # how many are remembered: a server has one
_ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_NUMBER = re.compile(r"[0-9]{1,9}")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;|[^";/]+|.', re.DOTALL)


class PolicyError(Exception):
    """The policy cannot be used; the message names file, line and reason."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        """Say where (`line` counts from 1) and why."""
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy: its annotations, the comment above it and where it stands.

    `outcome` is empty or one of `needs_step_up`, `needs_approval`, `needs_consent`, `needs_notice`; `max_age` is in
    seconds. `says` is what an agent is told who is refused or has to wait by it.
    """

    id: str
    effect: str
    outcome: str
    order: int
    acr_values: tuple[str, ...]
    max_age: int
    refusal: str
    why: str
    says: str
    comment: str
    file: Path
    line: int
    annotations: tuple[tuple[str, str], ...] = ()
    """Every annotation as it stands, whether or not it means anything here."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class PolicyText:
    """All policies of a folder, parsed; Cedar knows each by the `@id` of its rule."""

    rules: Mapping[str, Rule]
    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    digest: str
    files: Mapping[str, str]
    """The text of every file by its name, the schema's first."""


def read_folder(folder: Path) -> PolicyText:
    """Read `schema.cedarschema` and every `.cedar` file of the folder, in sorted order; raises PolicyError."""
    schema_file = folder / SCHEMA_FILE
    schema_text = _read(schema_file)
    files = sorted(folder.glob("*.cedar"))
    return _parsed(folder, schema_text, tuple((file, _read(file)) for file in files))


@lru_cache(maxsize=_FOLDERS)
def _parsed(folder: Path, schema_text: str, texts: tuple[tuple[Path, str], ...]) -> PolicyText:
    """Parse what was read; the same texts are parsed once in a process."""
    schema_file = folder / SCHEMA_FILE
    schema = _schema(schema_file, schema_text)
    if not texts:
        raise PolicyError(folder, 1, "there is no .cedar file in this folder")
    rules: dict[str, Rule] = {}
    sources: dict[str, Any] = {}
    for file, text in texts:
        for rule, source in _read_file(file, text, schema):
            if rule.id in rules:
                first = rules[rule.id]
                raise PolicyError(file, rule.line, f"the id {rule.id} is taken by {first.file}:{first.line}")
            rules[rule.id] = rule
            sources[rule.id] = source
    if not any(rule.effect == "permit" for rule in rules.values()):
        raise PolicyError(folder, 1, "no policy permits anything")
    together = {"templates": {}, "staticPolicies": sources, "templateLinks": []}
    policies = cedarpy.PolicySet.from_json_str(json.dumps(together))
    read = {schema_file: schema_text, **dict(texts)}
    by_name = MappingProxyType({file.name: text for file, text in read.items()})
    return PolicyText(MappingProxyType(rules), policies, schema, _digest(read), by_name)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(file, 1, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise PolicyError(file, error.object[: error.start].count(b"\n") + 1, "is not UTF-8") from error


def _schema(file: Path, text: str) -> cedarpy.Schema:
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        line = _failing_line(text, cedarpy.Schema.from_str, str(error))
        raise PolicyError(file, line, str(error)) from error


def _read_file(file: Path, text: str, schema: cedarpy.Schema) -> Iterator[tuple[Rule, Any]]:
    """Give every policy of one file as its rule and its Cedar JSON."""
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        line = _failing_line(text, cedarpy.policies_to_json_str, str(error))
        raise PolicyError(file, line, str(error)) from error
    for piece, line, comment in _split(text):
        parsed = json.loads(cedarpy.policies_to_json_str(piece))
        if parsed["templates"]:
            raise PolicyError(file, line, "templates (?principal, ?resource) are not used here")
        (source,) = parsed["staticPolicies"].values()
        rule = replace(_rule(file, line, comment, source), text=piece.strip())
        found = cedarpy.validate_policies(piece, schema)
        if not found.validation_passed:
            reason = "; ".join(problem.error.removeprefix("for policy `policy0`, ") for problem in found.errors)
            raise PolicyError(file, line, f"policy {rule.id}: {reason}")
        yield rule, source


def _split(text: str) -> Iterator[tuple[str, int, str]]:
    """Give each policy's text, the line where it begins and the comment that stands right above it."""
    piece, at, begins, comment = "", 1, 0, ""
    for token in _TOKEN.findall(text):
        gap = token[: len(token) - len(token.lstrip())].count("\n")
        if not begins and gap > 1:
            comment = ""
        if not begins and token.startswith("//"):
            comment = f"{comment} {token[2:].strip()}".strip()
        elif not begins and token.strip():
            begins = at + gap
        piece += token
        at += token.count("\n")
        if token == ";":
            yield piece, begins, comment
            piece, begins, comment = "", 0, ""


def _rule(file: Path, line: int, comment: str, source: dict[str, Any]) -> Rule:
    notes: dict[str, str] = {name: value or "" for name, value in source.get("annotations", {}).items()}
    effect, outcome = source["effect"], notes.get("outcome", "")
    for problem in _problems(effect, notes, source["action"]):
        raise PolicyError(file, line, problem)
    return Rule(
        id=notes["id"],
        effect=effect,
        outcome=outcome,
        order=int(notes.get("order", DEFAULT_ORDER.get(outcome, 0))),
        acr_values=tuple(notes.get("acr_values", "").split()),
        max_age=int(notes.get("max_age", 0)),
        refusal=notes.get("refusal", "access_denied"),
        why=notes.get("why", ""),
        says=notes.get("says", ""),
        comment=comment,
        file=file,
        line=line,
        annotations=tuple(notes.items()),
    )


def _problems(effect: str, notes: dict[str, str], action: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with one policy's annotations."""
    outcome = notes.get("outcome")
    plain = effect == "forbid" and outcome is None
    if "id" not in notes:
        yield "the policy has no @id"
    elif not _ID.fullmatch(notes["id"]) or notes["id"].startswith("policy."):
        yield f'@id("{notes["id"]}") is not lower-case words joined by . - or _, or begins with policy.'
    yield from (f"@{name} is not known here" for name in sorted(notes.keys() - ANNOTATIONS))
    if outcome is not None and (effect != "forbid" or outcome not in DEFAULT_ORDER):
        yield f'@outcome("{outcome}") stands on a forbid and is one of {", ".join(DEFAULT_ORDER)}'
    if "order" in notes and (outcome is None or not _NUMBER.fullmatch(notes["order"])):
        yield "@order is a whole number, on a forbid with an @outcome"
    if "refusal" in notes and not (plain and notes["refusal"] == "invalid_request"):
        yield '@refusal("invalid_request") is all there is, on a forbid without an @outcome'
    if "says" in notes and not _may_say(effect, outcome, action):
        yield (
            "@says stands on a forbid of the action request, or on one with an @outcome: "
            "nobody is told why a target is refused"
        )
    yield from _step_up_problems(notes, wanted=outcome == STEP_UP)


def _may_say(effect: str, outcome: str | None, action: dict[str, Any]) -> bool:
    """Tell whether what decides so may be told: it looks at the actor alone, or the outcome tells it anyway."""
    of_actor = action.get("op") == "==" and action.get("entity", {}).get("id") == ABOUT_THE_ACTOR
    return effect == "forbid" and (outcome is not None or of_actor)


def _step_up_problems(notes: dict[str, str], *, wanted: bool) -> Iterator[str]:
    if wanted and not notes.get("acr_values", "").split():
        yield "a needs_step_up names @acr_values"
    if wanted and not _NUMBER.fullmatch(notes.get("max_age", "")):
        yield "a needs_step_up names @max_age in seconds"
    if not wanted and notes.keys() & {"acr_values", "max_age"}:
        yield "@acr_values and @max_age stand on a needs_step_up alone"


def _failing_line(text: str, parse: Callable[[str], object], reason: str) -> int:
    """Find the first line after which the parser already says what it says of the whole."""
    lines = text.splitlines(keepends=True)
    last = max(len(lines), 1)
    if "end of input" in reason:
        return last
    for count in range(1, last):
        try:
            parse("".join(lines[:count]))
        except ValueError as error:
            if str(error) == reason:
                return count
    return last


def _digest(texts: dict[Path, str]) -> str:
    return hashlib.sha256(b"".join(_framed((file.name, text)) for file, text in texts.items())).hexdigest()


def _framed(parts: Iterable[str]) -> bytes:
    """Join texts so that no two lists of them look alike."""
    return b"".join(len(data).to_bytes(8, "big") + data for data in (part.encode() for part in parts))
