"""Many people from a CSV file: looked at first, every bad row named, then taken in batches.

With scripts the browser cuts a file of any length into pieces between its rows, and each is read here.
"""

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request

from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.people_csv import (
    COLUMNS,
    MAX_BYTES,
    People,
    Row,
    UnreadableError,
    decoded,
    first_line,
    read,
    written,
)

_API = "/api/v1/users"
_BATCH_ROWS, _BATCH_BYTES = 100, 40_000
_SHOWN_GOOD = 10
_ACTIONS = ("create", "change", "unchanged", "error")


def add_user_import(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/users/import")
    def user_import() -> Response:
        call().get(_API, limit=1)  # the API says who may be here
        return _page()

    @blueprint.post("/users/import")
    def import_users() -> Response:
        """Read a whole file, which is small: for browsers without scripts."""
        here, file = call(), request.files.get("file")
        try:
            text = decoded(file.read(MAX_BYTES + 1)) if file else request.form.get("text", "")
            people = read(text)
        except UnreadableError as error:
            here.get(_API, limit=1)
            return _page(400, problem=error.words)
        done = request.form.get("do", "look")
        _run(here, people, dry_run=done != "import")
        if done == "bad":
            return _download("bad-rows.csv", first_line(people.columns) + written(people.columns, people.bad))
        return _page(people=people, counts=_counts(people.rows), text=text, done=done == "import")

    @blueprint.post("/users/import/rows")
    def import_rows() -> Response:
        """Read a piece of a file, for the script: its first line and some rows."""
        here, first_row = call(), request.form.get("first_row", default=2, type=int)
        try:
            people = read(request.form.get("text", ""), first_row=max(2, first_row))
            _run(here, people, dry_run=request.form.get("do") != "import")
        except UnreadableError as error:
            return _json({"problem": error.words}, 400)
        except ApiRefusedError as refusal:
            return _json({"problem": refusal.words}, refusal.status)
        return _json(_told(people))

    @blueprint.get("/users/import/people.csv")
    def import_template() -> Response:
        """Answer an empty file with every column."""
        call().get(_API, limit=1)
        return _download("people.csv", ",".join(COLUMNS) + "\r\n")


def _run(here: Call, people: People, *, dry_run: bool) -> None:
    """Have the API look at every row that could be read, or take it; what it says stands at each."""
    for batch in _batches(people):
        answer = here.post(f"{_API}/import", {"rows": [row.values for row in batch], "dry_run": dry_run})
        for row, outcome in zip(batch, answer["rows"], strict=True):
            row.action = outcome["action"]
            row.errors += outcome["errors"]


def _batches(people: People) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in people.good:
        length = len(json.dumps(row.values))
        if length > _BATCH_BYTES:
            row.errors.append({"field": "(row)", "problem": "is too long"})
            continue
        if batch and (len(batch) >= _BATCH_ROWS or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def _counts(rows: list[Row]) -> dict[str, int]:
    return {action: sum(row.action == action for row in rows) for action in _ACTIONS}


def _told(people: People) -> dict[str, Json]:
    """Return what the script shows, in the page's own markup."""
    good = [row for row in people.rows if not row.errors]
    return {
        "next_row": people.next_row,
        "counts": _counts(people.rows),
        "names": [[row.username, row.number] for row in people.rows if row.username],
        "good_rows": render_template("console/user_import_good.html", rows=good[:_SHOWN_GOOD]),
        "bad_rows": render_template("console/user_import_bad.html", rows=people.bad),
        "bad_line": first_line(people.columns),
        "bad": written(people.columns, people.bad),
    }


def _page(status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - template values
    return page("user_import.html", status, columns=COLUMNS, max_kb=MAX_BYTES // 1000, shown=_SHOWN_GOOD, **values)


def _json(content: Json, status: int = 200) -> Response:
    response = Response(json.dumps(content), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _download(name: str, text: str) -> Response:
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
