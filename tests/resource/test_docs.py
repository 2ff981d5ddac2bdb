"""The guide's Python runs as it stands."""

import re
from pathlib import Path
from typing import Any

from tests.resource.issuer import ISSUER, Paper, acting

GUIDE = Path(__file__).parents[2] / "docs" / "resource-servers.md"


def test_snippet_of_the_guide_does_what_the_guide_says(paper: Paper) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "bank"}
    exec(snippet, names)  # noqa: S102 - the guide's own code
    http, bearer = names["app"].test_client(), {"Authorization": "Bearer opaque"}
    taken = paper.mock.post(f"{ISSUER}/api/v1/impersonations/imp_1/actions", json={"accepted": 1, "known": 0})
    paper.says(**acting(exp=4_000_000_000))
    seen = http.get("/accounts", headers=bearer)
    assert seen.get_json() == {"owner": "usr_customer", "seen_by": "usr_agent", "read_only": True}
    assert http.post("/search", headers=bearer).status_code == 200
    assert http.post("/transfers", headers=bearer).get_json()["error"] == "insufficient_scope"
    paper.says(**acting("full", scope="payments:execute"))
    assert http.post("/transfers", headers=bearer).get_json()["error"] == "not_while_impersonated"
    names["server"].reports.close()
    kinds = [action["kind"] for request in taken.request_history for action in request.json()["actions"]]
    assert kinds == ["view.accounts", "refused.impersonated"]
