"""What the tests of support codes share: a customer makes one, an agent redeems it (way F)."""

from typing import Any

from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_SUPPORT_CODE
from tests.world import API, REASON, Answer, World

PATH = "/session/support-codes"


def make_code(world: World, who: str = "customer-ask", **body: Any) -> dict[str, Any]:
    """Make a code as a customer's own app does; return the answer's members."""
    answer = world.api("POST", PATH, who, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json


def way_f(world: World, code: str, actor: str = "agent", **form: Any) -> Answer:
    """Exchange a support code; `form` overrides, None leaves out."""
    return world.exchange(
        client=form.pop("client", "backend"),
        **{
            "subject_token": code,
            "subject_token_type": TYPE_SUPPORT_CODE,
            "actor_token": world.token(actor),
            "actor_token_type": TYPE_ACCESS_TOKEN,
            "resource": API,
            **REASON,
            **form,
        },
    )


def state(world: World, code_id: str, who: str = "customer-ask") -> str:
    """Return the state that the list of a customer's codes says of one."""
    return str(listed(world, code_id, who)["state"])


def listed(world: World, code_id: str, who: str = "customer-ask") -> dict[str, Any]:
    """Return what the list of a customer's codes says of one."""
    items = world.api("GET", PATH, who).json["items"]
    return next(dict(item) for item in items if item["id"] == code_id)
