"""Fixtures of what is sent."""

from collections.abc import Iterator

import pytest

from tests.notify.post_office import Hooked, PostOffice, hooked, post_office


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A real mail server in a thread."""
    with post_office() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Hooked]:
    """A real web server in a thread."""
    with hooked() as running:
        yield running
