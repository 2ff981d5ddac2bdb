"""The form of one record of the API (a person, a client, a resource), of which only what was changed is sent.

The other kind, settings that are sent whole, is `setting_fields.py`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from werkzeug.datastructures import MultiDict

from authserver.console.api_client import ApiRefusedError

Json = Any
_UNFIT = "is not as it has to be"
_SEE = "Nothing was saved. Please look at the fields that are marked."


class Kind(Enum):
    """How a field is written in a form, and what the API is sent."""

    LINE = "one line of text"
    FLAG = "a box to tick"
    CHOICES = "some boxes of many"
    WORDS = "words on one line"
    LINES = "a line each"
    OBJECT = "a JSON object"


@dataclass(slots=True)
class Form:
    """What stands in a form's fields. `was` is what stood there when it was shown first."""

    kinds: Mapping[str, Kind]
    raw: MultiDict[str, str]
    was: Mapping[str, Json] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    words: str = ""
    status: int = 200

    @classmethod
    def of(cls, kinds: Mapping[str, Kind], stored: Mapping[str, Json]) -> Self:
        """Show what the API has."""
        was = {name: stored[name] for name in kinds if name in stored}
        pairs = [pair for name, value in was.items() for pair in _written(name, kinds[name], value)]
        return cls(kinds, MultiDict(pairs), was)

    @classmethod
    def sent(cls, kinds: Mapping[str, Kind], given: MultiDict[str, str]) -> Self:
        """Take what somebody typed. What they say had stood there is theirs to say: it only leaves fields out."""
        try:
            was = json.loads(given.get("was", "{}"))
        except (ValueError, RecursionError):
            was = {}
        return cls(kinds, given, was if isinstance(was, dict) else {})

    def values(self) -> dict[str, Json]:
        """Return every field as the API is sent it; one that cannot be read is an error."""
        found = {}
        for name, kind in self.kinds.items():
            try:
                found[name] = _read(self.raw, name, kind)
            except (ValueError, RecursionError):
                self.wrong(name, "is no JSON object")
        return found

    def changes(self) -> dict[str, Json]:
        """Return what is other than it was: nobody undoes what another admin changed meanwhile."""
        values = self.values()
        return {name: value for name, value in values.items() if not _same(self.kinds[name], value, self.was.get(name))}

    def wrong(self, name: str, problem: str) -> None:
        """Say what is wrong with a field."""
        problems = self.errors.setdefault(name, [])
        if problem not in problems:
            problems.append(problem)
        self.words, self.status = _SEE, max(self.status, 400)

    def refused(self, refusal: ApiRefusedError) -> Self:
        """Take the API's refusal: at each field what it says of it, and the rest above the form."""
        named = [entry for entry in _list(refusal.members.get("errors")) if isinstance(entry, dict)]
        for entry in named:
            self._mark(str(entry.get("field", "")), str(entry.get("problem", "")))
        for place in refusal.invalid:
            name, _, position = place.partition(".")
            number = re.match(r"[0-9]{1,4}", position)
            self._mark(name, f"has an entry, number {int(number[0]) + 1}, that {_UNFIT}" if number else _UNFIT)
        self.words = self.words or refusal.words
        self.status = refusal.status
        return self

    def _mark(self, name: str, problem: str) -> None:
        if name in self.kinds:
            self.wrong(name, problem)
        else:
            self.words = f"{self.words} {name.replace('_', ' ').capitalize()} {problem}.".strip()

    # --- for templates

    def text(self, name: str) -> str:
        """Return what stands in a field."""
        return self.raw.get(name, "")

    def has(self, name: str, word: str = "on") -> bool:
        """Tell whether a box is ticked."""
        return word in self.raw.getlist(name)

    @property
    def was_text(self) -> str:
        """What stood in the fields, for the form to bring back."""
        return json.dumps(self.was)


def _written(name: str, kind: Kind, value: Json) -> list[tuple[str, str]]:
    """Write what the API has into a field."""
    match kind:
        case Kind.FLAG:
            return [(name, "on")] if value else []
        case Kind.CHOICES:
            return [(name, str(each)) for each in value]
        case Kind.WORDS:
            return [(name, " ".join(map(str, value)))]
        case Kind.LINES:
            return [(name, "\n".join(map(str, value)))]
        case Kind.OBJECT:
            return [(name, json.dumps(value, indent=2))] if value else []
        case Kind.LINE:
            return [(name, "" if value is None else str(value))]


def _read(raw: MultiDict[str, str], name: str, kind: Kind) -> Json:
    """Read a field for the API. Raises ValueError."""
    text = raw.get(name, "")
    match kind:
        case Kind.FLAG:
            return bool(text)
        case Kind.CHOICES:
            return [each for each in raw.getlist(name) if each]
        case Kind.WORDS:
            return text.replace(",", " ").split()
        case Kind.LINES:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case Kind.OBJECT:
            return _object(text)
        case Kind.LINE:
            return text.strip()


def _object(text: str) -> dict[str, Json] | None:
    found = json.loads(text) if text.strip() else None
    if found is not None and not isinstance(found, dict):
        raise ValueError(text)
    return found


def _same(kind: Kind, value: Json, was: Json) -> bool:
    if kind is Kind.CHOICES and isinstance(was, list):
        return sorted(value) == sorted(map(str, was))
    if kind is Kind.LINE and was is None:
        return bool(value == "")
    return bool(value == was)


def _list(found: Json) -> list[Json]:
    return found if isinstance(found, list) else []
