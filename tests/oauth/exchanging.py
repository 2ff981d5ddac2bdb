"""What the tests of token exchange share: minting tokens that the cast has not, and reading refusals."""

import json
from collections.abc import Callable
from typing import Any

from authserver.storage import clients, people, tokens
from authserver.storage.tables import Base, Resource, Session, User
from authserver.tokens.issuer import Draft, Issuer, Minted
from tests.world import API, ISSUER, Answer, World, claims, error

URN = "urn:ietf:params:oauth:token-type:"
AT, ID, JWT = f"{URN}access_token", f"{URN}id_token", f"{URN}jwt"
EVERY_SCOPE = ["accounts:read", "cards:write", "contacts:write", "payments:read", "drafts:write", "payments:execute"]


def refused(world: World, answer: Answer, error_code: str, reason: str) -> dict[str, Any]:
    """Check a refusal's answer and the durable event that it left, with its private reason and no token in it."""
    assert (error(answer), answer.status_code) == (error_code, 400), answer.text
    event = world.events("request:refused")[-1]
    assert (event["error"], event["reason"], event["endpoint"]) == (error_code, reason, "oauth.token")
    assert event["client_id"] is not None
    assert "access_token" not in answer.json
    for text in (json.dumps(event), answer.text):
        assert "eyJ" not in text
    return event


def of_way(world: World, way: str) -> Callable[..., Answer]:
    """Return the call that goes one way, as it succeeds."""
    if way == "A":
        return world.way_a
    if way == "B":
        return world.way_b
    if way == "D":
        return world.way_d
    handle = str(world.way_a().json["impersonation"])
    return lambda **form: world.way_c(handle, **form)


def waits(world: World, answer: Answer, error_code: str) -> dict[str, Any]:
    """Check an answer that only asks to wait; it is no refusal, and leaves none in the trail."""
    assert (error(answer), answer.status_code) == (error_code, 400), answer.text
    assert error_code not in {event["error"] for event in world.events("request:refused")}
    assert "access_token" not in answer.json
    return answer.json


def given(answer: Answer) -> dict[str, Any]:
    """Return the claims of the token that an exchange gave."""
    assert answer.status_code == 200, answer.text
    return claims(str(answer.json["access_token"]))


def session_of(world: World, name: str) -> str:
    """Return the id of the session behind the tokens of one of the cast."""
    with world.work() as work:
        state = tokens.state(work.session, claims(world.token(name))["jti"])
        assert state is not None
        assert state.session is not None
        return state.session.id


def change_session(world: World, name: str, **values: Any) -> None:
    session_id = session_of(world, name)
    with world.work() as work:
        work.lock()
        row = work.session.get(Session, session_id)
        for column, value in values.items():
            setattr(row, column, value)


def change_client(world: World, client_id: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        assert clients.change(work.session, client_id, **values)


def change_user(world: World, name: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        assert people.change(work.session, world.id(name), **values)


def change_resource(world: World, uri: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        row = work.session.get(Resource, uri)
        for column, value in values.items():
            setattr(row, column, value)


def mint(world: World, name: str = "agent", *, issuer: Issuer | None = None, **values: Any) -> str:
    """Mint a token of one of the cast, registered and with a real session; `values` override the draft's."""
    minted = sign(world, name, issuer=issuer, **values)
    with world.work() as work:
        work.lock()
        world.wired.issuer.register(work, minted)
        return minted.token


def sign(world: World, name: str = "agent", *, issuer: Issuer | None = None, **values: Any) -> Minted:
    """Sign a token that is not registered."""
    own: dict[str, Any] = {
        "way": "test",
        "client_id": "backend",
        "user_id": world.id(name),
        "sub": world.id(name),
        "audience": (ISSUER, API),
        "scope": tuple(claims(world.token(name))["scope"].split()),
        "expires_at": world.clock.now() + 3600,
        "session_id": session_of(world, name),
    }
    with world.work() as work:
        return (issuer or world.wired.issuer).sign(work.session, Draft(**{**own, **values}))


def let_other_backend_exchange(world: World, **values: Any) -> None:
    """Register `other-backend` for every way, with every scope."""
    change_client(
        world,
        "other-backend",
        **{
            "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
            "ways": ["A", "B", "C", "D"],
            "scopes": EVERY_SCOPE,
            "presents_id_tokens": True,
            **values,
        },
    )


def sign_in(world: World, name: str, session_id: str, **values: Any) -> str:
    """Open one more session of one of the cast; return its id."""
    now = world.clock.now()
    with world.work() as work:
        work.lock()
        user = work.session.get(User, world.id(name))
        assert user is not None
        own = {
            "id": session_id,
            "user_id": user.id,
            "acr": "urn:authserver:acr:mfa",
            "amr": ["pwd", "otp", "mfa"],
            "auth_time": now,
            "address": "127.0.0.1",
            "created_at": now,
            "expires_at": now + 12 * 3600,
        }
        people.add_session(work.session, Session(**{**own, **values}))
    return session_id


def everything_stored(world: World) -> str:
    """Return every value of every table as one text."""
    with world.work() as work:
        rows = [work.session.execute(table.select()).all() for table in Base.metadata.sorted_tables]
        return json.dumps([[list(map(str, row)) for row in table] for table in rows])
