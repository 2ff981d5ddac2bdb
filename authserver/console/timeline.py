"""One impersonation as a timeline: what of each step stands in its line, and how it looks."""

from typing import Any

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


def told(here: Call, impersonation_id: str) -> Json:
    """Return what happened, as the API tells it to the caller."""
    return here.get(f"/api/v1/impersonations/{impersonation_id}/timeline")


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
