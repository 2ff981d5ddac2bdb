"""The session configuration of Appetize's JavaScript SDK."""

from typing import Any

from authserver.appetize.look import Look
from authserver.settings_appetize import App


def session_configuration(app: App, build_id: str, look: Look, value: str | None) -> dict[str, Any]:
    """Return what `getClient(selector, config)` takes; the value is a launch parameter, or comes later by deep link.

    `record` and `debug` are off, and `proxy` absent, unless the app opts in. What the app sets goes before how the
    customer's own device looks.
    """
    return {
        "buildId": build_id,
        "platform": app.platform,
        "record": app.record,
        "debug": app.debug,
        "params": {} if value is None else {app.param: value},
        **look.options(app.platform),
        **app.options,
    }
