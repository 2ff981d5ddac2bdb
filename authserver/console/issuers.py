"""The trusted issuers, and how fetching their documents goes."""

from flask import Blueprint, Response

from authserver.console.calls import call, page

_STATES = {
    "none": ("", "Not fetched yet"),
    "fresh": ("good", "Fresh"),
    "stale": ("warn", "Old, and still used"),
    "expired": ("bad", "Too old to be used"),
}
_PROVISION = {
    "never": "Only people who are linked to it already can come from it.",
    "link_verified_email": "Whoever comes is linked to the person here who has the same verified e-mail address.",
    "create": "Whoever comes for the first time is created here.",
}


def add_issuers(blueprint: Blueprint) -> None:
    """Add the page."""

    @blueprint.get("/issuers")
    def issuers() -> Response:
        found = call().get("/api/v1/issuers")["items"]
        return page("issuers.html", issuers=found, states=_STATES, provision=_PROVISION)
