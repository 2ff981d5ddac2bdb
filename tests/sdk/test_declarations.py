"""What our pages call, what the stand-in plays and what we configure is as the vendor's own package declares it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from authserver.appetize.configuration import session_configuration
from authserver.appetize.look import Look
from authserver.settings_appetize import App
from tests.sdk.packages import HERE, installed

STATIC = HERE.parents[1] / "authserver"
EVERYTHING: dict[str, Any] = {
    "build_id": "b_1",
    "record": True,
    "debug": True,
    "proxy": "intercept",
    "device": "pixel7",
    "os_version": "13.0",
    "scale": "auto",
    "region": "eu",
    "language": "sv",
    "locale": "sv_SE",
    "location": [59.33, 18.07],
    "appearance": "dark",
    "orientation": "landscape",
    "grant_permissions": True,
    "user_interaction_disabled": True,
    "screen_only": True,
    "audio": False,
    "volume": 50,
}


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed()


def compiled(modules: Path, project: Path) -> str:
    """Return what the compiler finds wrong."""
    compiler = [shutil.which("node") or "node", str(modules / "typescript" / "bin" / "tsc")]
    done = subprocess.run([*compiler, "-p", str(project)], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def changed(folder: Path, project: str, script: Path, old: str, new: str) -> Path:
    """Return a project that is the one here, but for a change in one script."""
    text = script.read_text()
    assert old in text
    copy = folder / "static"
    shutil.copytree(script.parent, copy)
    (copy / script.name).write_text(text.replace(old, new))
    settings = {"extends": str(HERE / project), "files": [str(HERE / "appetize.d.ts"), str(copy / script.name)]}
    made = folder / "tsconfig.json"
    made.write_text(json.dumps(settings))
    return made


def test_our_pages_use_the_sdk_as_the_vendor_declares_it(packages: Path) -> None:
    assert compiled(packages, HERE / "tsconfig.pages.json") == ""


def test_the_stand_in_has_the_surface_that_the_vendor_declares(packages: Path) -> None:
    assert compiled(packages, HERE / "tsconfig.standin.json") == ""


@pytest.mark.parametrize(
    ("project", "script", "old_and_new"),
    [
        ("tsconfig.pages.json", "pages/static/handoff.js", ("openUrl(url)", "openURL(url)")),
        ("tsconfig.pages.json", "pages/static/handoff.js", ('"firstFrameReceived"', '"firstFrame"')),
        (
            "tsconfig.pages.json",
            "pages/static/handoff.js",
            ("({ secondsRemaining })", "({ seconds: secondsRemaining })"),
        ),
        ("tsconfig.standin.json", "standin/static/embed.js", ("heartbeat() {", "beat() {")),
        ("tsconfig.standin.json", "standin/static/embed.js", ("endSession() {", "end() {")),
    ],
)
def test_a_misspelt_call_event_or_member_is_found(
    packages: Path, tmp_path: Path, project: str, script: str, old_and_new: tuple[str, str]
) -> None:
    assert "error TS" in compiled(packages, changed(tmp_path, project, STATIC / script, *old_and_new))


def test_every_setting_of_an_app_is_one_that_the_sdk_takes(packages: Path, tmp_path: Path) -> None:
    """Literals are checked for members that are not declared, too."""
    android = App.model_validate(
        {**EVERYTHING, "platform": "android", "timezone": "Europe/Oslo", "hide_passwords": True}
    )
    apps = {"android": android, "ios": App.model_validate({**EVERYTHING, "platform": "ios"})}
    look = Look(locale="de-CH", time_zone="Europe/Zurich", appearance="dark")
    lines = [
        f"export const {name}: AppetizeConfig = {json.dumps(session_configuration(app, 'b_1', look, 'value'))};\n"
        for name, app in apps.items()
    ]
    script, project = tmp_path / "configurations.ts", tmp_path / "tsconfig.json"
    settings = {"extends": str(HERE / "tsconfig.pages.json"), "files": [str(HERE / "appetize.d.ts"), str(script)]}
    project.write_text(json.dumps(settings))
    script.write_text("".join(lines))
    assert compiled(packages, project) == ""
    script.write_text("".join(lines).replace('"scale"', '"zoom"'))
    assert "zoom" in compiled(packages, project)
