"""The trail as JSON Lines and CSV: personal values where they still exist, no formulas, a page at a time."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from authserver.audit import export
from authserver.audit.events.refusals import RequestRefused
from authserver.audit.events.sign_in import SessionEnded
from authserver.storage import trail
from authserver.storage.trail import Selection

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

REFUSED = RequestRefused(
    endpoint="token",
    error="access_denied",
    reason="policy",
    client_id="backend",
    actor="usr_1",
    way="A",
    target=None,
    policies=("forbid-hours",),
    address="203.0.113.7",
    impersonation_id="imp_1",
)


def json_lines(house: House, selection: Selection = trail.EVERYTHING) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export.as_json_lines(house.session, selection)]


def cells(house: House) -> list[dict[str, str]]:
    text = "".join(export.as_csv(house.session))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_json_line_is_the_event_with_its_personal_values(house: House) -> None:
    house.record(REFUSED)
    (row,) = house.events()
    (record,) = json_lines(house)
    assert record["payload"] == json.loads(row.payload)
    assert record["personal"] == {"address": "203.0.113.7"}
    assert record["at"] == "2023-11-14T22:13:20.000Z"
    assert {field: record[field] for field in row._fields if field != "payload"} == {
        field: value for field, value in row._asdict().items() if field != "payload"
    }


def test_erased_personal_value_is_null(house: House) -> None:
    house.record(REFUSED)
    trail.erase_personal(house.session, "main", 1, "address")
    house.session.commit()
    assert json_lines(house)[0]["personal"] == {"address": None}
    assert json.loads(cells(house)[0]["personal"]) == {"address": None}


def test_selection_narrows_an_export(house: House) -> None:
    house.record(REFUSED, SessionEnded(session_id="s", user_id="usr_1", by="system"))
    assert [record["seq"] for record in json_lines(house, Selection(name="session:ended"))] == [2]
    assert [record["seq"] for record in json_lines(house, Selection(impersonation_id="imp_1"))] == [1]


def test_csv_has_a_column_for_what_is_asked_most(house: House) -> None:
    house.record(REFUSED)
    (record,) = cells(house)
    assert tuple(record) == export.COLUMNS
    assert (record["seq"], record["name"], record["actor"], record["subject"], record["client_id"]) == (
        "1",
        "request:refused",
        "usr_1",
        "",
        "backend",
    )
    assert json.loads(record["payload"])["policies"] == ["forbid-hours"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(small_house: House, start: str) -> None:
    small_house.record(replace(REFUSED, client_id=start + 'cmd|"/c calc"!A1', impersonation_id=start))
    (record,) = cells(small_house)
    assert record["client_id"] == f'\'{start}cmd|"/c calc"!A1'
    assert record["impersonation_id"] == f"'{start}"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in record.values())


def test_text_with_quotes_commas_and_line_ends_survives(small_house: House) -> None:
    small_house.record(replace(REFUSED, client_id='a,"b"\r\nc'))
    assert cells(small_house)[0]["client_id"] == 'a,"b"\r\nc'
    assert len(next(export.as_json_lines(small_house.session)).splitlines()) == 1


def test_event_that_was_tampered_with_is_exported_as_it_stands(small_house: House) -> None:
    small_house.record(REFUSED)
    small_house.tamper("UPDATE audit_events SET payload = '{broken', at_ms = 9223372036854775807")
    (record,) = json_lines(small_house)
    assert (record["payload"], record["at"]) == ("{broken", "")
    assert json.loads(cells(small_house)[0]["payload"]) == "{broken"


def test_export_streams(small_house: House) -> None:
    small_house.record(*[REFUSED] * 1_001)
    stream = export.as_json_lines(small_house.session)
    assert isinstance(stream, Iterator)
    assert json.loads(next(stream))["seq"] == 1
    assert [json.loads(line)["seq"] for line in stream] == list(range(2, 1_002))
