"""Moments in words: UTC for everybody, the exact second in the title; `times.js` puts them into the reader's zone."""

from datetime import UTC, datetime

from markupsafe import Markup

_TIME = Markup('<time datetime="{}" title="{}">{}</time>')


def moment(seconds: int) -> Markup:
    """Return a `<time>` element for seconds since the epoch; templates have it as a filter."""
    at = datetime.fromtimestamp(seconds, UTC)
    exact, words = at.strftime("%Y-%m-%d %H:%M:%S UTC"), at.strftime("%d %B %Y, %H:%M UTC").removeprefix("0")
    return _TIME.format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), exact, words)
