"""Instants as callers write them (RFC 3339)."""

from datetime import datetime

from authserver.protocol.refusals import InvalidRequest


def read_ms(text: str | None) -> int | None:
    """Read an instant in milliseconds. Raises InvalidRequest for one that no calendar has."""
    if text is None:
        return None
    try:
        return int(datetime.fromisoformat(text.upper()).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("query.instant", "An instant is none that there is.") from error
