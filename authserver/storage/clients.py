"""Clients, their secrets and their used assertions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import Client, ClientAssertion, ClientSecret


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client as registered; frozen, so that it outlives the transaction that read it."""

    client_id: str
    name: str
    auth_method: str
    jwks: dict[str, Any] | None
    grant_types: frozenset[str]
    ways: frozenset[str]
    scopes: frozenset[str]
    default_resources: tuple[str, ...]
    accepts_tokens_of: frozenset[str]
    presents_id_tokens: bool
    receives_id_tokens: bool
    id_token_alg: str
    enabled: bool
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    first_party: bool


def find(session: DbSession, client_id: str, *, hold: bool = False) -> RegisteredClient | None:
    """Return the client or None; `hold` keeps others from changing it until the commit."""
    query = select(Client).where(Client.client_id == client_id).execution_options(populate_existing=True)
    row = session.scalars(query.with_for_update(read=True) if hold else query).one_or_none()
    return None if row is None else _registered(row)


def hold(session: DbSession, client_id: str) -> RegisteredClient | None:
    """Return the client, and keep everybody else from changing it or its secrets until the commit."""
    query = select(Client).where(Client.client_id == client_id).execution_options(populate_existing=True)
    row = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    return None if row is None else _registered(row)


def _registered(row: Client) -> RegisteredClient:
    return RegisteredClient(
        client_id=row.client_id,
        name=row.name,
        auth_method=row.auth_method,
        jwks=row.jwks,
        grant_types=frozenset(row.grant_types),
        ways=frozenset(row.ways),
        scopes=frozenset(row.scopes),
        default_resources=tuple(row.default_resources),
        accepts_tokens_of=frozenset(row.accepts_tokens_of),
        presents_id_tokens=row.presents_id_tokens,
        receives_id_tokens=row.receives_id_tokens,
        id_token_alg=row.id_token_alg,
        enabled=row.enabled,
        redirect_uris=tuple(row.redirect_uris),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
        first_party=row.first_party,
    )


def listing(session: DbSession) -> Sequence[Client]:
    """Return all clients by id."""
    return session.scalars(select(Client).order_by(Client.client_id)).all()


def registered(session: DbSession) -> list[RegisteredClient]:
    """Return all clients by id, as registered."""
    return [_registered(row) for row in listing(session)]


def add(session: DbSession, row: Client) -> None:
    """Register a client; a second one of that id violates the key."""
    session.add(row)
    session.flush()


def add_new(session: DbSession, values: Mapping[str, Any]) -> bool:
    """Register a client; False where there is one of that id already."""
    return insert_ignoring(session, Client, values)


def set_enabled(session: DbSession, client_id: str, *, enabled: bool) -> bool:
    """Enable or disable a client; tell whether that changed anything."""
    statement = update(Client).where(Client.client_id == client_id, Client.enabled != enabled).values(enabled=enabled)
    return session.execute(statement.returning(Client.client_id)).one_or_none() is not None


def change(session: DbSession, client_id: str, **values: Any) -> bool:  # noqa: ANN401 - columns of Client
    """Set columns of a client; tell whether there is such a client."""
    statement = update(Client).where(Client.client_id == client_id).values(**values).returning(Client.client_id)
    return session.execute(statement).one_or_none() is not None


def add_secret(session: DbSession, client_id: str, secret_hash: str, *, now: int) -> None:
    """Store a new secret's hash beside those that live."""
    session.add(ClientSecret(secret_hash=secret_hash, client_id=client_id, created_at=now))
    session.flush()


def secret_lives(session: DbSession, client_id: str, secret_hash: str, *, now: int) -> bool:
    """Tell whether this is a live secret of this client."""
    row = session.get(ClientSecret, secret_hash)
    return (
        row is not None
        and row.client_id == client_id
        and row.revoked_at is None
        and (row.expires_at is None or now < row.expires_at)
    )


def has_secret(session: DbSession, client_id: str, *, now: int) -> bool:
    """Tell whether any secret of a client lives."""
    living = ClientSecret.revoked_at.is_(None) & (ClientSecret.expires_at.is_(None) | (ClientSecret.expires_at > now))
    query = select(ClientSecret.secret_hash).where(ClientSecret.client_id == client_id, living).limit(1)
    return session.scalar(query) is not None


def living_secrets(session: DbSession, client_id: str, *, now: int) -> list[tuple[int, int | None]]:
    """Return when each secret that lives was made, and when it runs out; never the secret, which nobody knows."""
    living = ClientSecret.revoked_at.is_(None) & (ClientSecret.expires_at.is_(None) | (ClientSecret.expires_at > now))
    query = select(ClientSecret.created_at, ClientSecret.expires_at).where(ClientSecret.client_id == client_id, living)
    return [(row.created_at, row.expires_at) for row in session.execute(query.order_by(ClientSecret.created_at)).all()]


def expire_secrets(session: DbSession, client_id: str, *, at: int, but: str) -> None:
    """Let every live secret but one run out at `at`."""
    session.execute(
        update(ClientSecret)
        .where(
            ClientSecret.client_id == client_id,
            ClientSecret.secret_hash != but,
            (ClientSecret.expires_at.is_(None)) | (ClientSecret.expires_at > at),
        )
        .values(expires_at=at)
    )


def use_assertion(session: DbSession, client_id: str, jti_hash: str, *, expires_at: int) -> bool:
    """Consume a client assertion's `jti`; False when it was used before (RFC 7523 §3)."""
    values = {"client_id": client_id, "jti_hash": jti_hash, "expires_at": expires_at}
    return insert_ignoring(session, ClientAssertion, values)


def forget_assertions(session: DbSession, *, before: int) -> None:
    """Drop the marks of assertions that have expired by themselves."""
    session.execute(delete(ClientAssertion).where(ClientAssertion.expires_at < before))
