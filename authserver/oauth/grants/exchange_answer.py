"""What the ways of token exchange share: `may_act`, and the body of the answer."""

from typing import Any

from authserver.oauth.exchange_request import ExchangeRequest
from authserver.protocol.actors import Actor, MayAct
from authserver.protocol.names import TYPE_ID_TOKEN
from authserver.protocol.refusals import AccessDenied
from authserver.protocol.scopes import join_scope
from authserver.tokens.issuer import Minted


def check_may_act(may_act: MayAct | None, actor: Actor) -> None:
    """Hold a `may_act` claim against who acts, by `iss` and `sub` (RFC 8693 §4.4)."""
    if may_act is not None and not may_act.names(actor):
        raise AccessDenied("may_act.names_another")


def answer(exchange: ExchangeRequest, minted: Minted) -> dict[str, Any]:
    """Return the members of RFC 8693 §2.2.1."""
    body: dict[str, Any] = {
        "access_token": minted.token,
        "issued_token_type": exchange.requested_token_type,
        "token_type": "N_A" if exchange.requested_token_type == TYPE_ID_TOKEN else "Bearer",
        "expires_in": minted.expires_in,
    }
    if exchange.requested_token_type != TYPE_ID_TOKEN:
        body["scope"] = join_scope(minted.draft.scope)
    return body
