"""Cursors: where a page ended, in a form that says nothing to a caller."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from authserver.protocol.refusals import InvalidRequest

_MAX_MS = 2**62


def write(place_ms: int, *identifiers: str) -> str:
    """Write a place: an instant, and what orders within it."""
    return urlsafe_b64encode("/".join((str(place_ms), *identifiers)).encode()).decode().rstrip("=")


def read(text: str, *, identifiers: int) -> tuple[int, list[str]]:
    """Read a place. Raises InvalidRequest for what was never given out."""
    try:
        first, *found = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split("/")
        place_ms = int(first)
    except ValueError as error:
        raise malformed() from error
    if not 0 <= place_ms < _MAX_MS or len(found) != identifiers or any("\0" in name for name in found):
        raise malformed()
    return place_ms, found


def malformed() -> InvalidRequest:
    """Return the refusal of what was never given out."""
    return InvalidRequest("cursor.malformed", "cursor is not one that was given out.")
