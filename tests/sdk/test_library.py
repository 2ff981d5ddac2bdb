"""The vendor's own client library (npm: @appetize/playwright) drives the device stand-in as it drives Appetize."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.chromium import found
from tests.conftest import Demo
from tests.resource.test_sample import impersonate
from tests.sdk.packages import HERE, installed


@pytest.mark.parametrize("platform", ["android", "ios"])
def test_the_vendors_library_drives_the_stand_in(demo: Demo, tmp_path: Path, platform: str) -> None:
    chromium = found()
    if chromium is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    modules = installed()
    runner = [shutil.which("node") or "node", str(modules / "@playwright" / "test" / "cli.js")]
    given = impersonate(demo, "agent", reason=f"the vendor's library on {platform}")
    environ = {
        **os.environ,
        "STANDIN": demo.credentials["appetize"]["device_stand_in"],
        "CHROMIUM": chromium,
        "PLATFORM": platform,
        "VALUE": given["access_token"],
        "OUTPUT": str(tmp_path / "results"),
    }
    command = [*runner, "test", "--config", str(HERE / "library.config.js")]
    done = subprocess.run(command, cwd=HERE, env=environ, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
