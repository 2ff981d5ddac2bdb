"""How the server is: each thing that was looked at, in a sentence; what is wrong comes first."""

from collections.abc import Mapping

from flask import Blueprint, Response
from markupsafe import Markup

from authserver.console.calls import Json, call, page
from authserver.console.moments import duration, instant

_ORDER = ("fail", "warn", "ok")
_LOOKS = {"ok": ("good", "OK"), "warn": ("warn", "Look at this"), "fail": ("bad", "Broken")}
_HEADLINES = {
    "ok": ("good", "All is well."),
    "warn": ("warn", "It works, and something wants a look."),
    "fail": ("bad", "Something is broken."),
}
_NAMES = {
    "database": "Database",
    "jobs": "Jobs",
    "outbox": "Messages",
    "keys": "Keys",
    "policy": "Policy",
    "heads": "Sealing of the trail",
    "disk": "Disk",
    "issuers": "Trusted issuers",
}
_PAGES = {"keys": "keys", "policy": "policy", "issuers": "issuers"}
_GIB = 2**30


def add_health(blueprint: Blueprint) -> None:
    """Add the page."""

    @blueprint.get("/health")
    def health() -> Response:
        found = call().get("/api/v1/health")
        checks = sorted(found["checks"], key=lambda check: _ORDER.index(check["status"]))
        return page(
            "health.html",
            at=found["at"],
            headline=_HEADLINES[found["status"]],
            checks=[_check(check) for check in checks],
            looks=_LOOKS,
        )


def _check(check: Json) -> Json:
    details = [(name.replace("_", " "), _plain(name, value)) for name, value in check["details"].items()]
    return {
        "name": _NAMES.get(check["name"], check["name"]),
        "status": check["status"],
        "words": check["words"],
        "endpoint": _PAGES.get(check["name"]),
        "details": [(name, value) for name, value in details if value != ""],
    }


def _plain(name: str, value: Json) -> str | Markup:  # noqa: PLR0911 - one for each kind
    """Return a detail as people read it; empty where there is nothing to say."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{each} {found}" for each, found in value.items())
        case list():
            return ", ".join(map(str, value))
        case str() if name.endswith("_at"):
            return instant(value) or value
        case int() if name.endswith("_seconds"):
            return duration(value)
        case int() if name.endswith("_bytes"):
            return f"{value / _GIB:.1f} GiB"
    return "" if value is None else str(value)
