"""Moments and durations in words; and no filter of the console's own takes the place of one of Jinja's."""

import pytest
from jinja2.filters import FILTERS

from authserver.console.moments import duration, instant
from tests.world import World


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0, "0 s"), (45, "45 s"), (60, "1 min"), (900, "15 min"), (3600, "1 h"), (5400, "1 h 30 min")],
)
def test_a_duration_is_said_briefly(seconds: int | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_says_itself_exactly_in_its_title() -> None:
    shown = instant("2027-01-05T08:00:01.250Z")
    assert shown == '<time datetime="2027-01-05T08:00:01Z" title="2027-01-05 08:00:01 UTC">5 Jan 2027, 08:00</time>'
    assert instant(None) == instant("<script>") == ""


def test_jinjas_own_filters_are_what_they_were(world: World) -> None:
    assert {name: each for name, each in world.app.jinja_env.filters.items() if name in FILTERS}.items() >= {
        name: FILTERS[name] for name in ("length", "count", "join", "select")
    }.items()
