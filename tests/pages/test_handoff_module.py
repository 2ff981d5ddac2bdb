"""`/appetize/handoff.js`: readable by the pages that an app names, kept for ever under its version."""

import pytest

from tests.conftest import MakeWorld
from tests.world import ISSUER

ORIGIN = "https://support.example.com"


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://evil.example", None), (None, None)])
def test_module_is_shared_with_the_pages_that_an_app_names(
    make_sqlite_world: MakeWorld, origin: str | None, allowed: str | None
) -> None:
    app = {"build_id": "b_1", "platform": "android", "allowed_origins": [ORIGIN]}
    world = make_sqlite_world(appetize={"apps": {"demo-bank": app}})
    headers = {} if origin is None else {"Origin": origin}
    answer = world.http.get("/appetize/handoff.js", headers=headers, base_url=ISSUER)
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert "export async function handoff(" in answer.text
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert "Origin" in {name.strip() for each in answer.headers.getlist("Vary") for name in each.split(",")}
    assert answer.headers["Cache-Control"] == "no-cache"
    version = answer.headers["ETag"].strip('"').removesuffix("-gzip")
    kept = world.http.get(f"/appetize/handoff.js?v={version}", headers=headers, base_url=ISSUER)
    assert "immutable" in kept.headers["Cache-Control"]
