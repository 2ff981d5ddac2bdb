"""The issuer on paper, for every test here."""

from collections.abc import Iterator

import pytest
import requests_mock

from tests.resource.issuer import Paper


@pytest.fixture
def paper(requests_mock: requests_mock.Mocker) -> Iterator[Paper]:
    made = Paper(requests_mock).serve()
    yield made
    for server in made.servers:
        server.reports.close()
        assert server.reports.dropped == 0
