"""The session configuration of Appetize's JavaScript SDK."""

from typing import Any

from authserver.settings import App


def session_configuration(app: App, token: str, build: str | None = None) -> dict[str, Any]:
    """Return what `getClient(selector, config)` takes, the token as a launch parameter (never in a URL).

    `record` and `debug` are off, and `proxy` absent, unless the app opts in.
    """
    configuration: dict[str, Any] = {
        "buildId": build or app.build_id,
        "platform": app.platform,
        "record": app.record,
        "debug": app.debug,
        "params": {app.param: token},
    }
    if app.device is not None:
        configuration["device"] = app.device
    if app.proxy is not None:
        configuration["proxy"] = app.proxy
    return configuration
