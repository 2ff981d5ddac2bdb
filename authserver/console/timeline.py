"""One impersonation as a timeline: what of each step stands in its line, and how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from authserver.console.calls import Call

Json = Any

_PLAIN: dict[str, tuple[str, ...]] = {
    "request": ("reason", "ticket_id", "mode", "lifetime"),
    "approval": ("remark", "lifetime"),
    "consent": ("way", "left"),
    "active": ("expires_at",),
    "extension": ("lifetime", "expires_at"),
    "notice": ("channel", "error", "reason_code", "until"),
    "token": ("audience", "scopes", "client_id"),
    "device": ("app", "state"),
    "report": ("count",),
    "break_glass": ("due_at", "report"),
    "refusal": ("endpoint", "error", "reason"),
    "end": ("end_reason",),
}
"""The members of each kind that its line shows; all of them stand in the event behind it."""
_PAGE = 200
_MOST_PAGES = 5
_LOOKS = {"active": "good", "end": "over", "refusal": "bad", "break_glass": "warn", "action": "action"}
_BAD = {"deny", "withdraw"}


_SAID = {
    "end_reason": {
        "actor": "by whoever acted",
        "subject": "by the customer",
        "staff": "by a lead or an administrator",
        "signed_out": "with a sign-out",
    }
}
_CODES = frozenset({"mode", "end_reason", "way", "channel", "error", "reason_code", "state"})


@dataclass(frozen=True, slots=True)
class Window:
    """How much of it is wanted: from where on, and how many pages of the API's; each reading of one is recorded."""

    cursor: str
    pages: int

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read it from an address; what is no number of pages is one page."""
        pages = query.get("pages", "")
        number = int(pages) if pages.isascii() and pages.isdigit() and len(pages) == 1 else 1
        return cls(query.get("cursor", ""), min(max(number, 1), _MOST_PAGES))

    def query(self) -> dict[str, Json]:
        """Return what the address of this much has; nothing for the first page."""
        return {"cursor": self.cursor or None, "pages": self.pages if self.pages > 1 else None}

    def told(self, here: Call, impersonation_id: str) -> Json:
        """Return what happened, as the API tells it to the caller."""
        items, cursor = [], self.cursor
        for _ in range(self.pages):
            path = f"/api/v1/impersonations/{impersonation_id}/timeline"
            found = here.get(path, cursor=cursor, limit=_PAGE)
            items += found["items"]
            cursor = found["next_cursor"]
            if cursor is None:
                break
        return {"items": items, "more": self._more(items, cursor) if cursor else None}

    def _more(self, items: Json, cursor: str) -> dict[str, Json]:
        """Return what the address of more has: a page more, from the last step on; of a full window, the next one."""
        if self.pages < _MOST_PAGES:
            grown = Window(self.cursor, self.pages + 1)
            return {**grown.query(), "_anchor": place(items[-1], "step") or "timeline"}
        return {**Window(cursor, 1).query(), "_anchor": "timeline"}


def place(item: Json, what: str) -> str | None:
    """Return the id that a step has in the page however often it is put there; None for what has no name."""
    if item["seq"]:
        return f"{what}-{item['seq']}"
    named = item["details"].get("id") if item["kind"] == "action" else None
    return f"{what}-{item['by']['id'] if item['by'] else ''}-{named}" if named else None


def look(item: Json) -> str:
    """Return the look of a step: `good`, `bad`, `warn`, `action`, `over`, or none of its own."""
    return "bad" if item["details"].get("decision") in _BAD else _LOOKS.get(item["kind"], "")


def plain(item: Json) -> list[tuple[str, Json]]:
    """Return what stands in a step's line: names and values."""
    details = item["details"]
    if item["kind"] == "action":
        return list((details.get("details") or {}).items())
    return [
        (name, _said(name, details[name]))
        for name in _PLAIN.get(item["kind"], ())
        if details.get(name) or details.get(name) == 0
    ]


def _said(name: str, found: Json) -> Json:
    """Say a code in words; what people wrote is left as it is."""
    if name not in _CODES or not isinstance(found, str):
        return found
    return _SAID.get(name, {}).get(found) or found.replace("_", " ")


def people(told: Json, it: Json) -> dict[str, str]:
    """Return the names of those who had a part in it, by id; and those of its resources and scopes."""
    found = [it["actor"], it["subject"], *(item["by"] for item in told["items"] if item["by"])]
    scopes = [scope for each in it["resources"] for scope in each["scopes"]]
    return {
        **{each["uri"]: each["name"] for each in it["resources"] if each["name"] != each["uri"]},
        **{each["name"]: each["description"] for each in scopes if each["description"]},
        **{each["id"]: each["name"] for each in found if each["name"]},
    }
