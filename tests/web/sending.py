"""Sending requests whose bytes are chosen by hand, in process, and the form that every refusal has."""

from typing import Any

from tests.world import ISSUER, Answer, World

FORM = "application/x-www-form-urlencoded"
ENDLESS = "/api/v1/impersonations/stream"
"""What answers for ever whoever may hear it."""
OAUTH = ("/oauth/token", "/oauth/introspect", "/oauth/revoke")


def send(
    world: World,
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    content_type: str | None = FORM,
    client: str | None = "backend",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Answer:
    """Send these bytes as a client; `more` goes to Werkzeug's test client."""
    shown = {**(world.basic(client) if client else {}), **(headers or {})}
    own: dict[str, Any] = {"data": body, "content_type": content_type, "headers": shown, "base_url": ISSUER}
    return Answer.of(world.http.open(path, method=method, **{**own, **more}))


def well_formed(answer: Answer, path: str) -> None:
    """Check that an error is in the form of the interface (RFC 6749 §5.2, RFC 9457), and tells of nothing inside."""
    assert 400 <= answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    if answer.headers["Content-Type"].startswith("text/html"):  # a page, where a person's browser is refused
        assert "script-src 'unsafe" not in answer.headers["Content-Security-Policy"]
        return
    assert "authserver" not in answer.text.lower()
    if path.startswith(("/api/", "/appetize/")) or answer.headers["Content-Type"] == "application/problem+json":
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["status"] == answer.status_code
        assert {"type", "title", "detail"} <= answer.json.keys()
    else:
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json) == {"error", "error_description"}
        assert answer.json["error_description"].isascii()
