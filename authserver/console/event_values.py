"""The members of an event as people read them: moments, lengths, lists; and no markup of whoever wrote them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from authserver.console.moments import duration, instant

_LENGTHS = frozenset({"lifetime", "seconds"})
_MOMENTS = ("_at", "until")
_YES, _NO = Markup("yes"), Markup("no")
_QUIET = Markup('<span class="quiet">{}</span>')
_CODE = Markup("<code>{}</code>")
_ISOLATED = Markup("<bdi>{}</bdi>")
_NAMED = Markup('<bdi>{}</bdi> <code class="quiet">{}</code>')


def label(name: str) -> str:
    """Return the name of a member in words: `ticket_id` is `Ticket id`."""
    return name.removesuffix("_ms").replace("_", " ").capitalize()


def value(
    name: str,
    found: Any,  # noqa: ANN401 - JSON
    names: Mapping[str, str] | None = None,
    absent: str = "none",
) -> Markup:
    """Return a member's value; what is known by `names` (by id) is called by its name, too."""
    if isinstance(found, bool):
        return _YES if found else _NO
    if isinstance(found, int):
        return _number(name, found)
    if isinstance(found, str) and found:
        return _said(found, names)
    if not found:
        return _QUIET.format(absent if found is None else "none")
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return Markup(", ").join(_said(each, names) for each in found)
    return _CODE.format(json.dumps(found, ensure_ascii=False, sort_keys=True))


def _said(found: str, names: Mapping[str, str] | None) -> Markup:
    return _NAMED.format(names[found], found) if names and found in names else _ISOLATED.format(found)


def _number(name: str, found: int) -> Markup:
    if name in _LENGTHS:
        return escape(duration(found))
    at = found / 1000 if name.endswith("_ms") else found if name.endswith(_MOMENTS) else None
    if at is None:
        return escape(found)
    try:
        return escape(instant(datetime.fromtimestamp(at, UTC).isoformat(), seconds=True) or found)
    except (ValueError, OverflowError, OSError):
        return escape(found)
