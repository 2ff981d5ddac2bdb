"""Reports: what a look tells sooner than reading, each picture with its table."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from flask import Blueprint, Response, request

from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.charts import Bars, Columns

_USUAL = 30
RANGES = (7, 30, 90)
_MOST = 366
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OUTCOMES = {
    "requested": "Customer is being told",
    "awaiting_approval": "Waits for approval",
    "awaiting_consent": "Waits for the customer",
}
_WRONG = "Choose a first and a last day, at most 366 days apart."
_NOTHING: dict[str, Json] = {
    "by_day": [],
    "by_agent": [],
    "by_reason": [],
    "by_outcome": [],
    "lengths": [],
    "refusals": [],
    "owed": {"reports": [], "notices": []},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The days that are looked at, the first and the last; `days` where so many back from today."""

    first: date
    last: date
    days: int | None
    misfit: bool = False

    @classmethod
    def of(cls, since: str, until: str, days: int, today: date) -> Self:
        """Read what was chosen; what fits no calendar is 30 days, and a misfit."""
        usual = days if days in RANGES else _USUAL
        if not since and not until:
            return cls(first=today - timedelta(days=usual - 1), last=today, days=usual)
        first, last = _day(since), _day(until) or today
        if first is None or not 0 <= (last - first).days < _MOST:
            return cls(first=today - timedelta(days=usual - 1), last=today, days=None, misfit=True)
        return cls(first=first, last=last, days=None)

    def query(self) -> dict[str, str]:
        """Return it as the API wants it: to the end of the last day, in UTC."""
        following = self.last + timedelta(days=1)
        return {"since": f"{self.first}T00:00:00Z", "until": f"{following}T00:00:00Z"}

    @property
    def following(self) -> str:
        """The day after the last."""
        return str(self.last + timedelta(days=1))


def add_reports(blueprint: Blueprint) -> None:
    """Add the page."""

    @blueprint.get("/reports")
    def reports() -> Response:
        here = call()
        args = request.args
        today = datetime.fromtimestamp(here.parts.now(), UTC).date()
        days = args.get("days", default=_USUAL, type=int)
        chosen = Range.of(args.get("since", ""), args.get("until", ""), days, today)
        return _reports(here, chosen, (args.get("since", ""), args.get("until", "")))


def _reports(here: Call, chosen: Range, typed: tuple[str, str]) -> Response:
    words = _WRONG if chosen.misfit else ""
    figures = _NOTHING
    if not chosen.misfit or not here.me.may("impersonations:read", "lead", "auditor", "admin"):
        try:
            figures = here.get("/api/v1/statistics", **chosen.query())
        except ApiRefusedError as refusal:
            if refusal.error != "invalid_request":
                raise
            words = _WRONG
    return page(
        "reports.html",
        400 if words else 200,
        figures=figures,
        chosen=chosen,
        typed=typed,
        ranges=RANGES,
        alert_words=words,
        pictures=_pictures(figures),
        outcome=outcome,
        said=_said,
        asked=sum(day["count"] for day in figures["by_day"]),
        refused=sum(day["refused"] for day in figures["by_day"]),
        acted=sum(agent["seconds"] for agent in figures["by_agent"]),
    )


def _pictures(figures: Json) -> dict[str, Columns | Bars]:
    days = figures["by_day"]
    return {
        "days": Columns.of([(_short(day["day"]), _words(day), _parts(day)) for day in days]),
        "refused": Columns.of(
            [
                (_short(day["day"]), f"{_short(day['day'])}: {day['refused']} refused", [("bad", day["refused"])])
                for day in days
            ]
        ),
        "agents": Bars.of([(agent["name"] or agent["id"], agent["count"]) for agent in figures["by_agent"]]),
        "reasons": Bars.of([(_said(reason["code"]), reason["count"]) for reason in figures["by_reason"]]),
        "outcomes": Bars.of([(outcome(found["outcome"]), found["count"]) for found in figures["by_outcome"]]),
        "lengths": Bars.of([(length["bucket"].capitalize(), length["count"]) for length in figures["lengths"]]),
        "refusals": Bars.of([(found["reason"] or "no reason", found["count"]) for found in figures["refusals"]]),
    }


def outcome(state: str) -> str:
    """Return a state in words."""
    return _OUTCOMES.get(state) or _said(state)


def _said(code: str) -> str:
    return code.replace("_", " ").capitalize() or "None given"


def _parts(day: Json) -> list[tuple[str, int]]:
    other = day["count"] - day["ended"] - day["denied"]
    return [("main", day["ended"]), ("bad", day["denied"]), ("rest", other)]


def _words(day: Json) -> str:
    return f"{_short(day['day'])}: {day['count']} asked for, {day['ended']} ended, {day['denied']} denied"


def _short(day: str) -> str:
    return f"{date.fromisoformat(day):%d %b}".removeprefix("0")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
