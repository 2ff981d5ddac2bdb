"""Real Chromium, from the system's packages: what no client without scripts, referrers and form rules can show."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as WaitedInVain

from tests.browser.chromium import found, launched
from tests.browser.desk import TIMEOUT, Desk, embedding
from tests.conftest import Demo, running_demo
from tests.resource.test_sample import impersonate

_numbers = itertools.count(1)
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that waited in vain, on a machine that was busy, is asked once more; nothing else is."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=[WaitedInVain]))


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


@pytest.fixture
def standin(demo: Demo) -> Iterator[str]:
    """The address of the demo's device stand-in, whose devices wait for a hand as long as ever."""
    address = demo.credentials["appetize"]["device_stand_in"]
    yield address
    requests.post(f"{address}/control", json={"inactivity_seconds": 120}, timeout=TIMEOUT)


@pytest.fixture
def desk(chromium: Browser, standin: str) -> Iterator[Desk]:
    with embedding(chromium, standin) as desk:
        yield desk


@pytest.fixture
def given(demo: Demo) -> dict[str, Any]:
    """An impersonation of Casey by Avery, with its token."""
    return impersonate(demo, "agent", reason=f"seen on the device ({next(_numbers)})")
