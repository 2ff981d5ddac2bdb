"""Which part of the trail is looked for, as it stands in an address: every view of it is a link."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from authserver.console.api_client import ApiRefusedError

_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WORDS = {
    "q": "Text to look for has 3 to 64 characters.",
    "since": "From is no date and time.",
    "until": "Until is no date and time.",
    "person": "Nobody is called that here. Give the person's id, or a name from the list.",
    "client_id": "That is no client's id.",
    "impersonation_id": "That is no impersonation's id.",
    "name": "There is no such event.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilters:
    """The filters as they were typed."""

    name: str = ""
    person: str = ""
    client_id: str = ""
    impersonation_id: str = ""
    since: str = ""
    until: str = ""
    outcome: str = ""
    q: str = ""

    @classmethod
    def of(cls, typed: Mapping[str, str], names: Mapping[str, str]) -> Self:
        """Read them; who is known by `names` (id to name) may be called by name."""
        found = {field: typed.get(field, "").strip() for field in cls.__dataclass_fields__}
        return cls(**{**found, "person": _person(found["person"], names)})

    def query(self) -> dict[str, str]:
        """Return what the API is asked; a time without a zone is UTC, which scripts have made it."""
        return {**self.set(), "since": _instant(self.since), "until": _instant(self.until)}

    def local(self, field: str) -> str:
        """Return a time as a field for one takes it, in UTC; scripts put it into the reader's zone."""
        try:
            at = datetime.fromisoformat(_instant(getattr(self, field)))
        except ValueError:
            return ""
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"

    def set(self) -> dict[str, str]:
        """Return those that are in force."""
        return {name: value for name, value in asdict(self).items() if value}

    def link(self, **more: str) -> str:
        """Return them as the query of an address."""
        return urlencode({**self.set(), **more})

    def misfit(self) -> str:
        """Return the field that the API need not be asked about, or nothing."""
        return "person" if self.person and _ID.fullmatch(self.person) is None else ""


def complaint(refusal: ApiRefusedError) -> tuple[str, list[str]]:
    """Return words for what the API says of filters, and the fields that they are about."""
    places = [place.rpartition(".")[2] for place in refusal.invalid]
    fields = [place for place in places if place in _WORDS]
    return " ".join(_WORDS[field] for field in fields) or refusal.words, fields


def words_for(field: str) -> str:
    """Return what is wrong with a field."""
    return _WORDS[field]


def _instant(text: str) -> str:
    if _DAY.fullmatch(text):
        return f"{text}T00:00:00Z"
    if _LOCAL.fullmatch(text):
        return f"{text}Z" if text.count(":") > 1 else f"{text}:00Z"
    return text


def _person(text: str, names: Mapping[str, str]) -> str:
    """Return the id of whom a name is of; what nobody is called is left as it is."""
    wanted = text.casefold()
    return next((person for person, name in names.items() if wanted and name.casefold() == wanted), text)


def known_people(impersonations: list[Any]) -> dict[str, str]:
    """Return the names of those who had a part in impersonations, by id."""
    people = [it[part] for it in impersonations for part in ("actor", "subject")]
    return {person["id"]: person["name"] for person in people}
