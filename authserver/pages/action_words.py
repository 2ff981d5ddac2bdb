"""What was done, in words for the customer: of each kind that is known, and as well as can be of any other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from authserver.storage.tables import PerformedAction

_KNOWN = {
    "refused.impersonated": "Tried something that nobody can do for you. It was refused.",
    "refused.read_only": "Tried to change something. It was refused: they may only look.",
    "device.tap": "Tapped the screen",
    "device.swipe": "Swiped the screen",
    "device.action": "Tapped or typed on the screen",
    "device.interaction": "Tapped or typed on the screen",
    "device.type": "Typed something",
    "device.keypress": "Pressed a key",
    "device.appLaunch": "Opened the app",
    "device.restartApp": "Started the app again",
    "device.reinstallApp": "Set the app up again",
    "device.openUrl": "Opened a page of the app",
    "device.screenshot": "Took a picture of the screen",
    "device.orientationChanged": "Turned the screen",
    "device.inactivityWarning": "Did nothing for a while",
    "device.error": "The screen had a problem",
    "device.end": "Closed the app",
}
_VERBS = {
    "view": "Looked at",
    "read": "Looked at",
    "list": "Looked at",
    "open": "Opened",
    "search": "Searched",
    "change": "Changed",
    "update": "Changed",
    "add": "Added",
    "create": "Added",
    "remove": "Removed",
    "delete": "Removed",
    "send": "Sent",
    "download": "Downloaded",
    "refused": "Tried, and was refused",
}
_CHANGES = frozenset({"change", "update", "add", "create", "remove", "delete", "send"})
_MARKS = str.maketrans("._:-", "    ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One line of what was done; `times` of the same after each other are one line."""

    words: str
    times: int
    at: int
    changed: bool
    """Something is different since."""


def in_words(kind: str, details: Mapping[str, Any]) -> str:
    """Say one action in plain words; `kind` and `details` are as their reporter wrote them."""
    known = _KNOWN.get(kind)
    if known is not None:
        return known
    verb, _, rest = kind.partition(".")
    thing = (rest or verb).translate(_MARKS).strip()
    said = f"{_VERBS[verb]}: {thing}" if rest and verb in _VERBS else f"Did: {kind.translate(_MARKS).strip()}"
    count = details.get("count")
    return f"{said} ({count})" if isinstance(count, int) and not isinstance(count, bool) else said


def lines(rows: Iterable[PerformedAction]) -> Sequence[Done]:
    """Return actions as lines, in their order."""
    grouped = groupby(rows, key=lambda row: (in_words(row.kind, row.details), row.kind.partition(".")[0] in _CHANGES))
    found = []
    for (words, changed), same in grouped:
        each = list(same)
        found.append(Done(words=words, times=len(each), at=each[0].at_ms // 1000, changed=changed))
    return found
