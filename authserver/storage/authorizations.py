"""Authorization codes, refresh tokens, and what people have allowed third-party clients."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select, update

from authserver.storage import DbSession, devices
from authserver.storage.dialect import insert_for
from authserver.storage.tables import AuthorizationCode, Client, ClientGrant, RefreshToken, Token


def add_code(session: DbSession, row: AuthorizationCode) -> None:
    """Store an authorization code's hash and all that it is bound to."""
    session.add(row)
    session.flush()


def find_code(session: DbSession, code_hash: str) -> AuthorizationCode | None:
    """Return a code, used or not."""
    query = select(AuthorizationCode).where(AuthorizationCode.code_hash == code_hash)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def use_code(session: DbSession, code_hash: str, *, now: int) -> bool:
    """Use a code up; False when it was used before or has expired."""
    statement = (
        update(AuthorizationCode)
        .where(
            AuthorizationCode.code_hash == code_hash,
            AuthorizationCode.used_at.is_(None),
            AuthorizationCode.expires_at > now,
        )
        .values(used_at=now)
        .returning(AuthorizationCode.code_hash)
    )
    return session.execute(statement).one_or_none() is not None


def add_refresh_token(session: DbSession, row: RefreshToken) -> None:
    """Store a refresh token's hash and all that it is bound to."""
    session.add(row)
    session.flush()


def find_refresh_token(session: DbSession, token_hash: str) -> RefreshToken | None:
    """Return a refresh token, used or not."""
    query = select(RefreshToken).where(RefreshToken.token_hash == token_hash)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def use_refresh_token(session: DbSession, token_hash: str, *, now: int) -> bool:
    """Use a refresh token up; False when it was used before, revoked, or has expired."""
    statement = (
        update(RefreshToken)
        .where(
            RefreshToken.token_hash == token_hash,
            RefreshToken.used_at.is_(None),
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > now,
        )
        .values(used_at=now)
        .returning(RefreshToken.token_hash)
    )
    return session.execute(statement).one_or_none() is not None


def end_family(session: DbSession, family_id: str, *, now: int) -> None:
    """Revoke every refresh token and every token that came of one authorization.

    Who uses a refresh token at this moment holds its row, and adds the next one, which a statement that waited for the
    row does not see: so it is said again until none is left.
    """
    refresh = update(RefreshToken).where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
    while session.scalars(refresh.values(revoked_at=now).returning(RefreshToken.token_hash)).all():
        pass
    issued = update(Token).where(Token.family_id == family_id, Token.revoked_at.is_(None))
    session.execute(issued.values(revoked_at=now))


def granted(session: DbSession, user_id: str, client_id: str) -> frozenset[str]:
    """Return the scopes that a person has allowed a client."""
    row = session.get(ClientGrant, (user_id, client_id), populate_existing=True)
    return frozenset() if row is None else frozenset(row.scopes)


def grant(session: DbSession, user_id: str, client_id: str, scopes: Iterable[str], *, now: int) -> None:
    """Allow a client these scopes besides those it has."""
    every = sorted({*granted(session, user_id, client_id), *scopes})
    values: dict[str, Any] = {"user_id": user_id, "client_id": client_id, "scopes": every, "granted_at": now}
    statement = insert_for(session, ClientGrant).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", "client_id"], set_={"scopes": every, "granted_at": now}
        )
    )


def clients_of(session: DbSession, user_id: str) -> list[tuple[str, str]]:
    """Return the clients that a person has allowed something, as id and name."""
    query = select(Client.client_id, Client.name).join(ClientGrant, ClientGrant.client_id == Client.client_id)
    rows = session.execute(query.where(ClientGrant.user_id == user_id).order_by(Client.name)).all()
    return [(row.client_id, row.name) for row in rows]


def end_of_client(session: DbSession, client_id: str, *, now: int, user_id: str | None = None) -> None:
    """Use up every code of a client and revoke its refresh tokens: of one person, or of everybody."""
    devices.end_of_client(session, client_id, now=now, user_id=user_id)
    codes = update(AuthorizationCode).where(AuthorizationCode.client_id == client_id)
    refresh = update(RefreshToken).where(RefreshToken.client_id == client_id)
    if user_id is not None:
        codes = codes.where(AuthorizationCode.user_id == user_id)
        refresh = refresh.where(RefreshToken.user_id == user_id)
    session.execute(codes.where(AuthorizationCode.used_at.is_(None)).values(used_at=now))
    session.execute(refresh.where(RefreshToken.revoked_at.is_(None)).values(revoked_at=now))


def end_families(session: DbSession, user_id: str, client_id: str, *, now: int) -> None:
    """Revoke every token of a person that a client got by their authorization."""
    end_of_client(session, client_id, now=now, user_id=user_id)
    issued = update(Token).where(Token.user_id == user_id, Token.client_id == client_id, Token.family_id.is_not(None))
    session.execute(issued.where(Token.revoked_at.is_(None)).values(revoked_at=now))


def withdraw(session: DbSession, user_id: str, client_id: str) -> bool:
    """Take back what a person has allowed a client."""
    statement = delete(ClientGrant).where(ClientGrant.user_id == user_id, ClientGrant.client_id == client_id)
    return session.execute(statement.returning(ClientGrant.client_id)).one_or_none() is not None


def withdraw_all(session: DbSession, client_id: str) -> None:
    """Take back what anybody has allowed a client."""
    session.execute(delete(ClientGrant).where(ClientGrant.client_id == client_id))


def forget(session: DbSession, *, before: int) -> None:
    """Drop codes and refresh tokens that expired before an instant."""
    session.execute(delete(AuthorizationCode).where(AuthorizationCode.expires_at < before))
    session.execute(delete(RefreshToken).where(RefreshToken.expires_at < before))
