"""Real Chromium, from the system's packages: what no client without scripts, referrers and form rules can show."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import found, launched
from tests.conftest import Demo, running_demo


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if found() is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def named_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose issuer has a name, for passkeys: a relying party is never an address (WebAuthn §5.1.2)."""
    with running_demo(tmp_path_factory.mktemp("named"), "--host", "localhost") as demo:
        yield demo
