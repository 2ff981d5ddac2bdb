"""Plain HTTP to the running server, for what a third-party client does not do."""

from typing import Any

import requests

from tests.conftest import Demo

TIMEOUT = 10


def introspect(demo: Demo, token: str) -> dict[str, Any]:
    """Ask as the resource server."""
    credentials = tuple(demo.credentials["clients"]["resource-server"].values())
    answer = requests.post(
        f"{demo.issuer}/oauth/introspect", {"token": token}, auth=(credentials[0], credentials[1]), timeout=TIMEOUT
    )
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def api(demo: Demo, method: str, path: str, token: str, body: Any = None) -> dict[str, Any]:
    """Call the API with a bearer token."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, demo.issuer + path, json=body, headers=headers, timeout=TIMEOUT)
    answer.raise_for_status()
    shown: dict[str, Any] = answer.json()
    return shown
