"""Proofs of possession that were used (RFC 9449 §11.1)."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


class DpopProof(Base):
    """A proof that was used: its key and its `jti`, hashed together, until it is too old by itself."""

    __tablename__ = "dpop_proofs"
    proof_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[int] = mapped_column(index=True)
