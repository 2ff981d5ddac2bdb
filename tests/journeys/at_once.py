"""What the tests of races share: many threads at one barrier, more people, and the proof that the trail is whole."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from joserfc import jwt
from joserfc.jwk import ECKey

from authserver.audit import proof
from authserver.audit.proof import Report
from authserver.cli import demo_cast
from authserver.protocol.names import CLIENT_ASSERTION_JWT, GRANT_CLIENT_CREDENTIALS, Role
from authserver.storage import clients, people, trail
from authserver.storage.database import db
from authserver.storage.tables import Client
from tests.world import API, ISSUER, Answer, World

Result = TypeVar("Result")


def at_once(world: World, *calls: Callable[[World], Result]) -> list[Result]:
    """Make every call in a thread of its own, with an HTTP client of its own, all from one barrier."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[World], Result]) -> Result:
        own = replace(world)
        barrier.wait()
        return call(own)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def statuses(answers: Sequence[Answer]) -> list[int]:
    """Return the statuses, sorted; none may be the server's own failure."""
    found = sorted(answer.status_code for answer in answers)
    assert found[-1] < 500, [answer.text for answer in answers if answer.status_code >= 500]
    return found


def add_person(world: World, name: str, role: Role, **columns: Any) -> str:
    """Add one more person to the cast, signed in; customers have a standing consent. Return their name."""
    member = demo_cast._Member(name, name.title(), role, standing_consent=role is Role.CUSTOMER)
    with world.work() as work:
        work.lock()
        demo_cast._seed_member(world.wired, work, member)
        for column, value in columns.items():
            user = people.by_username(work.session, f"{name}@example.com")
            setattr(user, column, value)
    with world.app.app_context():
        world.credentials["users"][name] = demo_cast._sign_in(world.wired, member, "")
    return name


def assertion_form(world: World, client_id: str) -> Callable[[str], dict[str, str]]:
    """Register a client with a key of its own; return what makes a token request with an assertion of some `jti`."""
    key = ECKey.generate_key("P-256")
    with world.work() as work:
        work.lock()
        row = Client(
            client_id=client_id,
            name=client_id,
            auth_method="private_key_jwt",
            jwks={"keys": [key.as_dict(private=False)]},
            grant_types=[GRANT_CLIENT_CREDENTIALS],
            ways=[],
            scopes=["accounts:read"],
            default_resources=[API],
            accepts_tokens_of=[],
            created_at=world.clock.now(),
        )
        clients.add(work.session, row)

    def form(jti: str) -> dict[str, str]:
        said = {"iss": client_id, "sub": client_id, "aud": ISSUER, "exp": world.clock.now() + 60, "jti": jti}
        return {
            "grant_type": GRANT_CLIENT_CREDENTIALS,
            "client_assertion_type": CLIENT_ASSERTION_JWT,
            "client_assertion": jwt.encode({"alg": "ES256"}, said, key),
        }

    return form


def prove(world: World) -> Report:
    """Verify the whole trail as `authserver audit verify` does."""
    with world.app.app_context():
        session = db.session()
        return proof.verify(session, world.wired.keyring.head_verifier(session), trail.audit_keys(session))
