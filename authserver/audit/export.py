"""The trail as JSON Lines (jsonlines.org) and CSV (RFC 4180), personal values resolved where they still exist."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from authserver.audit.chain import CHAIN
from authserver.storage import DbSession, trail
from authserver.storage.trail import EVERYTHING, EventRow, Selection

COLUMNS = (
    "seq",
    "at",
    "name",
    "version",
    "impersonation_id",
    "actor",
    "subject",
    "client_id",
    "payload",
    "personal",
    "at_ms",
    "prev",
    "digest",
)
"""The columns of the CSV form; `payload` and `personal` are JSON."""
_PROMOTED = ("actor", "subject", "client_id")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_json_lines(session: DbSession, selection: Selection = EVERYTHING) -> Iterator[str]:
    """Yield one line an event, each with its line end; `session` has nothing unsaved."""
    for record in _records(session, selection):
        yield _json(record) + "\n"


def as_csv(session: DbSession, selection: Selection = EVERYTHING) -> Iterator[str]:
    """Yield a header and one record an event; no cell is a formula to a spreadsheet."""
    yield _csv_record(COLUMNS)
    for record in _records(session, selection):
        payload = record["payload"]
        known = payload if isinstance(payload, Mapping) else {}
        flat = {
            **record,
            **{name: known.get(name) for name in _PROMOTED},
            "payload": _json(payload),
            "personal": _json(record["personal"]),
        }
        yield _csv_record(tuple(_cell(flat[name]) for name in COLUMNS))


def _records(session: DbSession, selection: Selection) -> Iterator[dict[str, Any]]:
    for rows in trail.batches(session, CHAIN, selection):
        personal = trail.personal_of(session, CHAIN, [row.seq for row in rows])
        for row in rows:
            yield as_record(row, personal[row.seq])


def as_record(row: EventRow, personal: Mapping[str, str | None]) -> dict[str, Any]:
    """Return an event as readers get it: `payload` as it was chained, `personal` beside it, None where erased."""
    return {**row._asdict(), "at": _instant(row.at_ms), "payload": _payload(row.payload), "personal": dict(personal)}


def _payload(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read a payload; one that was tampered with is shown as the text that it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _instant(at_ms: int) -> str:
    """Write an instant as RFC 3339 has it; nothing for one that no calendar has."""
    try:
        whole = datetime.fromtimestamp(at_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _cell(value: object) -> str:
    """Write a cell; one that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_record(cells: tuple[str, ...]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
