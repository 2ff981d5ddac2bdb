"""What changes of impersonations while somebody watches them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Approval, BreakGlassReport, Consent, Impersonation

Marks = tuple[int | str | None, ...]
"""What is there of an impersonation that can change; equal marks show the same."""


def marks(session: DbSession, impersonation_ids: Collection[str]) -> dict[str, Marks]:
    """Return the marks of impersonations by id, all in one query; an unknown one has none."""
    query = (
        select(
            Impersonation.id,
            Impersonation.state,
            Impersonation.lifetime,
            Impersonation.pending_until,
            Impersonation.expires_at,
            Impersonation.grace_until,
            Impersonation.notice,
            Impersonation.notice_withheld_until,
            Impersonation.extension_lifetime,
            Impersonation.extension_until,
            Approval.decision,
            Approval.decided_at,
            Approval.withdrawn_at,
            Consent.decision,
            Consent.given_at,
            Consent.withdrawn_at,
            BreakGlassReport.filed_at,
        )
        .outerjoin(Approval, Approval.impersonation_id == Impersonation.id)
        .outerjoin(Consent, Consent.impersonation_id == Impersonation.id)
        .outerjoin(BreakGlassReport, BreakGlassReport.impersonation_id == Impersonation.id)
        .where(Impersonation.id.in_(impersonation_ids))
    )
    return {row[0]: tuple(row[1:]) for row in session.execute(query)}
