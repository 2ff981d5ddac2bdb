"""The trail as JSON Lines (jsonlines.org) and CSV (RFC 4180), personal values resolved where they still exist."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from authserver.audit.chain import CHAIN
from authserver.storage import DbSession, search, trail
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
STOPPED = "export:stopped"
"""What stands in the place of an event's name where an export could not be completed."""
_PROMOTED = ("actor", "subject", "client_id")
_FORMULA = tuple("=+-@|%\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How a formula begins (CWE-1236), also as a spreadsheet of East Asia reads it."""


def as_json_lines(session: DbSession, selection: Selection = EVERYTHING) -> Iterator[str]:
    """Yield one line an event, each with its line end; `session` has nothing unsaved."""
    yield from _written(session, selection, JSON_LINES)


def as_csv(session: DbSession, selection: Selection = EVERYTHING) -> Iterator[str]:
    """Yield a header and one record an event; no cell is a formula to a spreadsheet."""
    yield from _written(session, selection, CSV)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of export: how it begins, and how it writes a record."""

    beginning: str
    write: Callable[[dict[str, Any]], str]


def records(session: DbSession, rows: Sequence[EventRow]) -> list[dict[str, Any]]:
    """Return events as readers get them."""
    personal = trail.personal_of(session, CHAIN, [row.seq for row in rows])
    return [as_record(row, personal[row.seq]) for row in rows]


def _written(session: DbSession, selection: Selection, form: Form) -> Iterator[str]:
    if form.beginning:
        yield form.beginning
    for rows in search.batches(session, CHAIN, selection):
        yield from map(form.write, records(session, rows))


def stopped(error: str) -> dict[str, Any]:
    """Return the record that ends an export which is not the whole: without it nobody would know."""
    nothing = dict.fromkeys((*EventRow._fields, "at"))
    return {**nothing, "name": STOPPED, "payload": {"error": error}, "personal": {}}


def as_record(row: EventRow, personal: Mapping[str, str | None]) -> dict[str, Any]:
    """Return an event as readers get it: `payload` as it was chained, `personal` beside it, None where erased."""
    return {**row._asdict(), "at": instant(row.at_ms), "payload": payload_of(row), "personal": dict(personal)}


def payload_of(row: EventRow) -> Any:  # noqa: ANN401 - JSON
    """Read a payload; one that was tampered with is shown as the text that it is."""
    try:
        return json.loads(row.payload)
    except (ValueError, RecursionError):
        return row.payload


def instant(at_ms: int) -> str:
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
    return f"'{text}" if text.lstrip(" \N{NO-BREAK SPACE}\N{ZERO WIDTH NO-BREAK SPACE}").startswith(_FORMULA) else text


def _csv_record(cells: tuple[str, ...]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _line(record: dict[str, Any]) -> str:
    return _json(record) + "\n"


def _row(record: dict[str, Any]) -> str:
    payload = record["payload"]
    known = payload if isinstance(payload, Mapping) else {}
    flat = {
        **record,
        **{name: known.get(name) for name in _PROMOTED},
        "payload": _json(payload),
        "personal": _json(record["personal"]),
    }
    return _csv_record(tuple(_cell(flat[name]) for name in COLUMNS))


JSON_LINES = Form("", _line)
CSV = Form(_csv_record(COLUMNS), _row)
