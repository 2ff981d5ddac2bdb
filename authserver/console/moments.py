"""Moments and durations in words; `console.js` puts moments into the reader's own zone."""

from datetime import UTC, datetime

from markupsafe import Markup

_TIME = Markup('<time datetime="{}" title="{}">{}</time>')
_TO_THE_SECOND = Markup('<time datetime="{}" title="{}" data-seconds>{}</time>')
_MINUTES, _SECONDS = "%d %b %Y, %H:%M", "%d %b %Y, %H:%M:%S"
_MINUTE, _HOUR = 60, 3600


def instant(text: str | None, *, seconds: bool = False) -> Markup | str:
    """Return a `<time>` element for an instant of the API (RFC 3339): short, in UTC, exact in its title."""
    try:
        at = datetime.fromisoformat(text or "").astimezone(UTC)
    except ValueError:
        return ""
    exact, words = (
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        at.strftime(_SECONDS if seconds else _MINUTES).removeprefix("0"),
    )
    return (_TO_THE_SECOND if seconds else _TIME).format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), exact, words)


def duration(seconds: float | None) -> str:
    """Return a length in words: `45 s`, `5 min`, `1 h 30 min`."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    hours, minutes = divmod(whole // _MINUTE, _MINUTE)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{minutes} min"] if minutes or not hours else [])])


def moment_of(text: str | None) -> int | None:
    """Return an instant of the API as seconds since the epoch."""
    try:
        return int(datetime.fromisoformat(text or "").timestamp())
    except ValueError:
        return None
