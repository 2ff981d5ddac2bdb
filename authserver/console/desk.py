"""An agent's desk: home."""

from flask import Blueprint, Response

from authserver.console.calls import call, open_impersonations, page, part


def add_desk(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/")
    def home() -> Response:
        return page("home.html")

    @blueprint.get("/banner")
    def banner() -> Response:
        return part("banner.html", open=open_impersonations(call()))
