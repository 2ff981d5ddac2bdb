"""What `authserver policy explain` says: the decision that a start would get now, on the facts of the database."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from authserver.app import Wired
from authserver.cli.options import moment, refuse
from authserver.cli.users import found
from authserver.impersonation.asks import ActingPerson, Ask
from authserver.impersonation.policy import Allow, Decision, Facts, NeedsApproval, NeedsConsent, NeedsNotice, explain
from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, Way
from authserver.protocol.refusals import Refusal
from authserver.protocol.tokens import Authentication
from authserver.storage import DbSession, clients, governance, people
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.storage.tables import User
from authserver.tokens import targets
from authserver.tokens.targets import Target

_STARTING = frozenset({Way.USER_ID, Way.OWN_TOKEN, Way.SUPPORT_CODE})


_CONSENTS = {"standing": "a standing one", "support_code": "a support code is supposed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who would act for whom, and how; a `reason` or `ticket` of None is supposed to be a good one.

    With `support_code` the customer is supposed to have given one (way F).
    """

    actor: str
    subject: str
    client: str | None
    resources: tuple[str, ...]
    mode: str
    reason: str | None
    reason_code: str
    ticket: str | None
    address: str
    support_code: bool = False
    break_glass: bool = False


def explained(server: Wired, work: Work, question: Question) -> list[str]:
    """Answer a question in plain sentences. Nothing is written, and no attempt is counted."""
    session, now = work.session, server.clock.now()
    actor, subject = found(session, question.actor), found(session, question.subject)
    client = _client(session, question.client)
    target = _target(session, client, question.resources)
    ask = Ask(
        way=Way.USER_ID,
        actor=ActingPerson(user_id=actor.id, authentication=_authentication(session, actor, question, now)),
        client=client,
        subject_id=subject.id,
        resources=target.resources,
        asked=target.asked,
        mode=question.mode,
        reason=question.reason or "",
        reason_code=question.reason_code,
        ticket_id=question.ticket or "",
        lifetime=server.settings.impersonation.expires_in,
        break_glass=question.break_glass,
        client_address=question.address,
    )
    facts = _with_suppositions(question, server.judge.suppose(session, ask, actor, subject, now=now))
    decision = server.judge.policy.decide(facts)
    return [
        f"May {_named(actor)} act for {_named(subject)} through {client.client_id}?",
        *(f"  {line}" for line in _circumstances(question, ask, facts)),
        *_owed(session, actor, now),
        *_obstacles(ask),
        *explain(decision),
        *(f'The actor is told: "{words}"' for words in server.judge.policy.says(decision)),
        *_scopes(facts, target, decision),
        *_to_be_owed(server, question, decision),
    ]


def _client(session: DbSession, client_id: str | None) -> RegisteredClient:
    """Return the client that is named, or the only one that may begin an exchange: with a handle (C) it has begun."""
    if client_id is not None:
        client = clients.find(session, client_id)
        if client is None:
            refuse(f"{client_id}: no such client; see: authserver clients list")
        return client
    rows = [row for row in clients.listing(session) if GRANT_TOKEN_EXCHANGE in row.grant_types]
    names = [row.client_id for row in rows if set(row.ways) - {Way.IMPERSONATION}] or [row.client_id for row in rows]
    if len(names) != 1:
        refuse(f"name the client with --client; those that may exchange: {', '.join(names) or 'none'}")
    return _client(session, names[0])


def _target(session: DbSession, client: RegisteredClient, named: tuple[str, ...]) -> Target:
    try:
        return targets.resolve(session, client, named, None)
    except Refusal as refusal:
        refuse(f"{client.client_id} is refused before the policy is asked: {refusal.error} ({refusal.reason})")


def _authentication(session: DbSession, actor: User, question: Question, now: int) -> Authentication:
    """Return how the actor signed in last; without a session, a sign-in just now of no known strength."""
    row = people.newest_session(session, actor.id, now=now)
    if row is None:
        return Authentication("", now, "", question.address, now)
    return Authentication(row.id, row.auth_time, row.acr, row.address, row.expires_at)


def _with_suppositions(question: Question, facts: Facts) -> Facts:
    if question.reason is None:
        facts = replace(facts, reason="supposed")
    if question.ticket is None:
        facts = replace(facts, ticket_id="supposed", ticket_valid=True)
    if question.support_code:
        facts = replace(facts, consent="support_code")
    return facts


def _named(user: User) -> str:
    return f"{user.name} ({user.username}, {', '.join(user.roles) or 'no role'})"


def _circumstances(question: Question, ask: Ask, facts: Facts) -> Iterator[str]:
    override = ", by break-glass" if ask.break_glass else ""
    yield f"mode      {ask.mode}{override}, from {ask.client_address}, for {' '.join(ask.resources)}"
    yield f"reason    {'supposed to be given' if question.reason is None else facts.reason or 'none'}"
    yield f"ticket    {'supposed to be given and valid' if question.ticket is None else facts.ticket_id or 'none'}"
    authentication = ask.actor.authentication
    if authentication.session_id:
        signed_in = moment(authentication.auth_time)
        yield f"session   signed in {signed_in} with {authentication.acr} from {authentication.address}"
    else:
        yield "session   none is alive; a sign-in just now of unknown strength is supposed"
    yield f"consent   {_CONSENTS.get(facts.consent, 'none')}"
    quota = f"{facts.distinct_customers} in the quota's window with this one"
    yield f"customers {quota}, {facts.active_impersonations} active now"


def _owed(session: DbSession, actor: User, now: int) -> Iterator[str]:
    """Say which reports the actor owes: until they are filed, the glass is not broken again."""
    for report in governance.owed(session, actor_id=actor.id):
        late = ", which is over" if now > report.due_at else ""
        yield f"A report of break-glass is owed for {report.impersonation_id}, due {moment(report.due_at)}{late}."


def _to_be_owed(server: Wired, question: Question, decision: Decision) -> Iterator[str]:
    if question.break_glass and isinstance(decision, Allow):
        hours = server.settings.break_glass.report_seconds / 3600
        contacts = len(server.settings.notification.security_contacts)
        yield f"A report would be owed within {hours:g} h, and {contacts} security contacts would be told."


def _obstacles(ask: Ask) -> Iterator[str]:
    """Say what refuses a request before the policy is asked, so that nobody takes its yes for an access."""
    client = ask.client
    if GRANT_TOKEN_EXCHANGE not in client.grant_types or not client.ways & _STARTING:
        yield f"{client.client_id} may not start an exchange at all (unauthorized_client)."
    if not ask.actor.authentication.session_id:
        yield "Nothing can be exchanged before the actor has signed in."


def _scopes(facts: Facts, target: Target, decision: Decision) -> Iterator[str]:
    if not isinstance(decision, Allow | NeedsApproval | NeedsConsent | NeedsNotice):
        return
    granted = [name for name in target.names if name in facts.scopes]
    yield f"Scopes: {' '.join(granted)}." if granted else "No scope is left (invalid_scope)."
