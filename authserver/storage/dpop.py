"""Proofs of possession, each used once on all nodes (RFC 9449 §11.1)."""

from sqlalchemy import delete
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import DpopProof


def use(session: DbSession, proof_hash: str, *, expires_at: int) -> bool:
    """Use a proof up; False when it was used before."""
    return insert_ignoring(session, DpopProof, {"proof_hash": proof_hash, "expires_at": expires_at})


def forget(session: DbSession, *, before: int) -> None:
    """Drop the marks of proofs that have become too old by themselves."""
    session.execute(delete(DpopProof).where(DpopProof.expires_at < before))
