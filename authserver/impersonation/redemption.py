"""A support code becomes the consent of the impersonation that it opens (design section 3, way F)."""

from authserver.audit.chain import Trail
from authserver.audit.events.governance import SupportCodeRedeemed
from authserver.impersonation.asks import Plan, PresentedCode
from authserver.storage import impersonations, support_codes
from authserver.storage.database import Work
from authserver.storage.tables import Consent


def redeem(work: Work, trail: Trail, plan: Plan, presented: PresentedCode, *, basis: str) -> bool:
    """Use a code up in the transaction that starts the impersonation; False when another call was first.

    The consent is bound to the digest. It was given when the code was made, in the session that made it.
    """
    record = plan.record
    code = support_codes.use(work.session, presented.id, impersonation_id=record.id, now=plan.now)
    if code is None:
        return False
    consent = Consent(
        id=presented.consent_id,
        kind="support_code",
        subject_id=code.user_id,
        impersonation_id=record.id,
        digest=record.digest,
        decision="approve",
        session_id=code.session_id,
        given_at=code.created_at,
        way="support_code",
        basis=basis,
        words_version=code.words_version,
        words_language=code.words_language,
        words_hash=code.words_hash,
    )
    impersonations.add_consent(work.session, consent)
    event = SupportCodeRedeemed(
        impersonation_id=record.id,
        code_id=code.id,
        consent_id=consent.id,
        subject=code.user_id,
        session_id=code.session_id,
        actor=record.actor_id,
        client_id=record.client_id,
        digest=record.digest,
        words_version=code.words_version,
        words_language=code.words_language,
        words_hash=code.words_hash,
        words_shown=code.words_shown,
    )
    trail.record(work, event)
    return True
