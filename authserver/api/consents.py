"""`/api/v1/consents`: the customer's own consents, and standing ones given and taken back."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import call
from authserver.api.decisions import decider
from authserver.api.schemas import ConsentOut, ConsentsOut, IdPath, StandingConsentBody, WordsOut, problems
from authserver.api.shapes import instant, moment
from authserver.impersonation import consent_words
from authserver.storage import impersonations
from authserver.storage.tables import Consent

Answer = tuple[dict[str, Any], int]
_LIMIT = 200


def add_consents(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/consents", responses={200: ConsentsOut})
    def list_consents() -> Answer:
        """List one's own consents, newest first: standing ones, and those given to one request."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        rows = impersonations.consents_of(present.work.session, present.caller.user_id, limit=_LIMIT)
        words = consent_words.of_standing()
        shown = WordsOut(
            words=list(words.sentences),
            words_version=words.version,
            words_language=words.language,
            words_hash=words.hash,
        )
        return ConsentsOut(items=[_shown(row) for row in rows], standing_words=shown).model_dump(mode="json"), 200

    @blueprint.post("/consents", responses={201: ConsentOut})
    def grant_consent(body: StandingConsentBody) -> Answer:
        """Give a standing consent, which lasts for `expires_in` seconds unless it is taken back."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        row = present.parts.standing.grant(
            present.work, decider(present), expires_in=body.expires_in, words_version=body.words_version
        )
        return _shown(row).model_dump(mode="json"), 201

    @blueprint.post("/consents/<string:id>/withdraw", responses={200: ConsentOut, **problems(404)})
    def withdraw_consent(path: IdPath) -> Answer:
        """Take a standing consent back; whatever is active because of it is revoked at once."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        row = present.parts.standing.withdraw(present.work, path.id, decider(present))
        return _shown(row).model_dump(mode="json"), 200


def _shown(row: Consent) -> ConsentOut:
    text: tuple[str, ...] = ()
    if row.words_version == consent_words.STANDING_VERSION:
        text = consent_words.of_standing().sentences
    return ConsentOut(
        id=row.id,
        kind=row.kind,
        impersonation=row.impersonation_id,
        decision=row.decision,
        way=row.way,
        basis=row.basis,
        words_version=row.words_version,
        words_language=row.words_language,
        words_hash=row.words_hash,
        words=list(text),
        given_at=moment(row.given_at),
        expires_at=instant(row.expires_at),
        withdrawn_at=instant(row.withdrawn_at),
    )
