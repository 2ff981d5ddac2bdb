"""`/appetize/redeem` and `/appetize/renew`: what an app in a device gets, by a one-time code and by its token."""

from collections.abc import Sequence
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.schemas import problems
from authserver.api.schemas_appetize import RedeemBody, RenewBody, ResourceTokenOut, TokensOut
from authserver.protocol.access import Relation
from authserver.protocol.scopes import join_scope
from authserver.storage import impersonations
from authserver.storage.impersonations import Record
from authserver.tokens.issuer import Minted

Answer = tuple[dict[str, Any], int]


def add_redemption(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.post("/redeem", responses={200: TokensOut, **problems(404, 429, 503)}, security=[{}])
    def redeem(body: RedeemBody) -> Answer:
        """Redeem a one-time code, once: whoever holds it, with a `DPoP` proof (RFC 9449 §4) where the app wants one."""
        present = call()
        codes, trace = present.parts.appetize.codes, present.trace
        stored = codes.presented(present.work, body.code, trace.address)
        record = impersonations.find(present.work.session, stored.impersonation_id)
        trace.impersonation_id = stored.impersonation_id
        trace.client_id = None if record is None else record.client_id
        jkt = present.parts.possession.of_sender(present.work, codes.dpop(present.work, stored))
        return _shown(*codes.redeem(present.work, stored, body.code, trace.address, jkt=jkt)), 200

    @blueprint.post("/renew", responses={200: TokensOut, **problems(404, 503)})
    def renew(body: RenewBody) -> Answer:
        """Get fresh tokens by an impersonation's own token, while the impersonation lasts."""
        present = call()
        token = present.caller.token
        present.caller.demand(present.trace.endpoint, frozenset({Relation.ITSELF}))
        named = None if body.resource is None else tuple(body.resource)
        return _shown(*present.parts.appetize.renewal.renew(present.work, token, named)), 200


def _shown(record: Record, minted: Sequence[Minted]) -> dict[str, Any]:
    each = [
        ResourceTokenOut(
            resource=one.draft.audience[0],
            access_token=one.token,
            expires_in=one.expires_in,
            scope=join_scope(one.draft.scope),
        )
        for one in minted
    ]
    shown = TokensOut(
        access_token=each[0].access_token,
        token_type="Bearer" if minted[0].draft.jkt is None else "DPoP",
        expires_in=each[0].expires_in,
        scope=each[0].scope,
        impersonation_id=record.id,
        tokens=each if len(each) > 1 else None,
    )
    dumped: dict[str, Any] = shown.model_dump(mode="json", exclude_none=True)
    return dumped
