"""What tests of the configuration's pages read from them."""

import re
from typing import Any

from tests.world import Answer, World

HOSTILE = '"><script>alert(1)</script>{{7*7}}'
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
APPS = "/api/v1/appetize/apps"
PLAIN: dict[str, Any] = {"build_id": "b_1", "platform": "android"}


def create(world: World, name: str = "bank", **settings: Any) -> None:
    created = world.api("POST", APPS, "admin", json={"name": name, "settings": {**PLAIN, **settings}})
    assert created.status_code == 201, created.text


def app(world: World, name: str = "bank") -> dict[str, Any]:
    return world.api("GET", f"{APPS}/{name}", "admin").json


def problem(shown: Answer, field: str) -> str:
    """Return what stands at a field that is marked as wrong."""
    found = re.search(rf'<p class="wrong" id="{re.escape(field)}-problem">([^<]*)</p>', shown.text)
    marked = re.search(rf'name="{re.escape(field)}"[^>]*aria-invalid="true"', shown.text)
    assert found, shown.text
    assert marked, field
    return found[1]


def version_in(shown: Answer) -> str:
    """Return which version of an app a form is meant for."""
    found = re.search(r'name="seen" value="([^"]*)"', shown.text)
    assert found, shown.text
    return found[1]


def chosen(shown: Answer, field: str) -> str:
    """Return what stands in a field."""
    if found := re.search(rf'<input id="{re.escape(field)}"[^>]* value="([^"]*)"', shown.text):
        return found[1]
    if found := re.search(rf'<textarea id="{re.escape(field)}"[^>]*>\n([^<]*)<', shown.text):
        return found[1]
    found = re.search(rf'<select id="{re.escape(field)}".*?</select>', shown.text)
    assert found, field
    picked = re.search(r'value="([^"]*)" selected', found[0])
    return picked[1] if picked else ""
