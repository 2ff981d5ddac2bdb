"""Asking again, under lock, what was asked at the start: for whatever moves a waiting impersonation on."""

from authserver.impersonation.asks import ActingPerson, Ask, ask_again
from authserver.protocol.refusals import AccessDenied
from authserver.protocol.tokens import Authentication
from authserver.storage import DbSession, clients, impersonations, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record


def hold(
    work: Work, record: Record, *, now: int, person: str | None = None, session_id: str | None = None
) -> Record | None:
    """Lock everyone in an impersonation, in the one order, and read it anew; None when it is gone.

    `person` and `session_id` are somebody else's, who decides on it.
    """
    work.lock()
    session = work.session
    people.hold(session, record.actor_id, record.subject_id, person or record.actor_id)
    for behind in sorted({record.actor_session_id, session_id or record.actor_session_id}):
        people.find_session(session, behind, hold=True)
    clients.find(session, record.client_id, hold=True)
    impersonations.standing_consent(session, record.subject_id, now=now, hold=True)
    return impersonations.find(session, record.id, hold=True)


def ask_as_started(session: DbSession, held: Record, *, now: int) -> Ask:
    """Ask again what was asked at the start.

    The age of the actor's sign-in counts as none: whether it is still fresh enough is asked when a token is minted.
    """
    behind = people.find_session(session, held.actor_session_id)
    client = clients.find(session, held.client_id)
    if behind is None or client is None:
        raise AccessDenied("actor.unknown")
    authentication = Authentication(behind.id, now, behind.acr, behind.address, behind.expires_at)
    actor = ActingPerson(user_id=held.actor_id, authentication=authentication)
    return ask_again(session, held, actor, client, way="", client_address=held.client_address)
