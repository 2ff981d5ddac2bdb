"""Every page, in one place."""

from flask import Blueprint, Response

from authserver.appetize.apps import AppOrigins
from authserver.impersonation.consent_words import one_line
from authserver.impersonation.reasons import chosen
from authserver.pages.account import add_account
from authserver.pages.assets import add_assets
from authserver.pages.backchannel import backchannel_logout
from authserver.pages.bearers import refuse_bearers
from authserver.pages.customer import add_customer
from authserver.pages.device import add_device
from authserver.pages.impersonations import add_impersonations
from authserver.pages.interactions import add_interactions
from authserver.pages.live import add_live
from authserver.pages.moments import moment
from authserver.pages.notice import add_notice
from authserver.pages.parts import PageParts
from authserver.pages.passkeys import add_passkeys
from authserver.pages.permissions import add_permissions
from authserver.pages.session_token import add_session_token
from authserver.pages.sign_in import add_sign_in
from authserver.pages.support_codes import add_support_codes
from authserver.pages.upstream import add_upstream


def create_blueprint(parts: PageParts) -> Blueprint:
    """Return the pages' blueprint."""
    blueprint = Blueprint("pages", __name__, template_folder="templates")
    blueprint.add_app_template_filter(moment)
    blueprint.add_app_template_filter(one_line)
    blueprint.add_app_template_filter(chosen, "chosen_reason")
    refuse_bearers(blueprint, parts)
    add_assets(blueprint, AppOrigins(parts.appetize.apps))
    add_sign_in(blueprint, parts)
    add_account(blueprint, parts)
    add_customer(blueprint, parts)
    add_permissions(blueprint, parts)
    add_live(blueprint, parts)
    add_impersonations(blueprint, parts)
    add_interactions(blueprint, parts)
    add_passkeys(blueprint, parts)
    add_upstream(blueprint, parts)
    add_device(blueprint, parts)
    add_session_token(blueprint, parts)
    add_support_codes(blueprint, parts)
    add_notice(blueprint, parts)

    @blueprint.post("/federation/backchannel-logout", endpoint="backchannel_logout")
    def logout_told() -> Response:
        return backchannel_logout(parts)

    return blueprint
