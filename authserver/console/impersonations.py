"""The impersonations that one may see: their list, and each on a page of its own."""

from flask import Blueprint, Response, url_for

from authserver.console.answers import go
from authserver.console.calls import call, page


def add_impersonations(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/impersonations/<impersonation_id>")
    def impersonation(impersonation_id: str) -> Response:
        return page("impersonation.html", it=call().get(f"/api/v1/impersonations/{impersonation_id}"))

    @blueprint.post("/impersonations/<impersonation_id>/end")
    def end(impersonation_id: str) -> Response:
        here = call()
        ended = here.post(f"/api/v1/impersonations/{impersonation_id}/end")
        here.tell(f"Ended. Nobody acts as {ended['subject']['name']} any more.")
        return go(url_for("console.impersonation", impersonation_id=impersonation_id))
