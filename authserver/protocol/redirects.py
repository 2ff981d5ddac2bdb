"""Which redirect URIs are a client's own."""

import re
from collections.abc import Iterable

_LOOPBACK = re.compile(r"(?P<before>http://(?:127\.0\.0\.1|\[::1\]))(?::(?P<port>[0-9]{1,5}))?(?P<after>(?:[/?].*)?)")
_MAX_PORT = 65535


def redirect_uri_fits(given: str, registered: Iterable[str]) -> bool:
    """Compare exactly; only the port of a loopback address may differ (RFC 8252 §7.3, RFC 9700 §2.1)."""
    without = _without_port(given)
    return any(given == uri or (without is not None and without == _without_port(uri)) for uri in registered)


def _without_port(uri: str) -> tuple[str, ...] | None:
    """Cut the port out of a loopback URI and nothing else: what a parser would tidy up has to be equal too."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or (found["port"] and not 0 < int(found["port"]) <= _MAX_PORT):
        return None
    return found["before"], found["after"]
