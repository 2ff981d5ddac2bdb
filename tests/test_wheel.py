"""The built wheel, installed elsewhere, runs the demo from any folder: nothing of the checkout is needed."""

import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parent.parent
PYTHON = [sys.executable, "-I"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the project's own backend, from the tree alone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [*PYTHON, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into an environment of its own, which has the dependencies of this one but not the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    pip = [*PYTHON, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([*pip, "install", *options], check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, but the .pth files there are not read: the editable install stays unseen.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder


def test_wheel_holds_the_defaults_the_policies_and_every_file_that_is_no_code(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    config = {path.relative_to(ROOT / "config").as_posix() for path in (ROOT / "config" / "policy").iterdir()}
    assert {f"authserver/_config/{name}" for name in (*config, "default.toml", "demo.toml")} <= held
    tracked = (path for path in (ROOT / "authserver").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert {path.relative_to(ROOT).as_posix() for path in tracked} <= held
    assert not [name for name in held if name.startswith(("tests/", "keys/", "config/"))]


def test_installed_wheel_runs_the_demo_from_another_folder(installed: Path, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AUTHSERVER"))}
    python, authserver = str(installed / "bin" / "python"), str(installed / "bin" / "authserver")
    find = [python, "-c", "import authserver; print(authserver.__file__)"]
    where = subprocess.run(find, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True).stdout
    assert Path(where.strip()).is_relative_to(installed)
    file = tmp_path / "credentials.json"
    command = [authserver, "demo", "--port", "0", "--data", "data", "--credentials", file.name]
    output = (tmp_path / "output.txt").open("w")
    with output, subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=output, stderr=output) as process:
        try:
            until = time.monotonic() + 30
            while not file.exists():
                assert process.poll() is None, (tmp_path / "output.txt").read_text()
                assert time.monotonic() < until, "the demo did not start"
                time.sleep(0.02)
            issuer = json.loads(file.read_text())["issuer"]
            assert requests.get(f"{issuer}/healthz", timeout=10).status_code == 200
            assert requests.get(f"{issuer}/api/v1/openapi.json", timeout=10).json()["openapi"] == "3.1.0"
        finally:
            process.terminate()
            process.wait(timeout=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["credentials.json", "data", "output.txt"]
