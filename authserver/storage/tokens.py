"""Issued tokens: the rows that make them alive or dead."""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.tables import Client, Impersonation, Token, User
from authserver.storage.tables import Session as SessionRow


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token's row with all that its life hangs on."""

    token: Token
    client_enabled: bool
    user: User | None
    session: SessionRow | None
    impersonation: Impersonation | None


def add(session: DbSession, row: Token) -> None:
    """Register a token before it leaves."""
    session.add(row)
    session.flush()


def state(session: DbSession, jti: str) -> TokenState | None:
    """Return a token's state as the database has it now, in one query."""
    query = (
        select(Token, Client.enabled, User, SessionRow, Impersonation)
        .join(Client, Client.client_id == Token.client_id)
        .outerjoin(User, User.id == Token.user_id)
        .outerjoin(SessionRow, SessionRow.id == Token.session_id)
        .outerjoin(Impersonation, Impersonation.id == Token.impersonation_id)
        .where(Token.jti == jti)
        .execution_options(populate_existing=True)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else TokenState(*row)


def revoke(session: DbSession, jti: str, *, now: int) -> bool:
    """Revoke a token; tell whether it was this call that did."""
    statement = update(Token).where(Token.jti == jti, Token.revoked_at.is_(None)).values(revoked_at=now)
    return session.execute(statement.returning(Token.jti)).one_or_none() is not None


def revoke_of_client(session: DbSession, client_id: str, *, now: int) -> None:
    """Revoke every token that was issued to a client and still lives."""
    living = (Token.client_id == client_id) & Token.revoked_at.is_(None) & (Token.expires_at > now)
    session.execute(update(Token).where(living).values(revoked_at=now))


def forget(session: DbSession, *, before: int) -> None:
    """Drop the rows of tokens that expired before an instant: they are dead by their own `exp`."""
    session.execute(delete(Token).where(Token.expires_at < before))
