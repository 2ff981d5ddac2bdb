"""The vendor's package and what checks against it, pinned with their hashes; nothing of it is shipped."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
_RECORD = MODULES / ".package-lock.json"
_SECONDS = 240


def installed() -> Path:
    """Return the folder of the packages, after installing them where they are not; skip where that cannot be."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no Node on this machine: install the packages nodejs and npm")
    with (HERE / "package-lock.json").open() as lock:  # one process installs; the others wait for it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _there(json.load(lock)):
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if done.returncode != 0:
                pytest.skip(f"the vendor's package could not be installed: {done.stderr[-300:]}")
    return MODULES


def _there(wanted: dict[str, Any]) -> bool:
    """Tell whether npm's own record has what is pinned, by hash; what another system needs may be missing."""
    if not _RECORD.exists():
        return False
    present = json.loads(_RECORD.read_text())["packages"]
    return all(
        present.get(name, {}).get("integrity") == each["integrity"] or (name not in present and each.get("optional"))
        for name, each in wanted["packages"].items()
        if name
    )
