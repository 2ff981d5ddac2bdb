"""Figures as pictures, each with its table."""

import re
from typing import Any

import pytest

from authserver.console.charts import Bars, Columns, ceiling
from authserver.storage import statistics
from tests.console.staff import Staff, text
from tests.world import World

REPORTS = "/console/reports"


def test_each_picture_says_what_it_shows_and_has_its_table(world: World, staff: Staff) -> None:
    world.end(world.start().json["id"])
    world.start("agent2", target="vip")
    world.api("GET", "/api/v1/audit/events", "agent")
    shown = staff.enter("auditor", REPORTS)
    pictures = re.findall(r'<svg class="(?:columns|bars)".*?role="img" aria-labelledby="(\S+) (\S+)"', shown.text)
    assert len(pictures) == 7
    for title, desc in pictures:
        assert f'<title id="{title}">' in shown.text
        assert f'<desc id="{desc}">' in shown.text
    assert shown.text.count("As a table") == 7
    said = text(shown)
    assert "Asked for 2" in said
    assert "15 Jan: 2 asked for, 1 ended, 0 denied" in said
    assert "Nothing is owed" in said
    assert " style=" not in shown.text


@pytest.mark.parametrize(("query", "days"), [({}, 30), ({"days": "7"}, 7), ({"days": "90"}, 90), ({"days": "x"}, 30)])
def test_a_range_ends_today(staff: Staff, world: World, query: dict[str, str], days: int) -> None:
    world.start()
    staff.enter("auditor", "/console/impersonations")
    shown = staff.get(REPORTS, **query)
    assert len(re.findall(r'<th scope="row" class="nowrap">', shown.text)) == days
    assert re.findall(r'aria-current="true">(\d+) days', shown.text) == [str(days)]
    assert 'class="nowrap">2027-01-15</th>' in shown.text


def test_days_of_ones_own_are_taken_to_the_end_of_the_last(staff: Staff, world: World) -> None:
    world.start()
    staff.enter("auditor", "/console/impersonations")
    assert "Asked for 1" in text(staff.get(REPORTS, since="2027-01-15", until="2027-01-15"))
    assert "None in this time" in staff.get(REPORTS, since="2027-01-14", until="2027-01-14").text


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2027-02-01", "until": "2027-01-01"},
        {"since": "2020-01-01", "until": "2027-01-01"},
        {"since": "<i>", "until": ""},
        {"since": "", "until": "2027-01-01"},
    ],
    ids=str,
)
def test_days_that_are_none_are_said_and_kept(staff: Staff, query: dict[str, str]) -> None:
    staff.enter("auditor", "/console/impersonations")
    shown = staff.get(REPORTS, **query)
    assert (shown.status_code, "at most 366 days apart" in shown.text) == (400, True)
    assert "<i>" not in shown.text


def test_a_lead_sees_reports_without_private_reasons(world: World, staff: Staff) -> None:
    world.api("GET", "/api/v1/audit/events", "agent")
    shown = staff.enter("lead", REPORTS)
    assert shown.status_code == 200
    assert "/console/trail" not in shown.text


@pytest.mark.parametrize("who", ["agent", "customer"])
@pytest.mark.parametrize("query", ["", "?since=none"])
def test_who_may_not_is_refused_by_the_api(world: World, staff: Staff, who: str, query: str) -> None:
    staff.enter(who, "/console/")
    assert staff.get(REPORTS + query).status_code == 403
    assert world.events("request:refused")[-1]["actor"] == world.id(who)


def test_what_is_owed_leads_to_its_impersonation(world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    owed: Any = lambda *_args, **_more: [statistics.OwedReport("imp_1", world.id("agent"), "Avery Agent", 1)]  # noqa: E731
    monkeypatch.setattr(statistics, "owed_reports", owed)
    shown = staff.enter("auditor", REPORTS)
    assert 'href="/console/impersonations/imp_1">Report of a broken glass' in shown.text
    assert "Overdue" in text(shown)


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 5), (5, 5), (6, 10), (11, 20), (51, 100), (999, 1000)])
def test_the_highest_column_has_room(most: int, top: int) -> None:
    assert ceiling(most) == top


def test_columns_and_bars_stay_within_their_picture() -> None:
    days = [(f"{n} Jan", "", [("main", n), ("bad", 1)]) for n in range(31)]
    drawn = Columns.of(days)
    assert all(column.x >= 0 and column.x + column.width <= 100 for column in drawn.columns)
    assert all(
        part.y >= 0 and part.y + part.height <= drawn.height + 0.1 for column in drawn.columns for part in column.parts
    )
    assert [mark.words for mark in drawn.marks] == ["0 Jan", "10 Jan", "20 Jan", "30 Jan"]
    assert Columns.of([]).columns == ()
    bars = Bars.of([("a" * 90, 10), ("b", 5), ("c", 0)])
    assert [bar.length for bar in bars.bars] == [100, 50, 0]
    assert len(bars.bars[0].words) == 38
