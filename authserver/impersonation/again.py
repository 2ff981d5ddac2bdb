"""Asking again, under lock, what was asked at the start: for whatever moves a waiting impersonation on."""

from authserver.impersonation.asks import ActingPerson, Ask, ask_again
from authserver.protocol.refusals import AccessDenied
from authserver.protocol.tokens import Authentication
from authserver.storage import clients, impersonations, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record


def hold(work: Work, record: Record, *, now: int) -> Record | None:
    """Lock everyone in an impersonation, in the one order, and read it anew; None when it is gone."""
    work.lock()
    session = work.session
    people.hold(session, record.actor_id, record.subject_id)
    people.find_session(session, record.actor_session_id, hold=True)
    clients.find(session, record.client_id, hold=True)
    impersonations.standing_consent(session, record.subject_id, now=now, hold=True)
    return impersonations.find(session, record.id, hold=True)


def ask_as_started(work: Work, held: Record, *, now: int) -> Ask:
    """Ask again what was asked at the start.

    The age of the actor's sign-in counts as none: whether it is still fresh enough is asked when a token is minted.
    """
    session = people.find_session(work.session, held.actor_session_id)
    client = clients.find(work.session, held.client_id)
    if session is None or client is None:
        raise AccessDenied("actor.unknown")
    authentication = Authentication(session.id, now, session.acr, session.address, session.expires_at)
    actor = ActingPerson(user_id=held.actor_id, authentication=authentication)
    return ask_again(work.session, held, actor, client, way="", client_address=held.client_address)
