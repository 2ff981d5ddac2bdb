"""`/api/v1/issuers`: the trusted issuers, and how fetching their documents goes in this process."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.schemas_configuration import CacheOut, IssuerKeyOut, IssuerOut, IssuersOut, PresenterOut
from authserver.api.shapes import instant
from authserver.federation.cache import Kept
from authserver.federation.trusted import KnownIssuer


def add_issuers(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/issuers", responses={200: IssuersOut})
    def list_issuers() -> tuple[dict[str, Any], int]:
        """List trusted issuers, with what the answering process has of their documents; nothing is fetched for it."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        items = [_out(known) for known in present.parts.configuration.trusted.all()]
        return IssuersOut(items=items).model_dump(mode="json"), 200


def _out(known: KnownIssuer) -> IssuerOut:
    settings, published = known.settings, known.keys.peek()
    keys = () if published is None else published.keys
    return IssuerOut(
        name=known.name,
        issuer=settings.issuer,
        label=settings.label,
        population=settings.population,
        provision=settings.provision,
        sign_in=settings.client_id is not None,
        algorithms=list(settings.algorithms),
        audiences=list(settings.audiences),
        presenters=[PresenterOut(client_id=each.client, types=list(each.types)) for each in settings.presenters],
        discovery=_cache(known.metadata.kept()),
        jwks=_cache(known.keys.kept()),
        keys=[IssuerKeyOut(kid=key.kid, alg=key.alg, kind=" ".join(part for part in key.kind if part)) for key in keys],
    )


def _cache(kept: Kept) -> CacheOut:
    return CacheOut(
        state=kept.state,
        fetched_at=instant(kept.fetched_at),
        tried_at=instant(kept.tried_at),
        failure=kept.failure,
    )
