"""What each event of the trail is called in plain words, and who did it."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

Json = Any

WORDS: dict[str, tuple[str, str]] = {
    "impersonation:requested": ("Impersonations", "Impersonation asked for"),
    "impersonation:activated": ("Impersonations", "Impersonation became active"),
    "extension:asked": ("Impersonations", "More time asked for"),
    "impersonation:extended": ("Impersonations", "Impersonation extended"),
    "impersonation:ended": ("Impersonations", "Impersonation came to its end"),
    "impersonations:ended": ("Impersonations", "All impersonations ended at once"),
    "actions:reported": ("Impersonations", "Performed actions reported"),
    "customers:searched": ("Impersonations", "Customers searched for"),
    "customer:previewed": ("Impersonations", "Customer looked up"),
    "approval:decided": ("Decisions", "Approval decided"),
    "consent:decided": ("Decisions", "Customer decided"),
    "consent_code:tried": ("Decisions", "Customer's code entered"),
    "consent:granted": ("Decisions", "Standing consent given"),
    "consent:withdrawn": ("Decisions", "Standing consent withdrawn"),
    "support-code:created": ("Decisions", "Support code made"),
    "support-code:redeemed": ("Decisions", "Support code used"),
    "support-code:revoked": ("Decisions", "Support code taken back"),
    "break_glass:opened": ("Decisions", "Glass broken"),
    "break_glass:reported": ("Decisions", "Report of a broken glass filed"),
    "notice:sent": ("Messages", "Message sent"),
    "notice:failed": ("Messages", "Message could not be sent"),
    "notice:withheld": ("Messages", "Customer's notice withheld"),
    "request:refused": ("Refusals", "Call refused"),
    "strangers:refused": ("Refusals", "Unknown callers refused"),
    "sign-in:failed": ("Refusals", "Sign-in failed"),
    "policy:refused": ("Refusals", "Broken policy not taken up"),
    "token:issued": ("Tokens", "Token issued"),
    "token:revoked": ("Tokens", "Token revoked"),
    "session-token:issued": ("Tokens", "Token issued to a page"),
    "handoff:created": ("Devices", "Device asked for"),
    "handoff:opened": ("Devices", "Device's page opened"),
    "handoff:configured": ("Devices", "Device's configuration given out"),
    "handoff:started": ("Devices", "Device started"),
    "handoff:closed": ("Devices", "Device closed"),
    "handoff-code:created": ("Devices", "Code for a device made"),
    "handoff-code:redeemed": ("Devices", "Code for a device used"),
    "handoff-code:replayed": ("Devices", "Code for a device used again"),
    "device_session:ended": ("Devices", "Device session ended"),
    "device_session:reopened": ("Devices", "Device opened again"),
    "device:requested": ("Devices", "Connection of a device asked for"),
    "device:approved": ("Devices", "Device connected"),
    "device:denied": ("Devices", "Connection of a device refused"),
    "session:started": ("People", "Signed in"),
    "session:reauthenticated": ("People", "Signed in again"),
    "session:ended": ("People", "Signed out"),
    "credential:changed": ("People", "Sign-in method changed"),
    "identity:linked": ("People", "Account linked to an issuer"),
    "logout:received": ("People", "Sign-out told by an issuer"),
    "logout:not_passed_on": ("People", "Sign-out not passed on"),
    "application:allowed": ("People", "Application allowed"),
    "application:withdrawn": ("People", "Application's permission withdrawn"),
    "user:changed": ("Changes", "User changed"),
    "users:imported": ("Changes", "Users imported"),
    "client:changed": ("Changes", "Client changed"),
    "resource:changed": ("Changes", "Resource changed"),
    "app:changed": ("Changes", "App changed"),
    "key:changed": ("Changes", "Key changed"),
    "policy:loaded": ("Changes", "Policy taken up"),
    "trail:read": ("Evidence", "Trail read"),
    "trail:verified": ("Evidence", "Trail verified"),
}
"""The group and the words of an event, by its name; the groups stand together."""
_DOERS = ("actor", "by", "approver", "reader", "reported_by", "user_id")
_ABOUT = ("subject", "target", "user_id")
_BAD = frozenset({"request:refused", "strangers:refused", "sign-in:failed", "notice:failed", "handoff-code:replayed"})
_GLASS = frozenset({"break_glass:opened", "notice:withheld", "policy:refused", "impersonations:ended"})


def said(name: str) -> str:
    """Return an event's words; one that nobody gave words to says its name."""
    found = WORDS.get(name)
    return found[1] if found else name.replace(":", " ").replace("_", " ").capitalize()


def choices() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each group and the names and words in it, for a select."""
    for group, entries in groupby(WORDS.items(), key=lambda entry: entry[1][0]):
        yield group, [(name, words) for name, (_, words) in entries]


def look(name: str) -> str:
    """Return how an event stands out: `bad`, `warn` or not at all."""
    return "bad" if name in _BAD else "warn" if name in _GLASS else ""


def doer(event: Mapping[str, Json]) -> str:
    """Return the id of who did it, or nothing."""
    return _first(event, _DOERS)


def about(event: Mapping[str, Json]) -> str:
    """Return the id of whom it was about, where that is somebody else."""
    found = _first(event, _ABOUT)
    return "" if found == doer(event) else found


def gist(event: Mapping[str, Json]) -> str:
    """Return what a reader of the list wants to know first: why, which, how many."""
    payload, personal = _payload(event), event.get("personal") or {}
    known = {**payload, **{name: value for name, value in personal.items() if value}}
    named = ("reason", "decision", "state", "error", "kind", "action", "way", "app", "count", "reason_code", "how")
    found = next((known[name] for name in named if isinstance(known.get(name), str | int) and known[name] != ""), "")
    words = str(found)
    return words if " " in words else words.replace("_", " ")


def _first(event: Mapping[str, Json], names: tuple[str, ...]) -> str:
    payload = _payload(event)
    return next((value for name in names if isinstance(value := payload.get(name), str) and value), "")


def _payload(event: Mapping[str, Json]) -> Mapping[str, Json]:
    found = event.get("payload")
    return found if isinstance(found, Mapping) else {}
