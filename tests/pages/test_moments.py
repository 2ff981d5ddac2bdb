"""Moments in words: right to the second in the markup, readable in the text."""

import pytest

from authserver.pages.moments import moment


@pytest.mark.parametrize(
    ("seconds", "exact", "title", "words"),
    [
        (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC", "1 January 1970, 00:00 UTC"),
        (1_800_000_059, "2027-01-15T08:00:59Z", "2027-01-15 08:00:59 UTC", "15 January 2027, 08:00 UTC"),
    ],
)
def test_a_moment_is_exact_for_machines_and_plain_for_people(seconds: int, exact: str, title: str, words: str) -> None:
    assert moment(seconds) == f'<time datetime="{exact}" title="{title}">{words}</time>'
