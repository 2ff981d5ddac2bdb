"""The issuer on paper, for every test here."""

import pytest
import requests_mock

from tests.resource.issuer import Paper


@pytest.fixture
def paper(requests_mock: requests_mock.Mocker) -> Paper:
    return Paper(requests_mock).serve()
