"""Fields of settings that are sent whole (an app, a case for the policy), described in Python, each in a line.

The other kind, a record of which changes alone are sent, is `record_form.py`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from werkzeug.datastructures import MultiDict

Json = Any
Kind = Literal["text", "number", "choice", "lines", "pairs", "several", "words", "numbers"]
Values = dict[str, Any]
"""By field: a text, or for `several` a list of those that are chosen."""

YES_NO = (("true", "Yes"), ("false", "No"))
_DIGITS = 9
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field. `lines` is a list with an item a line, `pairs` has `NAME = VALUE` in each.

    `words` and `numbers` part theirs by commas.

    The value of a choice is text; where it is to be JSON of another kind, `number` or YES_NO say so.
    """

    name: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""
    required: bool = False
    number: bool = False
    times: int = 1
    """What a number is multiplied by for the API: 60 where people type minutes and it wants seconds."""

    @property
    def is_flag(self) -> bool:
        """Tell whether it is true or false."""
        return self.choices[-2:] == YES_NO


def typed(fields: Iterable[Field], form: MultiDict[str, str]) -> Values:
    """Return what was typed; a field that was not sent has its default."""
    return {
        field.name: form.getlist(field.name) if field.kind == "several" else form.get(field.name, field.default).strip()
        for field in fields
    }


def stored(fields: Iterable[Field], settings: Mapping[str, Json]) -> Values:
    """Return what a form shows of settings as the API gives them."""
    return {field.name: _shown(field, settings.get(field.name)) for field in fields}


def parsed(field: Field, value: Json) -> Json:
    """Return a field's JSON, None for one that is empty; text that is no number stays text, for the API to refuse."""
    match field.kind:
        case "lines":
            found: Json = [line.strip() for line in value.splitlines() if line.strip()]
        case "words":
            return [word.strip() for word in value.split(",") if word.strip()]
        case "numbers":
            found = [_decimal(part.strip()) for part in value.split(",")] if value else None
        case "pairs":
            found = dict(pairs(value))
        case _ if field.is_flag:
            return {"true": True, "false": False}.get(value)
        case _ if field.kind == "number" or field.number:
            return _number(value, field.times)
        case _:
            found = value
    return found or None


def pairs(value: str) -> list[tuple[str, str]]:
    """Return the pairs of a field; a line without `=` has an empty value."""
    split = [line.partition("=") for line in value.splitlines() if line.strip()]
    return [(name.strip(), found.strip()) for name, _, found in split]


def problems_by_field(fields: Iterable[Field], found: Iterable[Mapping[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Return what is wrong by field, in words, and what is wrong elsewhere (RFC 9457 §3.2)."""
    known = {field.name: field for field in fields}
    there: dict[str, str] = {}
    elsewhere: list[str] = []
    for each in found:
        field, below = _at(known, each["field"])
        if field is None:
            elsewhere.append(f"{each['field']}: {each['problem']}")
        else:
            where = _below(field, below)
            there.setdefault(field.name, where + _words(field, each["problem"]))
    return there, elsewhere


def _at(known: Mapping[str, Field], place: str) -> tuple[Field | None, str]:
    """Return the field that a place is of, by its longest name, and what stands below it."""
    name, below = place, ""
    while name:
        if name in known:
            return known[name], below
        name, _, last = name.rpartition(".")
        below = f"{last}.{below}".rstrip(".")
    return None, place


def _below(field: Field, below: str) -> str:
    if not below or field.kind == "numbers":
        return ""
    return f"Line {int(below) + 1}: " if field.kind == "lines" and below.isdecimal() else f"{below}: "


def _words(field: Field, problem: str) -> str:
    """Say a problem in words for people, which the schema's own are not."""
    if problem.startswith(("Field required", "Input should be a valid string")) and field.required:
        return "This is needed."
    if field.kind == "numbers" or problem.startswith(("String should match", "does not fit")):
        return f"This does not fit. {field.hint}".strip()
    if field.kind == "choice" and problem.startswith("Input should be"):
        return "Choose one of the list."
    words = problem.strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."


def _shown(field: Field, value: Json) -> Json:
    if field.kind == "several":
        return [str(each) for each in value or ()]
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {found}" for name, found in value.items())
    if isinstance(value, list):
        return (", " if field.kind == "numbers" else "\n").join(map(str, value))
    return str(value)


def _number(value: str, times: int) -> Json:
    sign, digits = ("-", value[1:]) if value.startswith("-") else ("", value)
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS:
        return int(sign + digits) * times
    return value or None


def _decimal(text: str) -> Json:
    """Return a number; anything else stays text, for the API to refuse."""
    return float(text) if _DECIMAL.fullmatch(text) else text
