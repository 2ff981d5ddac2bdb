"""Every page, in one place."""

from flask import Blueprint, Response, render_template

from authserver.pages.account import add_account
from authserver.pages.notice import add_notice
from authserver.pages.parts import PageParts
from authserver.pages.passkeys import add_passkeys
from authserver.pages.sign_in import add_sign_in
from authserver.pages.upstream import add_upstream
from authserver.web.pages import page


def create_blueprint(parts: PageParts) -> Blueprint:
    """Return the pages' blueprint."""
    blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static")
    add_sign_in(blueprint, parts)
    add_account(blueprint, parts)
    add_passkeys(blueprint, parts)
    add_upstream(blueprint, parts)
    add_notice(blueprint, parts)

    @blueprint.get("/interactions/<impersonation_id>")
    def interaction(impersonation_id: str) -> Response:
        """Say that a request waits; the same words for every identifier, for nobody has to sign in to read it."""
        del impersonation_id
        return page(render_template("interaction.html"))

    return blueprint
