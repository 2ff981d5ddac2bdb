"""The status page behind `interaction_uri`: it tells nothing that its reader may not know, and decides nothing."""

from flask import Blueprint, Response, render_template

_CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def create_blueprint() -> Blueprint:
    """Return the page's blueprint."""
    blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static")

    @blueprint.get("/interactions/<impersonation_id>")
    def interaction(impersonation_id: str) -> Response:
        """Say that a request waits; the same words for every identifier, for nobody has signed in."""
        del impersonation_id
        response = Response(render_template("interaction.html"))
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint
